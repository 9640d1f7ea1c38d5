"""Subjects that a proxy in front has authenticated and names in a header.

Must only be switched on where the proxy sets or removes the header on every request. Ditto also reads a query
parameter of the same name; here only the header counts, because proxies that filter headers forget parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from protocol.enforcement.auth import AuthContext
from protocol.errors import AuthenticationFailed, HeadersTooLarge, PolicySubjectIdInvalid
from protocol.policies.values import check_subject_id

HEADER: Final = "x-ditto-pre-authenticated"
SUBJECTS_MAX: Final = 100


class PreAuthenticated:
    """Authenticates ``x-ditto-pre-authenticated: <subject>,<subject>``; the first is the default subject."""

    def authenticate(self, headers: Mapping[str, str]) -> AuthContext | None:
        """The subjects named; None without the header; ``AuthenticationFailed`` for one without a usable subject.

        Each is ``issuer:subject``: no policy could name another one, but it would own what it creates.
        """
        subjects = headers.get(HEADER)
        return None if subjects is None else _read(subjects)


@lru_cache(maxsize=4_096)
def _read(text: str) -> AuthContext:
    subjects = tuple(dict.fromkeys(filter(None, (subject.strip() for subject in text.split(",")))))
    if not subjects or not text.isprintable():
        raise AuthenticationFailed
    if len(subjects) > SUBJECTS_MAX:
        raise HeadersTooLarge(len(subjects), SUBJECTS_MAX, "authentication subjects")
    try:
        return AuthContext(subjects=tuple(map(check_subject_id, subjects)))
    except PolicySubjectIdInvalid as error:
        raise AuthenticationFailed(description=f"{error.message} {error.hint}") from None
