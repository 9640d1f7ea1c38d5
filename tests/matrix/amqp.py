"""The cells of AMQP: every topic of the grammar; behind commands, every path with every verb, for one role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from typing_extensions import override

from protocol.identifiers import EntityId
from protocol.policies.resources import TABLE as POLICY_TABLE
from protocol.things.resources import TABLE as THING_TABLE
from protocol.wire.topics import GRAMMAR
from tests.matrix.asking import ask_of, new_policy, touched, variants
from tests.matrix.lists import asked_permissions
from tests.matrix.model import NOTHING, UNAUTHENTICATED, UNKNOWN_PATH, Ask, Expected, Oracle
from tests.matrix.places import labels_of, places, written
from tests.matrix.roles import EVERYWHERE
from tests.matrix.world import NEVER, ORPHAN, OTHER, PUMP

VERBS: Final = ("create", "retrieve", "modify", "merge", "delete")
UNSUPPORTED: Final = Expected(400, "signal.unsupported")
UNKNOWN_CHANNEL: Final = Expected(400, "protocoladapter:unknown.channel")
NO_SINGLE_THING: Final = Expected(422, "protocoladapter:illegal.adaptable")
"""A search names ``_``; what comes of one that does is tested in ``tests.integration.search``."""
SILENT: Final = Expected(0)
"""Nothing is answered."""

ELSEWHERE: Final[dict[tuple[str, str | None, str], Expected]] = {
    **{("things", channel, "commands"): UNKNOWN_CHANNEL for channel in ("live", "none")},
    **{("things", channel, "events"): UNKNOWN_CHANNEL for channel in ("live", "none")},
    **{("things", channel, "errors"): UNKNOWN_CHANNEL for channel in ("live", "none")},
    **{("things", channel, "acks"): SILENT for channel in ("twin", "live", "none")},
    ("things", "live", "messages"): UNKNOWN_CHANNEL,
    **{("things", "twin", criterion): UNSUPPORTED for criterion in ("events", "errors", "streaming")},
    ("things", "twin", "search"): NO_SINGLE_THING,
    **{("policies", None, criterion): UNSUPPORTED for criterion in ("events", "errors", "streaming", "announcements")},
    ("policies", None, "acks"): SILENT,
    ("connections", None, "announcements"): UNSUPPORTED,
}
"""Topics that lead to no entity; nobody is let in there, so it does not matter who asks."""

MORE_PATHS: Final = {
    "thing": (("nothing",), ("features", "lamp", "nothing")),
    "policy": (("nothing",), ("entries",) * 3),
}
"""Paths that no entity has."""

CONDITION: Final = "eq(attributes/secret/pin,1234)"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A message, and what has to come of it; ``touched`` is the entity that it would change."""

    topic: str
    path: str = "/"
    expected: Expected
    value: Any = NOTHING
    fields: str | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    touched: EntityId | None = None

    @override
    def __str__(self) -> str:
        return f"{self.topic} {self.path}"

    def envelope(self) -> dict[str, Any]:
        message = {"topic": self.topic, "path": self.path, "headers": {"correlation-id": "cell", **self.headers}}
        given = {"value": self.value, "fields": self.fields or NOTHING, "status": self.status or NOTHING}
        return message | {name: value for name, value in given.items() if value is not NOTHING}


def cells(oracle: Oracle) -> Iterator[Cell]:
    """All cells of a role. A part of the grammar that nothing here knows is a ``KeyError``: it needs cells."""
    for (group, channel), criteria in GRAMMAR.items():
        for criterion, tail in criteria.items():
            subject = None if tail.subject == "none" else "some:label"
            for last in (*sorted(tail.actions),) or (subject,):
                yield from _of_topic(oracle, group, channel, criterion, last)


