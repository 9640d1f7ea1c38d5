"""Who speaks: the authenticated subjects that a signal is judged by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthContext:
    """The pooled subjects of one caller, e.g. ``("nginx:alice",)``; permissions of any of them count.

    The first is the default subject: the owner of a default policy and the ``ditto-originator`` of what it causes.
    No subjects at all is nobody, who may do nothing.
    """

    subjects: tuple[str, ...]

    @property
    def default_subject(self) -> str:
        """The subject that stands for the caller where only one can; fails for nobody, who gets no further."""
        return self.subjects[0]


NOBODY = AuthContext(subjects=())
"""The caller that could not be authenticated."""
