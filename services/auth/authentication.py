"""The ordered list of ways in; the first that applies to a request decides it alone."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from protocol.enforcement.auth import AuthContext
from protocol.errors import AuthenticationFailed

Verdict: TypeAlias = AuthContext | Awaitable[AuthContext]
"""Known at once, as for nearly every request, or only after some computing that would hold the others up."""

_BEARER: Final = "Bearer realm="


class Authenticator(Protocol):
    """One way in."""

    def authenticate(self, headers: Mapping[str, str]) -> Verdict | None:
        """The caller behind these request headers (names in any case); None if they hold nothing for this way in.

        Credentials that are there but wrong raise ``AuthenticationFailed``, at once or when awaited: no other
        authenticator is asked then, so that a bad token is never outvoted by something weaker beside it.
        """
        ...


class Authentication:
    """Asks authenticators in their order; nobody is let in by default."""

    def __init__(self, authenticators: Sequence[Authenticator], *, challenge: str) -> None:
        self._authenticators = tuple(authenticators)
        self.challenge = challenge
        """The value of ``WWW-Authenticate`` that goes with a refusal (RFC 9110 section 11.6.1)."""

    def challenge_to(self, credentials: str | None) -> str:
        """The challenge to whoever sent these credentials; a token is said to be no good (RFC 6750 section 3)."""
        of_token = credentials is not None and credentials[:7].lower() == "bearer " and _BEARER in self.challenge
        return f'{self.challenge}, error="invalid_token"' if of_token else self.challenge

    def authenticate(self, headers: Mapping[str, str]) -> Verdict:
        """The caller, or ``AuthenticationFailed`` (at once or when awaited)."""
        for authenticator in self._authenticators:
            verdict = authenticator.authenticate(headers)
            if verdict is not None:
                return verdict
        raise AuthenticationFailed
