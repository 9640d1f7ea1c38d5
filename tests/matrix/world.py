"""The entities that the matrix asks about: as documents, and as commands that make them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from protocol.enforcement.auth import AuthContext
from protocol.identifiers import PolicyId, ThingId
from protocol.policies.removal import ANNOUNCER, removal
from protocol.signals import Command, Verb

Document = dict[str, Any]

OWNER: Final = "s:owner"
BASE, EXTRA, MAIN, PLAIN = "farm.base:common", "farm.base:extra", "farm.one:main", "farm.one:plain"
DROPPED = "farm.one:dropped"
PUMP, OTHER, ORPHAN, GONE, NEVER = "farm.one:pump", "farm.two:pump", "farm.one:orphan", "farm.one:gone", "farm.one:none"
LOST_POLICY, NO_POLICY = DROPPED, "farm.one:no-policy"
EXPIRED_SUBJECT: Final = "token:expired"
FAR: Final = "2099-01-01T00:00:00Z"
DRAWN: Final = 16

ALL: Final = ("READ", "WRITE", "EXECUTE")


def rights(*grant: str, revoke: tuple[str, ...] = ()) -> Document:
    return {"grant": [name for name in ALL if name in grant], "revoke": [name for name in ALL if name in revoke]}


READ, WRITE, BOTH = rights("READ"), rights("WRITE"), rights("READ", "WRITE")
NO_READ, NO_WRITE = rights(revoke=("READ",)), rights(revoke=("WRITE",))
HIDDEN = rights(revoke=("READ", "WRITE"))


def entry(*subjects: str, importable: str = "implicit", resources: Document | None = None, **more: Any) -> Document:  # noqa: ANN401 - JSON
    return {
        "subjects": {subject: {"type": "t"} for subject in subjects},
        "resources": resources or {},
        "importable": importable,
        **more,
    }


def owner() -> Document:
    return entry(OWNER, importable="never", resources=dict.fromkeys(("thing:/", "policy:/", "message:/"), BOTH))


ENTRIES: Final[dict[str, Document]] = {
    "reader": {"thing:/": READ},
    "writer": {"thing:/": WRITE},
    "attribute-reader": {"thing:/attributes/color": READ},
    "feature-reader": {"thing:/features/lamp": READ},
    "empty-reader": {"thing:/attributes/empty": READ, "thing:/features/none/properties": READ},
    "partial-writer": {
        "thing:/features/lamp/properties/on": BOTH,
        "thing:/attributes/color": WRITE,
        "thing:/attributes/none": WRITE,
    },
    "deep-revoked": {
        "thing:/": BOTH,
        "thing:/attributes/secret": HIDDEN,
        "thing:/attributes/secret/hint": READ,
        "thing:/attributes/list/deep": HIDDEN,
    },
    "write-revoked": {"thing:/": BOTH, "thing:/features/lamp/properties": NO_WRITE},
    "reopened": {"thing:/": HIDDEN, "thing:/attributes": BOTH, "thing:/policyId": READ},
    "tied": {"thing:/attributes": rights("READ", "WRITE", revoke=("READ",))},
    "messenger": {"message:/": BOTH},
    "policy-reader": {"policy:/": READ},
    "policy-writer": {"policy:/": WRITE},
    "policy-partial-reader": {"policy:/entries/guests/subjects": READ, "policy:/imports": READ},
    "subject-admin": {
        "policy:/entries/guests/subjects": BOTH,
        "policy:/entries/template/subjects": BOTH,
        "policy:/entries/template/subjects/nginx:template": HIDDEN,
    },
    "policy-deep-revoked": {
        "policy:/": BOTH,
        "policy:/entries/owner": HIDDEN,
        "policy:/entries/guests/resources/thing:/attributes/color": NO_WRITE,
    },
    "importer": {"policy:/imports": BOTH},
    "blind-importer": {"policy:/imports": BOTH},
    "executor": {"policy:/entries/executor/actions": rights("EXECUTE"), "thing:/attributes/color": READ},
    "lender": {"policy:/": rights("EXECUTE"), "policy:/entries/lender/actions": rights(revoke=("EXECUTE",))},
}
"""What the entries of the main policy grant to the subject of the same name."""

TOKENS: Final = frozenset({"executor", "lender"})
"""Those of them whose subject comes from a token."""


def subject_of(name: str) -> str:
    return f"token:{name}" if name in TOKENS else f"s:{name}"


def _main() -> Document:
    named = {name: entry(subject_of(name), resources=resources) for name, resources in ENTRIES.items()}
    return {
        "policyId": MAIN,
        "imports": {BASE: {"entries": ["listed"]}},
        "entries": {
            "owner": owner(),
            "template": entry(
                "nginx:template",
                resources={"thing:/features/lamp/desiredProperties": READ},
                allowedAdditions=["subjects"],
            ),
            "guests": entry(
                "nginx:guest",
                "s:guest",
                resources={"thing:/attributes/color": READ},
                references=[{"entry": "template"}, {"entry": "listed", "import": BASE}],
            ),
            "elsewhere": entry("s:elsewhere", resources={"thing:/": BOTH, "policy:/": READ}, namespaces=["farm.two"]),
            "below": entry("s:below", resources={"thing:/": BOTH}, namespaces=["farm.*"]),
            "second-hat": entry("s:second-hat", resources={"thing:/features/lamp/properties/secret": NO_READ}),
            **named,
            "named-once": {"subjects": {}, "resources": {}, "importable": "implicit"},
        },
    }


def _base() -> Document:
    everything = {"policy:/": READ}
    return {
        "policyId": BASE,
        "entries": {
            "owner": owner(),
            "readers": entry("s:importer", importable="never", resources=everything),
            "everyone": entry("s:imported", resources={"thing:/features": READ}),
            "listed": entry("s:listed", importable="explicit", resources={"thing:/attributes": BOTH}),
            "unlisted": entry("s:unlisted", importable="explicit", resources={"thing:/": BOTH}),
            "never": entry("s:never", importable="never", resources={"thing:/": BOTH}),
        },
    }


def _extra() -> Document:
    return {
        "policyId": EXTRA,
        "entries": {
            "owner": owner(),
            "readers": entry("s:importer", importable="never", resources={"policy:/entries/template": READ}),
            "template": entry("s:extra", resources={"thing:/definition": READ}),
        },
    }


def _plain(policy_id: str) -> Document:
    """A policy that imports nothing, so that its last owner cannot be taken out of it."""
    guests = entry("s:plain-guest", resources={"policy:/": BOTH, "thing:/": READ})
    guests["subjects"]["s:plain-guest"]["expiry"] = FAR
    return {"policyId": policy_id, "entries": {"owner": owner(), "guests": guests}}


def thing(thing_id: str, policy_id: str) -> Document:
    return {
        "thingId": thing_id,
        "policyId": policy_id,
        "definition": "a:b:1",
        "attributes": {
            "color": "blue",
            "secret": {"pin": 1234, "hint": "a year"},
            "list": [{"pin": 1}],
            "empty": {},
        },
        "features": {
            "lamp": {
                "definition": ["a:lamp:1"],
                "properties": {"on": True, "secret": {"key": "k"}},
                "desiredProperties": {"on": False},
            },
            "bare": {},
        },
    }


THING_RULES: Final = (
    *("/", "/attributes", "/attributes/color", "/attributes/secret", "/attributes/secret/pin", "/attributes/list"),
    *("/features", "/features/lamp", "/features/lamp/properties", "/features/lamp/properties/on", "/features/bare"),
    *("/features/lamp/properties/secret", "/policyId", "/definition", "/features/none/properties", "/attributes/none"),
)
POLICY_RULES: Final = (
    *("/", "/entries", "/entries/e0", "/entries/owner", "/entries/e0/subjects", "/entries/owner/resources"),
    *("/entries/owner/resources/policy:/", "/entries/owner/subjects/s:owner", "/imports", f"/imports/{BASE}"),
    *("/entries/e0/importable", "/entries/e1", "/entries/none", f"/imports/{BASE}/entries"),
)


def _drawn(number: int, dice: random.Random) -> Document:
    """A policy by lot: up to three entries for one or two subjects, a few rules each."""

    def draw_rights() -> Document:
        return rights(*dice.sample(ALL, dice.randint(0, 2)), revoke=tuple(dice.sample(ALL, dice.choice((0, 0, 1, 2)))))

    entries: Document = {"owner": owner()}
    for place in range(dice.randint(1, 3)):
        kinds = dice.choices(("thing", "policy"), (3, 2), k=dice.randint(1, 5))
        rules = {f"{kind}:{dice.choice(THING_RULES if kind == 'thing' else POLICY_RULES)}" for kind in kinds}
        more: Document = {"namespaces": dice.choice((["rnd.n0"], ["rnd.*"], []))} if dice.random() < 0.3 else {}
        subjects = dice.sample((f"s:drawn-{number}", f"s:drawn-{number}-too"), dice.randint(1, 2))
        entries[f"e{place}"] = entry(*subjects, resources={key: draw_rights() for key in sorted(rules)}, **more)
    imports: Document = {"imports": {BASE: {}}} if number % 3 == 0 else {}
    return {"policyId": drawn_policy(number), **imports, "entries": entries}


def drawn_policy(number: int) -> str:
    return f"rnd.n{number % 2}:p{number}"


def drawn_thing(number: int) -> str:
    return f"rnd.n{number % 2}:t{number}"


@dataclass(frozen=True, kw_only=True)
class World:
    """What exists. ``past`` are the things as they were first, ``dead`` deleted things by the policy they had."""

    things: dict[str, Document]
    policies: dict[str, Document]
    past: dict[str, Document]
    dead: dict[str, str]
    expired: dict[str, frozenset[str]] = field(default_factory=dict)


def made_world() -> World:
    dice = random.Random(20_261_121)  # noqa: S311 - the same roles in every run
    drawn = [_drawn(number, dice) for number in range(DRAWN)]
    policies = [_base(), _extra(), _main(), _plain(PLAIN), *drawn]
    things = [thing(PUMP, MAIN), thing(OTHER, MAIN), thing(ORPHAN, DROPPED), thing("farm.one:plain", PLAIN)]
    things += [thing(drawn_thing(number), drawn_policy(number)) for number in range(DRAWN)]
    living = {str(document["thingId"]): document for document in things}
    return World(
        things=living,
        policies={str(document["policyId"]): document for document in policies},
        past={
            name: {**document, "attributes": {**document["attributes"], "color": "grey"}}
            for name, document in {**living, GONE: thing(GONE, MAIN)}.items()
        },
        dead={GONE: MAIN},
        expired={MAIN: frozenset({EXPIRED_SUBJECT})},
    )


MADE_BY: Final = AuthContext(subjects=(OWNER,))


def commands(world: World) -> Iterator[tuple[Command, AuthContext]]:
    """What makes the world, in order."""
    for policy_id, document in world.policies.items():
        yield _command(PolicyId(policy_id), "create", (), document)
    yield _command(PolicyId(DROPPED), "create", (), _plain(DROPPED))
    for thing_id, document in world.past.items():
        yield _command(ThingId(thing_id), "create", (), document)
        yield _command(ThingId(thing_id), "modify", ("attributes", "color"), "blue")
    yield _command(PolicyId(DROPPED), "delete", ())
    yield _command(ThingId(GONE), "delete", ())
    expiring: Document = {"type": "t", "expiry": FAR}
    path = ("entries", "named-once", "subjects", EXPIRED_SUBJECT)
    yield _command(PolicyId(MAIN), "modify", path, expiring)
    yield removal(PolicyId(MAIN), [(EXPIRED_SUBJECT, expiring)]), ANNOUNCER


def _command(
    entity_id: PolicyId | ThingId,
    verb: Verb,
    path: tuple[str, ...],
    value: Any = None,  # noqa: ANN401 - JSON
) -> tuple[Command, AuthContext]:
    headers = {"correlation-id": "made"}
    if verb == "delete":
        return Command(entity_id=entity_id, verb=verb, path=path, headers=headers), MADE_BY
    return Command(entity_id=entity_id, verb=verb, path=path, value=value, headers=headers), MADE_BY
