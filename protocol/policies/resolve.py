"""A policy as enforcement needs it: imports brought in, references filled in, every rule with where it stands.

| part                 | effect                                                                                  |
|----------------------|-----------------------------------------------------------------------------------------|
| ``imports``          | entries of other policies, as ``imported-<policyId>-<label>``                           |
| ``transitiveImports``| imports of the imported policy that are resolved there first, ten levels deep at most   |
| ``references``       | an entry takes in the subjects, resources and namespaces of others: of its own policy   |
|                      | as they are written, of an imported one as they are resolved there                      |
| ``allowedAdditions`` | what an entry may hold of its own beside what it refers to; the rest is left out        |
| root policies        | implicit entries that an operator adds to every policy, as ``nsimported-<policyId>-…``  |

A policy that is missing brings nothing in. Source: Ditto documentation, page *basic-policy* (imports, references).

Ditto bounds how deep imports go, but policies that import each other crosswise have ways without number. Here the whole
is bounded: ``MAX_FOLLOWED`` imports, counted on every way, ``MAX_TAKEN`` entries of others, and ``MAX_REFERRED`` rules
and subjects that come by references. A change that goes beyond is refused. If others grow later, the importing policy
counts only for itself: its own entries keep what they say about ``policy:``, so that an owner can mend it, and grant
nothing else. To leave out just some of what is imported could leave out what it revokes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from protocol.enforcement.enforcer import Enforcer
from protocol.enforcement.rules import Origin, ResolvedEntry
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.policies.entries import (
    Entry,
    as_object,
    entries_of,
    id_of,
    imports_of,
    read_entries,
    strings,
    transitive_of,
)

Policies: TypeAlias = "Mapping[PolicyId, JsonObject | None]"
"""Documents by id; ``None`` for a policy that does not exist."""

Readable: TypeAlias = Callable[[Origin], bool]
"""Whether an entry of another policy may be shown."""

MAX_DEPTH = 10
MAX_FOLLOWED = 100
MAX_TAKEN = 2_000
MAX_REFERRED = 20_000
MAX_SOURCES = 20
"""Policies, the nearest first, of which it is asked what the caller may read there."""


def resolve_policy(
    document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()
) -> tuple[ResolvedEntry, ...]:
    """Every entry that counts for this policy. ``policies`` holds what ``policies_imported`` named."""
    return tuple(
        ResolvedEntry(
            label=entry.label,
            origin=entry.origin,
            subjects=frozenset(entry.subjects),
            rules=entry.rules,
            namespaces=entry.namespaces,
        )
        for entry in _counting(document, policies, roots)
    )


def _everything(origin: Origin) -> bool:
    del origin
    return True


Imported: TypeAlias = "Mapping[tuple[PolicyId, str], Entry]"
"""What a policy imports, by the policy and the label there."""


class _TooMuch(Exception):
    """More is imported than is followed."""


@dataclass(slots=True)
class _Work:
    """One resolution: the policies at hand, what was read of them, and how much more may be brought in."""

    policies: Policies
    readable: Readable = _everything
    followed: int = MAX_FOLLOWED
    taken: int = MAX_TAKEN
    referred: int = MAX_REFERRED
    own: dict[PolicyId, dict[str, Entry]] = field(default_factory=dict)

    def follow(self) -> None:
        self.followed -= 1
        self._check()

    def take(self) -> None:
        self.taken -= 1
        self._check()

    def refer(self, entry: Entry) -> None:
        self.referred -= 1 + len(entry.rules) + len(entry.subjects)
        self._check()

    def _check(self) -> None:
        if min(self.followed, self.taken, self.referred) < 0:
            raise _TooMuch

    def entries(self, document: JsonObject) -> dict[str, Entry]:
        """The policy's own entries, read once however many ways lead to it."""
        policy_id = id_of(document)
        if policy_id not in self.own:
            self.own[policy_id] = read_entries(document)
        return self.own[policy_id]


