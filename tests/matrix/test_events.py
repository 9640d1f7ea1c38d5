"""What of every change a role is told: at every place, made, changed, merged, deleted, against the slow model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from protocol.enforcement.events import visible_event
from protocol.identifiers import PolicyId, ThingId
from protocol.json import MISSING
from protocol.policies.resolve import compile_policy
from protocol.signals import Action, Event
from tests.matrix.codes import POLICY, THING, Path
from tests.matrix.model import NOTHING, Oracle, at
from tests.matrix.places import PATCHES, labels_of, places, written
from tests.matrix.roles import ROLES, Role
from tests.matrix.world import made_world
from tests.unit.protocol.enforcement.slow_model import Slow

WORLD: Final = made_world()
VALUES: Final[tuple[Any, ...]] = (7, [1], {}, {"color": "red", "secret": {"pin": 1}, "on": True}, None)


def told(slow: Slow, action: Action, path: Path, value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value that a reader is told, or ``NOTHING`` if no event comes; ``MISSING`` is that of a deletion."""
    if action == "deleted":
        return MISSING if slow.allowed(path) else NOTHING
    if slow.unrestricted(path):
        return value
    if action == "merged":
        return _patch(slow, path, value)
    seen = slow.visible(path, value)
    return seen[0] if seen else NOTHING


def _patch(slow: Slow, path: Path, patch: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(patch, dict) and patch:
        kept = {key: seen for key in patch if (seen := _patch(slow, (*path, key), patch[key])) is not NOTHING}
        return kept or NOTHING
    if seen := slow.visible(path, patch):
        return seen[0]
    if isinstance(patch, dict) or not slow.partial(path):
        return NOTHING
    # What is replaced is gone for whoever saw some of it.
    if slow.allowed(path):
        return None
    below = {granted[len(path)] for granted in slow.grants if granted[: len(path)] == path and len(granted) > len(path)}
    return {key: None for key in below if slow.partial((*path, key))}


def events(oracle: Oracle, kind: str, entity_id: str) -> Iterator[tuple[Action, Path, Any]]:
    document = oracle.document(kind, entity_id)
    for row in THING if kind == "thing" else POLICY:
        for path in places(row.pattern, labels_of(document, row.pattern) if kind == "policy" else ()):
            yield "created", path, written(kind, document, path)
            yield "deleted", path, MISSING
            if kind == "thing" and path:
                yield from (("modified", path, value) for value in VALUES)
                yield from (("merged", path, value) for value in VALUES)
    if kind == "thing":
        yield from (("merged", path, patch) for path, patch in PATCHES)


@pytest.mark.parametrize("role", [role for role in ROLES if role.subjects], ids=str)
def test_a_role_is_told_of_every_event_what_the_slow_model_says(role: Role) -> None:
    oracle, problems = Oracle(WORLD, role), list[str]()
    entities = [*(("thing", each) for each in role.things), *(("policy", each) for each in role.policies)]
    for kind, entity_id in entities:
        slow = oracle.may(kind, entity_id, "READ")
        if slow is None or oracle.document(kind, entity_id) is None:
            continue
        policy = WORLD.policies[str(oracle.governing(kind, entity_id))]
        enforcer = compile_policy(policy, {PolicyId(name): each for name, each in WORLD.policies.items()})
        the_id = ThingId(entity_id) if kind == "thing" else PolicyId(entity_id)
        for action, path, value in events(oracle, kind, entity_id):
            event = Event(entity_id=the_id, action=action, path=path, value=value)
            seen = visible_event(event, enforcer, role.subjects)
            due = told(slow, action, path, value)
            if not path and isinstance(due, dict) and at(value, (f"{kind}Id",)) is not NOTHING:
                due = {**due, f"{kind}Id": entity_id}
            came = NOTHING if seen is None else seen.value
            if came != due or (came is None) != (due is None):
                problems.append(f"{action} {'/'.join(path)} {value!r:.80}: {due!r:.200} was due, {came!r:.200} came")
    assert not problems, f"{len(problems)} events of {role}:\n" + "\n".join(problems[:30])