def _of_topic(oracle: Oracle, group: str, channel: str | None, criterion: str, last: str | None) -> Iterator[Cell]:
    kind = {("things", "twin", "commands"): "thing", ("policies", None, "commands"): "policy"}.get(
        (group, channel, criterion)
    )
    if kind is None or last not in (*VERBS, "checkPermissions"):
        if oracle.role.name in EVERYWHERE:
            yield _elsewhere(group, channel, criterion, last)
    elif last == "checkPermissions":
        questions, answers = asked_permissions(oracle)
        expected = _known(oracle, Expected(200, value=answers))
        yield Cell(topic="_/_/policies/commands/checkPermissions", value=questions, expected=expected)
    else:
        for entity_id in oracle.role.things if kind == "thing" else oracle.role.policies:
            for ask in _asks(oracle, kind, entity_id, last):
                yield asked(oracle, ask)
        if (kind, last) == ("thing", "retrieve"):
            yield _several(oracle)


def _elsewhere(group: str, channel: str | None, criterion: str, last: str | None) -> Cell:
    namespace, name = ("_", "c") if group == "connections" else ("farm.one", "pump")
    topic = "/".join(part for part in (namespace, name, group, channel, criterion, last) if part is not None)
    if (channel, criterion, last) == ("live", "commands", "create"):
        return Cell(topic=topic, expected=Expected(405, "things:thing.notcreatable"))
    expected = UNSUPPORTED if channel not in {"live", "none"} and criterion == "commands" else None
    status = 200 if criterion == "acks" else None
    return Cell(topic=topic, expected=expected or ELSEWHERE[group, channel, criterion], status=status)


def _asks(oracle: Oracle, kind: str, entity_id: str, verb: str) -> Iterator[Ask]:
    document = oracle.document(kind, entity_id)
    for row in THING_TABLE if kind == "thing" else POLICY_TABLE:
        pattern = row.pattern.strip("/")
        found = places(pattern, labels_of(document, pattern) if kind == "policy" else ())
        for path in islice(found, 1) if verb == "create" else found:
            value = written(kind, document, path) if verb in {"create", "modify", "merge"} else NOTHING
            if kind == "policy" and not path and document is None and value is not NOTHING:
                value = new_policy(entity_id, next(iter(oracle.role.subjects), "s:nobody"))
            yield ask_of(kind, entity_id, verb, path, value)
        if verb != "create":
            yield from (ask for ask in variants(kind, entity_id, verb, pattern) if not ask.json_patch)
    for path in MORE_PATHS[kind]:
        yield ask_of(kind, entity_id, verb, path, 1 if verb in {"create", "modify", "merge"} else NOTHING)


def asked(oracle: Oracle, ask: Ask) -> Cell:
    namespace, _, name = ask.entity_id.partition(":")
    middle = "things/twin" if ask.kind == "thing" else "policies"
    headers: dict[str, Any] = {"content-type": "application/merge-patch+json"} if ask.verb == "merge" else {}
    if ask.at_first:
        headers["at-historical-revision"] = 1
    if ask.condition is not None:
        headers["condition"] = ask.condition
    if ask.resolved:
        headers["policy-view"] = "resolved"
    # A creation below the root is no message at all, whoever sent it.
    expected = UNKNOWN_PATH if ask.verb == "create" and ask.path else oracle.answer(ask)
    return Cell(
        topic=f"{namespace}/{name}/{middle}/commands/{ask.verb}",
        path="/" + "/".join(ask.path),
        value=ask.value,
        fields=",".join(ask.fields) or None,
        headers=headers,
        expected=expected,
        touched=touched(ask),
    )


def _several(oracle: Oracle) -> Cell:
    ids = list(dict.fromkeys([*oracle.role.things, PUMP, OTHER, ORPHAN, NEVER, "rnd.n0:t0", "rnd.n1:t1"]))
    found = [seen for thing_id in ids if (seen := oracle.visible_thing(thing_id)) is not None]
    expected = _known(oracle, Expected(200, value=found))
    return Cell(topic="_/_/things/twin/commands/retrieve", value={"thingIds": ids}, expected=expected)


def _known(oracle: Oracle, expected: Expected) -> Expected:
    return expected if oracle.role.subjects else UNAUTHENTICATED
