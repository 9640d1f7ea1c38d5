"""What every caller must be answered, worked out from the documents alone.

Permissions come from the slow model (``tests.unit.protocol.enforcement.slow_model``); nothing here calls the code
under test. The rules are those of Ditto's documentation, pages *basic-policy*, *httpapi-concepts* and *basic-errors*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from tests.matrix.codes import ALWAYS_THERE, CHANGED_ONLY, DEFAULTS, Codes, Path, codes_of
from tests.matrix.roles import Role
from tests.matrix.world import Document, World
from tests.unit.protocol.enforcement.slow_model import Slow, expanded, statements

NOTHING: Final = object()
"""There is no value, or none that matters."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One question to one entity. ``kind`` is ``thing`` or ``policy``; ``condition`` is one of ``CONDITIONS``."""

    kind: str
    entity_id: str
    verb: str
    path: Path = ()
    value: Any = NOTHING
    fields: tuple[str, ...] = ()
    condition: str | None = None
    at_first: bool = False
    json_patch: bool = False
    resolved: bool = False


SECRET, COLOR, LAMP = ("attributes", "secret", "pin"), ("attributes", "color"), ("features", "lamp")
CONDITIONS: Final[dict[str, tuple[tuple[Path, ...], bool]]] = {
    "eq(attributes/secret/pin,1234)": ((SECRET,), True),
    'ne(attributes/color,"blue")': ((COLOR,), False),
    'and(exists(features/lamp),eq(thingId,"x"))': ((LAMP,), False),
    'or(exists(features/lamp),eq(attributes/color,"x"))': ((LAMP, COLOR), True),
}
"""By their text: what they ask for, and whether they hold for every thing of the world."""


class Expected(NamedTuple):
    """Status, error code (``None`` for success), the body where it is told exactly, and how many events follow."""

    status: int
    code: str | None = None
    value: Any = NOTHING
    events: int = 0

    def problems(self, status: int, body: Any) -> list[str]:  # noqa: ANN401 - JSON
        """What is wrong with an answer."""
        code = body.get("error") if isinstance(body, dict) else None
        if status != self.status or (self.code is not None and code != self.code):
            return [f"{self.status} {self.code} was due, {status} {code or body!r:.200} came"]
        if self.value is not NOTHING and body != self.value:
            return [f"{self.value!r:.400} was due, {body!r:.400} came"]
        return []


UNAUTHENTICATED: Final = Expected(401, "gateway:authentication.failed")
UNKNOWN_PATH: Final = Expected(400, "protocoladapter:unknown.path")
CONDITION_FAILED: Final = Expected(412, "things:condition.failed")


