"""Who speaks: the authenticated subjects that a signal is judged by."""

from __future__ import annotations

from dataclasses import field

from protocol.immutable import immutable
from protocol.json import JsonObject


@immutable
class AuthContext:
    """The pooled subjects of one caller, e.g. ``("nginx:alice",)``; permissions of any of them count.

    The first is the default subject: the owner of a default policy and the ``ditto-originator`` of what it causes.
    No subjects at all is nobody, who may do nothing. ``claims`` are those of the verified token (RFC 7519) that all the
    subjects come from; ``None`` for whoever came in another way. ``headers`` are what the issuer's setting adds to
    every command of the caller.
    """

    subjects: tuple[str, ...]
    claims: JsonObject | None = field(default=None, compare=False, repr=False)
    headers: JsonObject = field(default_factory=dict, compare=False, repr=False)

    @property
    def default_subject(self) -> str:
        """The subject that stands for the caller where only one can; fails for nobody, who gets no further."""
        return self.subjects[0]

    @property
    def token_subjects(self) -> tuple[str, ...]:
        """The subjects that a token names: all of them or none."""
        return () if self.claims is None else self.subjects


NOBODY = AuthContext(subjects=())
"""The caller that could not be authenticated."""
