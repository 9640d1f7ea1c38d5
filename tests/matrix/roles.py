"""Who asks: roles with a name, each made for one rule, and roles drawn by lot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from protocol.enforcement.auth import AuthContext
from protocol.json import JsonObject
from tests.matrix.world import (
    DRAWN,
    ENTRIES,
    EXPIRED_SUBJECT,
    GONE,
    MAIN,
    NEVER,
    NO_POLICY,
    ORPHAN,
    OTHER,
    OWNER,
    PLAIN,
    PUMP,
    TOKENS,
    drawn_policy,
    drawn_thing,
    subject_of,
)


@dataclass(frozen=True, kw_only=True)
class Role:
    """A caller with all its subjects, and the entities that it is asked about. ``token``: they come from one."""

    name: str
    subjects: tuple[str, ...]
    things: tuple[str, ...] = (PUMP,)
    policies: tuple[str, ...] = (MAIN,)
    token: bool = False

    @property
    def auth(self) -> AuthContext:
        claims: JsonObject | None = {"aud": "lent", "exp": 4_000_000_000} if self.token else None
        return AuthContext(subjects=self.subjects, claims=claims)

    @override
    def __str__(self) -> str:
        return self.name


def _rules(name: str, *kinds: str) -> bool:
    """Whether the entry says anything about entities of these kinds; whoever it says nothing to is a stranger there."""
    return any(key.startswith(kinds) for key in ENTRIES[name])


NOBODY: Final = Role(name="nobody", subjects=())
_EVERYTHING: Final = (PUMP, OTHER, ORPHAN, GONE, NEVER)
_IMPORTED: Final = ("imported", "listed", "unlisted", "never")

NAMED: Final = (
    NOBODY,
    Role(name="stranger", subjects=("s:stranger",), things=_EVERYTHING, policies=(MAIN, PLAIN, NO_POLICY)),
    Role(name="owner", subjects=(OWNER,), things=_EVERYTHING, policies=(MAIN, PLAIN, NO_POLICY)),
    *(
        Role(
            name=name,
            subjects=(subject_of(name),),
            token=name in TOKENS,
            things=(PUMP,) if _rules(name, "thing", "message") else (),
            policies=(MAIN,) if _rules(name, "policy", "message") else (),
        )
        for name in ENTRIES
    ),
    *(Role(name=name, subjects=(f"s:{name}",), policies=()) for name in (*_IMPORTED, "guest")),
    Role(name="removed", subjects=("s:removed",)),
    Role(name="expired", subjects=(EXPIRED_SUBJECT,), token=True, things=_EVERYTHING),
    Role(name="expired-without-token", subjects=(EXPIRED_SUBJECT,)),
    Role(name="expired-reader", subjects=(EXPIRED_SUBJECT, "s:attribute-reader"), token=True, policies=()),
    Role(name="elsewhere", subjects=("s:elsewhere",), things=(PUMP, OTHER), policies=()),
    Role(name="below", subjects=("s:below",), things=(PUMP, OTHER), policies=()),
    Role(name="two-hats", subjects=("s:feature-reader", "s:second-hat"), policies=()),
    Role(name="two-halves", subjects=("s:reader", "s:writer"), policies=()),
    Role(name="plain-guest", subjects=("s:plain-guest",), things=("farm.one:plain",), policies=(PLAIN,)),
    Role(name="reader-of-the-orphan", subjects=("s:plain-guest",), things=(ORPHAN, GONE), policies=(NO_POLICY,)),
)

DRAWN_ROLES: Final = tuple(
    Role(
        name=f"drawn-{number}",
        subjects=(f"s:drawn-{number}",) if number % 4 else (f"s:drawn-{number}", f"s:drawn-{number}-too"),
        things=(drawn_thing(number),),
        policies=(drawn_policy(number),),
    )
    for number in range(DRAWN)
)

EVERYWHERE: Final = frozenset({"nobody", "stranger", "owner"})
"""The roles that are also sent where it does not matter who comes: wrong methods, topics that lead to no entity."""

ROLES: Final = (*NAMED, *DRAWN_ROLES)