class Refused(Exception):
    """The answer is no."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)
        self.expected = Expected(status, code)


def at(document: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return NOTHING
        document = document[key]
    return document


@dataclass(frozen=True)
class Oracle:
    """Answers for one role."""

    world: World
    role: Role
    _slow: dict[tuple[str, str, str], Slow] = field(default_factory=dict)

    def answer(self, ask: Ask) -> Expected:
        if not self.role.subjects:
            return UNAUTHENTICATED
        try:
            return _Question(self, ask).answer()
        except Refused as refused:
            return refused.expected

    def may(self, kind: str, entity_id: str, permission: str, resource: str | None = None) -> Slow | None:
        """What the caller may in an entity; ``None`` if no policy governs it. ``resource`` is another type of it."""
        policy_id = self.governing(kind, entity_id)
        policy = self.world.policies.get(policy_id or "")
        if policy is None:
            return None
        key = (f"{kind}:{entity_id}", permission, resource or kind)
        if key not in self._slow:
            namespace = entity_id.partition(":")[0] if (resource or kind) != "policy" else None
            found = statements(policy, self.world.policies, namespace)
            self._slow[key] = Slow(found, set(self.role.subjects), resource or kind, permission)
        return self._slow[key]

    def governing(self, kind: str, entity_id: str) -> str | None:
        if kind == "policy":
            return entity_id
        living = self.world.things.get(entity_id)
        return self.world.dead.get(entity_id) if living is None else str(living["policyId"])

    def shown(self, kind: str, entity_id: str, document: Document | None = None) -> Document:
        """What the caller sees of the document, by default that of today."""
        document = self.document(kind, entity_id) if document is None else document
        may = self.may(kind, entity_id, "READ")
        assert document is not None
        assert may is not None
        seen = may.visible((), document)
        return {f"{kind}Id": entity_id, **(seen[0] if seen else {})}  # type: ignore[dict-item]  # a whole entity is an object

    def document(self, kind: str, entity_id: str) -> Document | None:
        return (self.world.things if kind == "thing" else self.world.policies).get(entity_id)

    def visible_thing(self, thing_id: str) -> Document | None:
        """The thing as a list of things shows it; nothing if it does not."""
        may = self.may("thing", thing_id, "READ")
        if thing_id not in self.world.things or may is None or not may.partial(()):
            return None
        return self.shown("thing", thing_id)

    def visible_policy(self, policy_id: str) -> Document | None:
        may = self.may("policy", policy_id, "READ")
        if policy_id not in self.world.policies or may is None or not may.visible((), self.world.policies[policy_id]):
            return None
        return self.shown("policy", policy_id)


class _Question:
    """One question of one caller."""

    def __init__(self, oracle: Oracle, ask: Ask) -> None:
        self.oracle, self.ask = oracle, ask
        self.world, self.role = oracle.world, oracle.role

    def answer(self) -> Expected:
        ask = self.ask
        if ask.verb == "execute":
            return self._execute()
        self._check_sayable()
        if ask.at_first:
            return self._retrieve_first()
        document = self.document
        if document is None:
            return self._of_nothing()
        if ask.verb == "create":
            return Expected(409, "things:thing.conflict" if ask.kind == "thing" else "policies:policy.conflict")
        if self._read is None or self._write is None:
            code = "things:thing.notfound" if ask.verb == "retrieve" else "things:thing.notmodifiable"
            return Expected(404 if ask.verb == "retrieve" else 403, code)
        if ask.verb == "retrieve":
            return self._retrieve(document)
        self._check_written(document, self._write)
        self._check_condition()
        return self._changed(document)

    @cached_property
    def codes(self) -> Codes:
        codes = codes_of(self.ask.kind, self.ask.path)
        if codes is None:
            raise Refused(UNKNOWN_PATH.status, str(UNKNOWN_PATH.code))
        return codes

    @property
    def document(self) -> Document | None:
        return self.oracle.document(self.ask.kind, self.ask.entity_id)

    @property
    def entity(self) -> Codes:
        found = codes_of(self.ask.kind, ())
        assert found is not None
        return found

    @cached_property
    def _read(self) -> Slow | None:
        return self.oracle.may(self.ask.kind, self.ask.entity_id, "READ")

    @cached_property
    def _write(self) -> Slow | None:
        return self.oracle.may(self.ask.kind, self.ask.entity_id, "WRITE")

    def _check_sayable(self) -> None:
        """What no entity can be asked is 400 for everybody."""
        pattern, verb = self.codes.pattern, self.ask.verb
        if verb == "create" and self.ask.path:
            raise Refused(400, "protocoladapter:unknown.path")
        if verb == "delete" and self.ask.kind == "thing" and pattern == "policyId":
            raise Refused(400, "things:policyId.notdeletable")
        if verb == "delete" and self.ask.kind == "policy" and pattern in CHANGED_ONLY:
            raise Refused(400, "protocoladapter:unknown.command")

    def _hidden(self, status: int, code: str) -> Refused:
        """A refusal; whoever had access until it expired is told so."""
        policy_id = self.oracle.governing(self.ask.kind, self.ask.entity_id)
        gone = self.world.expired.get(policy_id or "", frozenset())
        if self.role.token and gone & set(self.role.subjects):
            return Refused(401, "gateway:authentication.failed")
        return Refused(status, code)

    def _denied(self) -> Refused:
        assert self._read is not None
        assert self._write is not None
        ask = self.ask
        if self._knows_nothing():
            return self._hidden(404, self.entity.not_found)
        if ask.kind == "thing" and ask.verb == "delete" and not ask.path:
            return self._hidden(403, "things:thing.notdeletable")
        if ask.kind == "thing" and ask.verb == "merge":
            return self._hidden(403, "things:thing.notmodifiable")
        return self._hidden(403, self.codes.not_modifiable)

    def _knows_nothing(self) -> bool:
        """Whether the caller must not learn that there is such an entity."""
        assert self._read is not None
        assert self._write is not None
        return not self._read.partial(()) and not self._write.partial(())

    # Reading.

    def _unseen(self) -> Refused:
        return self._hidden(404, self.entity.not_found if self._knows_nothing() else self.codes.not_found)

    def _retrieve(self, document: Document) -> Expected:
        assert self._read is not None
        if not self._read.partial(self.ask.path):
            raise self._unseen()
        if self.ask.resolved:
            document = resolved(document, self.world)
            hidden = {label for label, source in imported_labels(document, self.world) if not self._sees(*source)}
            kept = {label: each for label, each in document["entries"].items() if label not in hidden}
            document = {**document, "entries": kept}
        shown = self.oracle.shown(self.ask.kind, self.ask.entity_id, document)
        self._check_condition()
        value = self._value(shown)
        return Expected(200, value=self._selected(value) if self.ask.fields else value)

    def _sees(self, policy_id: str, label: str) -> bool:
        """Whether the caller sees all of an entry in the policy that it is imported from."""
        may = self.oracle.may("policy", policy_id, "READ")
        return may is not None and may.unrestricted(("entries", label))

    def _value(self, shown: Document) -> Any:  # noqa: ANN401 - JSON
        value = at(shown, self.ask.path)
        if value is NOTHING and self.codes.pattern in DEFAULTS and not self._orphaned(shown):
            return DEFAULTS[self.codes.pattern]
        if value is NOTHING:
            raise Refused(404, self._absence(shown))
        return value

    def _absence(self, document: Document) -> str:
        """The code for a place at which the document has nothing."""
        path = self.ask.path
        if self.ask.kind == "thing" and path[:1] == ("features",) and len(path) > 2:
            return "things:feature.notfound" if at(document, path[:2]) is NOTHING else self.codes.not_found
        if self.ask.kind == "policy" and self._orphaned(document):
            return "policies:entry.notfound" if path[0] == "entries" else "policies:import.notfound"
        return self.codes.not_found

    def _orphaned(self, document: Document) -> bool:
        return len(self.ask.path) > 2 and at(document, self.ask.path[:2]) is NOTHING

    def _retrieve_first(self) -> Expected:
        """The first revision: unrestricted READ under the policy of today, of a dead thing that of its last day."""
        past = self.world.past.get(self.ask.entity_id) if self.ask.kind == "thing" else self.document
        if past is None or self._read is None:
            return Expected(404, self.entity.not_found)
        if not self._read.unrestricted(self.ask.path):
            raise self._unseen()
        return Expected(200, value=self._value(past))

    def _selected(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        picked: Document = {}
        for pointer in self.ask.fields:
            if pointer == "_policy":
                policy = self.oracle.visible_policy(str(self.oracle.governing("thing", self.ask.entity_id)))
                picked |= {} if policy is None else {"_policy": policy}
                continue
            found = at(value, tuple(pointer.split("/")))
            if found is not NOTHING:
                _put(picked, pointer.split("/"), found)
        return picked

    def _check_condition(self) -> None:
        if self.ask.condition is None:
            return
        paths, holds = CONDITIONS[self.ask.condition]
        assert self._read is not None
        if not holds or not all(self._read.unrestricted(path) for path in paths):
            raise Refused(412, "things:condition.failed")

    # Changing.

    def _check_written(self, document: Document, write: Slow) -> None:
        ask = self.ask
        assert self._read is not None
        if ask.json_patch and not self._read.unrestricted(ask.path):
            raise self._denied()
        if ask.verb == "merge":
            places = set(leaves(ask.path, ask.value, at(document, ask.path), _scalar_above(document, ask.path)))
        else:
            places = {_scalar_above(document, ask.path) or ask.path}
        if not all(write.unrestricted(place) for place in places):
            raise self._denied()

    def _changed(self, document: Document) -> Expected:
        ask = self.ask
        there = at(document, ask.path) is not NOTHING
        if ask.kind == "policy":
            return self._changed_policy(document, there=there)
        if ask.verb == "merge":
            return Expected(204, events=1)
        featureless = len(ask.path) > 2 and ask.path[0] == "features" and at(document, ask.path[:2]) is NOTHING
        if featureless or (ask.verb == "delete" and not there):
            return Expected(404, self._absence(document))
        return Expected(204, events=1) if there else Expected(201, value=ask.value, events=1)

    def _changed_policy(self, document: Document, *, there: bool) -> Expected:
        ask = self.ask
        if self._orphaned(document) or (ask.verb == "delete" and not there and self.codes.pattern not in DEFAULTS):
            return Expected(404, self._absence(document))
        if ask.verb == "delete" and not there:
            return Expected(204)
        if ask.path or ask.verb == "modify":
            self._check_sound(changed(document, ask), document)
        empty = self.codes.pattern == "entries/*/references" and not ask.value
        if ask.verb == "delete" or there or empty or self.codes.pattern in ALWAYS_THERE:
            return Expected(204, events=1)
        return Expected(201, value=ask.value, events=1)

    def _check_sound(self, after: Document, before: Document) -> None:
        for imported, setting in after.get("imports", {}).items():
            if before.get("imports", {}).get(imported) != setting and not self._may_import(imported, setting):
                raise Refused(404, "policies:policy.notfound")
        for each in after["entries"].values():
            for reference in each.get("references", []):
                if "import" in reference and reference["import"] not in after.get("imports", {}):
                    raise self._dangling("import", removed=self.ask.path[:1] == ("imports",))
                if "import" not in reference and reference["entry"] not in after["entries"]:
                    raise self._dangling("entry", removed=self.ask.path == ("entries", reference["entry"]))
        if not after.get("imports") and not owned(after):
            of_entry = len(self.ask.path) > 1 and self.ask.path[0] == "entries"
            raise Refused(403, f"policies:{'entry' if of_entry else 'policy'}.modificationinvalid")

    @staticmethod
    def _dangling(kind: str, *, removed: bool) -> Refused:
        """A reference is left without its target: by taking that away, or by writing down a reference to nothing."""
        return (
            Refused(409, f"policies:{kind}.referenceconflict") if removed else Refused(400, f"policies:{kind}.invalid")
        )

    def _may_import(self, imported: str, setting: Document) -> bool:
        may = self.oracle.may("policy", imported, "READ")
        taken = [
            label
            for label, each in self.world.policies[imported]["entries"].items()
            if each["importable"] == "implicit"
            or (each["importable"] == "explicit" and label in setting.get("entries", []))
        ]
        return may is not None and all(may.unrestricted(("entries", label)) for label in taken)

    def _of_nothing(self) -> Expected:
        """There is no such entity: nobody's secret, and free for everybody to create."""
        ask = self.ask
        if ask.verb in {"retrieve", "delete"} or ask.path or (ask.verb == "merge" and ask.kind == "policy"):
            return Expected(404, self.entity.not_found)
        if ask.kind == "policy":
            subjects = {subject for each in ask.value["entries"].values() for subject in each["subjects"]}
            if not subjects & set(self.role.subjects):
                return Expected(403, "policies:policy.notcreatable")
            return Expected(201, events=1)
        joined = ask.value.get("policyId")
        return Expected(201, events=2) if joined is None else self.joining(ask.entity_id, joined)

    def joining(self, thing_id: str, policy_id: str) -> Expected:
        """A new thing under an existing policy."""
        readable = self.oracle.may("policy", policy_id, "READ")
        if readable is None or not readable.partial(()):
            return Expected(404, "policies:policy.notfound")
        found = statements(self.world.policies[policy_id], self.world.policies, thing_id.partition(":")[0])
        if not Slow(found, set(self.role.subjects), "thing", "WRITE").unrestricted(()):
            return Expected(403, "things:thing.notmodifiable")
        return Expected(201, events=1)

    # Token actions.

    def _execute(self) -> Expected:
        action = self.ask.path[-1]
        if not self.role.token:
            return Expected(400, "policies:action.failed")
        document = self.document
        if document is None:
            return Expected(404, "policies:policy.notfound")
        may = self.oracle.may("policy", self.ask.entity_id, "EXECUTE")
        assert may is not None
        asked = list(document["entries"]) if self.ask.path[0] == "actions" else [self.ask.path[1]]
        permitted = [label for label in asked if may.unrestricted(("entries", label, "actions", action))]
        if not permitted:
            entries = expanded(document, self.world.policies)
            named = any(set(each["subjects"]) & set(self.role.subjects) for each in entries)
            raise (
                self._hidden(403, "policies:action.failed") if named else self._hidden(404, "policies:policy.notfound")
            )
        fitting = [label for label in permitted if self._fits(document["entries"].get(label), action)]
        if not fitting:
            raise self._hidden(404, "policies:action.failed")
        return Expected(204, events=len(fitting) if action.startswith("activate") else 0)

    def _fits(self, each: Document | None, action: str) -> bool:
        if each is None or not set(each["subjects"]) & set(self.role.subjects):
            return False
        reads = any(
            key.startswith("thing:") and "READ" in given["grant"] and "READ" not in given["revoke"]
            for key, given in each["resources"].items()
        )
        return reads or action.startswith("deactivate")