def is_too_much(document: JsonObject, policies: Policies) -> bool:
    """Whether the policy brings in more than counts, as far as ``policies`` knows what it imports."""
    if not document.get("imports") and not any(value.get("references") for value in entries_of(document).values()):
        return False
    try:
        _imported(document, policies)
    except _TooMuch:
        return True
    return False


def _counting(
    document: JsonObject, policies: Policies, roots: Iterable[PolicyId], readable: Readable = _everything
) -> list[Entry]:
    try:
        entries = _imported(document, policies, readable)
    except _TooMuch:
        entries = [_of_itself(entry) for entry in read_entries(document).values()]
    own_id = id_of(document)
    for root in roots:
        other = policies.get(root)
        if other is not None and root != own_id:
            implicit = (entry for entry in _implicit(other) if readable(entry.origin))
            entries.extend(replace(entry, label=f"nsimported-{root}-{entry.label}") for entry in implicit)
    return entries


def _imported(document: JsonObject, policies: Policies, readable: Readable = _everything) -> list[Entry]:
    """The policy's own entries and all that it imports; raises ``_TooMuch``."""
    if len(list(_reachable(document, policies))) > MAX_FOLLOWED:
        raise _TooMuch
    return list(_resolved(document, _Work(policies, readable), depth=0, seen=frozenset()))


def _implicit(other: JsonObject) -> list[Entry]:
    """The implicit entries of a root policy, references to other entries of it filled in; none if these are too much.

    What the root policy imports does not count.
    """
    work, own = _Work({}), read_entries(other)
    try:
        entries = [_filled(entry, work, own, {}) for entry in own.values()]
    except _TooMuch:
        return []
    return [replace(entry, references=()) for entry in entries if entry.importable == "implicit"]


def _of_itself(entry: Entry) -> Entry:
    """What the entry says about the policy itself."""
    return replace(entry, rules=tuple(rule for rule in entry.rules if rule.resource_type == "policy"), references=())


def _shown(entry: Entry) -> JsonObject:
    """The entry as JSON; rules about the same resource are united."""
    resources: dict[str, JsonValue] = {}
    for rule in entry.rules:
        key = rule.resource
        known = as_object(resources.get(key))
        resources[key] = {
            "grant": _united(known.get("grant"), rule.grant),
            "revoke": _united(known.get("revoke"), rule.revoke),
        }
    shown: JsonObject = {"subjects": entry.subjects, "resources": resources, "importable": entry.importable}
    if entry.namespaces:
        shown["namespaces"] = list(entry.namespaces)
    return shown


def _united(known: JsonValue, permissions: frozenset[str]) -> JsonValue:
    return [*sorted(permissions.union(strings(known)))]


def compiled(document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()) -> Enforcer:
    """The policy ready to be asked who may do what."""
    return Enforcer(resolve_policy(document, policies, roots=roots))


def resolved_view(
    document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = (), readable: Readable = _everything
) -> JsonObject:
    """The policy as it counts, everything that it imports and refers to written out (``policy-view: resolved``).

    Entries of others that are not ``readable`` are left out. What an own entry has by a reference is its own.
    """
    entries = _counting(document, policies, roots, readable)
    return {**document, "entries": {entry.label: _shown(entry) for entry in entries}}


def policies_imported(document: JsonObject, policies: Policies) -> frozenset[PolicyId]:
    """The policies that resolving needs and ``policies`` does not hold yet; ask again until this is empty."""
    return frozenset(policy_id for policy_id in _reachable(document, policies) if policy_id not in policies)


def sources_of(document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()) -> tuple[PolicyId, ...]:
    """The policies whose entries count for this one, as far as it is asked who may read them there."""
    return tuple(dict.fromkeys((*roots, *_reachable(document, policies))))[:MAX_SOURCES]


def policies_named(document: JsonObject) -> frozenset[PolicyId]:
    """The policies that the imports of a policy name."""
    imports = imports_of(document)
    return frozenset(imports).union(*(transitive_of(setting) for setting in imports.values()))


