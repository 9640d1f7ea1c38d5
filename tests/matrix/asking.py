"""Questions that both edges ask: one per place and verb, and the same with something that changes who may."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from protocol.identifiers import EntityId, PolicyId, ThingId
from tests.matrix.codes import Path
from tests.matrix.model import COLOR, CONDITIONS, NOTHING, Ask
from tests.matrix.places import merges, places


def ask_of(kind: str, entity_id: str, verb: str, path: Path, value: Any = NOTHING) -> Ask:  # noqa: ANN401 - JSON
    return Ask(kind=kind, entity_id=entity_id, verb=verb, path=path, value=value)


def touched(ask: Ask) -> EntityId | None:
    """The entity that the question would change."""
    if ask.verb == "retrieve":
        return None
    return ThingId(ask.entity_id) if ask.kind == "thing" else PolicyId(ask.entity_id)


def new_policy(policy_id: str, subject: str) -> dict[str, Any]:
    rights = {"policy:/": {"grant": ["READ", "WRITE"], "revoke": []}}
    return {
        "policyId": policy_id,
        "entries": {"o": {"subjects": {subject: {"type": "t"}}, "resources": rights, "importable": "implicit"}},
    }


def variants(kind: str, entity_id: str, verb: str, pattern: str) -> Iterator[Ask]:
    """More questions about the places of a pattern."""
    common: dict[str, Any] = {"kind": kind, "entity_id": entity_id, "verb": verb}
    if verb == "retrieve":
        for path in islice(places(pattern, ("owner",)), 2):
            yield Ask(**common, path=path, at_first=True)
        if not pattern:
            fields = ("attributes/color", "features/lamp/properties/on", "_policy")
            yield Ask(**common, fields=fields if kind == "thing" else ("policyId", "entries/guests"))
            if kind == "policy":
                yield Ask(**common, resolved=True)
    if kind == "thing" and verb == "merge":
        yield from (ask for ask in merges(entity_id) if _is_at(pattern, ask.path))
        if pattern == "attributes":
            yield Ask(**common, path=("attributes",), value={"color": "red"}, json_patch=True)
            yield Ask(**common, path=("attributes",), value={"secret": {"pin": 1}}, json_patch=True)
    if kind == "thing" and not pattern and verb in {"modify", "merge"}:
        yield Ask(**common, value={"policyId": "farm.one:main", "attributes": {}})
    if kind == "thing" and pattern == "attributes/**":
        value = "red" if verb in {"modify", "merge"} else NOTHING
        for condition in CONDITIONS:
            yield Ask(**common, path=COLOR, value=value, condition=condition)


def _is_at(pattern: str, path: Path) -> bool:
    below = pattern == "attributes/**" and path[:1] == ("attributes",) and len(path) > 1
    return below or path in set(places(pattern, ()))