def joining(oracle: Oracle, thing_id: str, policy_id: str) -> Expected:
    """A new thing under an existing policy, whatever its id."""
    return _Question(oracle, Ask(kind="thing", entity_id=thing_id, verb="create")).joining(thing_id, policy_id)


def leaves(place: Path, patch: Any, target: Any, above: Path | None = None) -> Iterator[Path]:  # noqa: ANN401 - JSON
    """Every place that a merge patch writes: its leaves, the parent of what an expression deletes, what has to go."""
    if above is not None:
        yield above
    elif not isinstance(patch, dict) or not patch or not (isinstance(target, dict) or target in (NOTHING, None)):
        yield place
    else:
        for key, member in patch.items():
            if key.startswith("{{") and member is None:
                yield place
            else:
                yield from leaves((*place, key), member, at(target, (key,)))


def _scalar_above(document: Document, path: Path) -> Path | None:
    """The place above the path that holds something which is no object, and would have to go."""
    for depth in range(len(path)):
        value = at(document, path[:depth])
        if value is NOTHING or value is None:
            return None
        if not isinstance(value, dict):
            return path[:depth]
    return None


def changed(document: Document, ask: Ask) -> Document:
    """The policy after a modify or a delete below its root, or after a modify of all of it."""
    if not ask.path:
        return dict(ask.value)
    head, rest = ask.path[0], ask.path[1:]
    if not rest and ask.verb == "delete":
        return {key: member for key, member in document.items() if key != head}
    if not rest:
        return {**document, head: ask.value}
    inner = Ask(kind=ask.kind, entity_id="", verb=ask.verb, path=rest, value=ask.value)
    return {**document, head: changed(document.get(head, {}), inner)}