def _reachable(document: JsonObject, policies: Policies) -> Iterator[PolicyId]:
    """The policies that this one imports, and those that they are to resolve first; no more than is worth knowing.

    The nearest come first, so that none is found only where the depth ends.
    """
    waiting = deque((policy_id, setting, 1) for policy_id, setting in imports_of(document).items())
    seen: set[tuple[PolicyId, frozenset[PolicyId]]] = set()
    while waiting and len(seen) <= MAX_FOLLOWED:
        policy_id, setting, depth = waiting.popleft()
        transitive = transitive_of(setting)
        if (policy_id, transitive) in seen:
            continue
        seen.add((policy_id, transitive))
        yield policy_id
        other = policies.get(policy_id)
        if other is not None and depth < MAX_DEPTH:
            waiting.extend((key, value, depth + 1) for key, value in imports_of(other).items() if key in transitive)


def _resolved(
    document: JsonObject,
    work: _Work,
    *,
    depth: int,
    seen: frozenset[PolicyId],
    only: frozenset[PolicyId] | None = None,
) -> Iterator[Entry]:
    """The document's own entries with references filled in, then those it imports; raises ``_TooMuch``."""
    own = work.entries(document)
    taken = list(_taken(document, work, depth=depth, seen=seen, only=only))
    imported = {(policy_id, entry.label): entry for policy_id, entry in taken}
    for entry in own.values():
        yield _filled(entry, work, own, imported)
    for policy_id, entry in taken:
        if depth or work.readable(entry.origin):
            yield replace(entry, label=f"imported-{policy_id}-{entry.label}", references=())


def _taken(
    document: JsonObject, work: _Work, *, depth: int, seen: frozenset[PolicyId], only: frozenset[PolicyId] | None
) -> Iterator[tuple[PolicyId, Entry]]:
    """What the document imports, resolved where it comes from: references there are filled in there."""
    own_id = id_of(document)
    for policy_id, setting in imports_of(document).items() if depth < MAX_DEPTH else ():
        if policy_id in seen or policy_id == own_id or (only is not None and policy_id not in only):
            continue
        work.follow()
        other = work.policies.get(policy_id)
        if other is None:
            continue
        listed = frozenset(strings(setting.get("entries")))
        for entry in _resolved(other, work, depth=depth + 1, seen=seen | {own_id}, only=transitive_of(setting)):
            work.take()
            if _importable(entry, listed):
                yield policy_id, entry


def _filled(entry: Entry, work: _Work, own: Mapping[str, Entry], imported: Imported) -> Entry:
    """The entry with the content of those it refers to; what they do not allow to be added is left out.

    Others of the same policy are taken as they are written, imported ones as they were resolved.
    """
    templates: list[Entry] = []
    for reference in entry.references:
        found = _referred(reference, own, imported)
        if found is not None:
            work.refer(found)
            templates.append(found)
    if not templates:
        return entry
    allowed = frozenset.intersection(*(template.additions for template in templates))
    subjects: JsonObject = {}
    for source in (*templates, *([entry] if "subjects" in allowed else [])):
        subjects.update((key, value) for key, value in source.subjects.items() if key not in subjects)
    namespaces = [name for template in templates for name in template.namespaces]
    if "namespaces" in allowed:
        namespaces.extend(entry.namespaces)
    rules = tuple(rule for template in templates for rule in template.rules)
    return replace(
        entry,
        subjects=subjects,
        rules=rules + (entry.rules if "resources" in allowed else ()),
        namespaces=tuple(dict.fromkeys(namespaces)),
        additions=entry.additions & allowed,
        references=(),
    )


def _referred(reference: JsonObject, own: Mapping[str, Entry], imported: Imported) -> Entry | None:
    label, source = str(reference.get("entry")), reference.get("import")
    if source is not None:
        return imported.get((PolicyId(str(source)), label))
    found = own.get(label)
    return None if found is None or found.importable == "never" else found


def _importable(entry: Entry, listed: frozenset[str]) -> bool:
    return entry.importable == "implicit" or (entry.importable == "explicit" and entry.label in listed)