def owned(policy: Document) -> bool:
    """Whether somebody without an end has WRITE on ``policy:/`` that nothing takes away."""
    given: set[str] = set()
    taken: set[str] = set()
    for each in policy["entries"].values():
        named = each["resources"].get("policy:/", {"grant": [], "revoke": []})
        if "WRITE" in named["grant"]:
            given |= {subject for subject, facts in each["subjects"].items() if "expiry" not in facts}
        if "WRITE" in named["revoke"]:
            taken |= set(each["subjects"])
    return bool(given - taken)


def imported_labels(policy: Document, world: World) -> list[tuple[str, tuple[str, str]]]:
    """The labels that imported entries have in a resolved view, and where each comes from."""
    return [
        (f"imported-{imported}-{label}", (imported, label))
        for imported in policy.get("imports", {})
        for label in world.policies[imported]["entries"]
    ]


def resolved(policy: Document, world: World) -> Document:
    """The policy with its references filled in and its imports written out."""
    others = {name: each for name, each in world.policies.items() if name != policy["policyId"]}
    labels = list(policy["entries"])
    importables = [each["importable"] for each in policy["entries"].values()]
    for imported, setting in policy.get("imports", {}).items():
        for label, each in others[imported]["entries"].items():
            if each["importable"] == "implicit" or (
                each["importable"] == "explicit" and label in setting.get("entries", [])
            ):
                labels.append(f"imported-{imported}-{label}")
                importables.append(each["importable"])
    entries: Document = {}
    for label, importable, each in zip(labels, importables, expanded(policy, others), strict=True):
        united: Document = {}
        for key, given in each["resources"]:
            known = united.get(key, {"grant": [], "revoke": []})
            united[key] = {side: sorted({*known[side], *given[side]}) for side in ("grant", "revoke")}
        shown = {"subjects": each["subjects"], "resources": united, "importable": importable}
        names = list(dict.fromkeys(each["namespaces"]))
        entries[label] = {**shown, "namespaces": names} if names else shown
    return {**policy, "entries": entries}


def _put(document: Document, keys: list[str], value: Any) -> None:  # noqa: ANN401 - JSON
    for key in keys[:-1]:
        document = document.setdefault(key, {})
    document[keys[-1]] = value
