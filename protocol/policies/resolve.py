"""Resolution of policies for enforcement: imports and references replaced by what they bring in.

| part                 | effect                                                                                  |
|----------------------|-----------------------------------------------------------------------------------------|
| ``imports``          | entries of other policies, as ``imported-<policyId>-<label>``                           |
| ``transitiveImports``| imports of the imported policy that are resolved there first, ten levels deep at most   |
| ``references``       | an entry takes in the subjects, resources and namespaces of others: of its own policy   |
|                      | as they are written, of an imported one as they are resolved there                      |
| ``allowedAdditions`` | what an entry may hold of its own beside what it refers to; the rest is left out        |
| root policies        | implicit entries that an operator adds to every policy, as ``nsimported-<policyId>-…``  |

A policy that is missing brings nothing in. Source: Ditto documentation, page *basic-policy* (imports, references).

Ditto bounds how deep imports go, but not how many paths lead through policies that import each other. Here the whole
resolution is bounded: ``MAX_IMPORTS_FOLLOWED`` imports (one that is reached on two paths counts twice),
``MAX_IMPORTED_ENTRIES`` entries of other policies, and ``MAX_REFERENCED_PARTS`` rules and subjects that come by
references. A change that goes beyond a bound is refused. If the imported policies grow later, the importing policy
stands alone: its own entries keep their rules about ``policy:``, so that an owner can mend it, and grant nothing else.
To leave out only some of the imports could leave out the ones that revoke.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from protocol.enforcement.enforcer import Enforcer
from protocol.enforcement.rules import Origin, ResolvedEntry
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue, as_object, as_strings
from protocol.policies.entries import (
    Entry,
    entries_of,
    id_of,
    imports_of,
    read_entries,
    transitive_of,
)

Policies: TypeAlias = "Mapping[PolicyId, JsonObject | None]"
"""Documents by id; ``None`` for a policy that does not exist."""

Readable: TypeAlias = Callable[[Origin], bool]
"""Whether an entry of another policy may be shown."""

MAX_DEPTH = 10
MAX_IMPORTS_FOLLOWED = 100
MAX_IMPORTED_ENTRIES = 2_000
MAX_REFERENCED_PARTS = 20_000
MAX_SOURCES = 20
"""Policies, the nearest first, of which it is asked what the caller may read there."""


def resolve_policy(
    document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()
) -> tuple[ResolvedEntry, ...]:
    """The effective entries of a policy; ``policies`` must hold what ``policies_imported`` names."""
    return tuple(
        ResolvedEntry(
            label=entry.label,
            origin=entry.origin,
            subjects=frozenset(entry.subjects),
            rules=entry.rules,
            namespaces=entry.namespaces,
        )
        for entry in _effective_entries(document, policies, roots)
    )


def _any_entry(origin: Origin) -> bool:
    del origin
    return True


Imported: TypeAlias = "Mapping[tuple[PolicyId, str], Entry]"
"""Imported entries by the policy that they come from and their label there."""


class _LimitsExceeded(Exception):
    """The policy imports or refers to more than one of the bounds allows."""


@dataclass(slots=True)
class _Resolution:
    """One resolution: the known policies, their entries as far as they were read, and what is left of each bound."""

    policies: Policies
    readable: Readable = _any_entry
    imports_left: int = MAX_IMPORTS_FOLLOWED
    entries_left: int = MAX_IMPORTED_ENTRIES
    references_left: int = MAX_REFERENCED_PARTS
    own: dict[PolicyId, dict[str, Entry]] = field(default_factory=dict)

    def count_import(self) -> None:
        self.imports_left -= 1
        self._check()

    def count_entry(self) -> None:
        self.entries_left -= 1
        self._check()

    def count_reference(self, entry: Entry) -> None:
        self.references_left -= 1 + len(entry.rules) + len(entry.subjects)
        self._check()

    def _check(self) -> None:
        if min(self.imports_left, self.entries_left, self.references_left) < 0:
            raise _LimitsExceeded

    def entries(self, document: JsonObject) -> dict[str, Entry]:
        """The policy's own entries, read once however many imports lead to it."""
        policy_id = id_of(document)
        if policy_id not in self.own:
            self.own[policy_id] = read_entries(document)
        return self.own[policy_id]


def exceeds_import_limits(document: JsonObject, policies: Policies) -> bool:
    """Whether the policy goes beyond a bound of its imports or references, as far as ``policies`` knows these."""
    if not document.get("imports") and not any(value.get("references") for value in entries_of(document).values()):
        return False
    try:
        _all_entries(document, policies)
    except _LimitsExceeded:
        return True
    return False


def _effective_entries(
    document: JsonObject, policies: Policies, roots: Iterable[PolicyId], readable: Readable = _any_entry
) -> list[Entry]:
    try:
        entries = _all_entries(document, policies, readable)
    except _LimitsExceeded:
        entries = [_policy_rules_only(entry) for entry in read_entries(document).values()]
    own_id = id_of(document)
    for root in roots:
        other = policies.get(root)
        if other is not None and root != own_id:
            implicit = (entry for entry in _implicit_entries(other) if readable(entry.origin))
            entries.extend(replace(entry, label=f"nsimported-{root}-{entry.label}") for entry in implicit)
    return entries


def _all_entries(document: JsonObject, policies: Policies, readable: Readable = _any_entry) -> list[Entry]:
    """The policy's own entries and all that it imports; raises ``_LimitsExceeded``."""
    if len(list(_reachable(document, policies))) > MAX_IMPORTS_FOLLOWED:
        raise _LimitsExceeded
    return list(_resolved_entries(document, _Resolution(policies, readable), depth=0, seen=frozenset()))


def _implicit_entries(other: JsonObject) -> list[Entry]:
    """The implicit entries of a root policy with their local references resolved; none if these go beyond a bound.

    What the root policy imports does not count.
    """
    resolution, own = _Resolution({}), read_entries(other)
    try:
        entries = [_with_references(entry, resolution, own, {}) for entry in own.values()]
    except _LimitsExceeded:
        return []
    return [replace(entry, references=()) for entry in entries if entry.importable == "implicit"]


def _policy_rules_only(entry: Entry) -> Entry:
    """The entry with its rules about ``policy:`` alone, references unresolved."""
    return replace(entry, rules=tuple(rule for rule in entry.rules if rule.resource_type == "policy"), references=())


def _entry_json(entry: Entry) -> JsonObject:
    """The entry as JSON; the rules about one resource are merged."""
    resources: dict[str, JsonValue] = {}
    for rule in entry.rules:
        key = rule.resource
        known = as_object(resources.get(key))
        resources[key] = {
            "grant": _union(known.get("grant"), rule.grant),
            "revoke": _union(known.get("revoke"), rule.revoke),
        }
    shown: JsonObject = {"subjects": entry.subjects, "resources": resources, "importable": entry.importable}
    if entry.namespaces:
        shown["namespaces"] = list(entry.namespaces)
    return shown


def _union(known: JsonValue, permissions: frozenset[str]) -> JsonValue:
    return [*sorted(permissions.union(as_strings(known)))]


def compile_policy(document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()) -> Enforcer:
    """The enforcer of a policy; ``policies`` must hold what ``policies_imported`` names."""
    return Enforcer(resolve_policy(document, policies, roots=roots))


def resolved_view(
    document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = (), readable: Readable = _any_entry
) -> JsonObject:
    """The policy with its effective entries (header ``policy-view: resolved``).

    Imported entries that are not ``readable`` are left out. What an entry has by a reference is shown as its own.
    """
    entries = _effective_entries(document, policies, roots, readable)
    return {**document, "entries": {entry.label: _entry_json(entry) for entry in entries}}


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
    """The policies that this one imports, directly or through ``transitiveImports``; stops beyond the bound.

    The search goes breadth first, so that every policy is found on its shortest path, within the allowed depth.
    """
    waiting = deque((policy_id, setting, 1) for policy_id, setting in imports_of(document).items())
    seen: set[tuple[PolicyId, frozenset[PolicyId]]] = set()
    while waiting and len(seen) <= MAX_IMPORTS_FOLLOWED:
        policy_id, setting, depth = waiting.popleft()
        transitive = transitive_of(setting)
        if (policy_id, transitive) in seen:
            continue
        seen.add((policy_id, transitive))
        yield policy_id
        other = policies.get(policy_id)
        if other is not None and depth < MAX_DEPTH:
            waiting.extend((key, value, depth + 1) for key, value in imports_of(other).items() if key in transitive)


def _resolved_entries(
    document: JsonObject,
    resolution: _Resolution,
    *,
    depth: int,
    seen: frozenset[PolicyId],
    only: frozenset[PolicyId] | None = None,
) -> Iterator[Entry]:
    """The own entries with references resolved, then the imported ones; raises ``_LimitsExceeded``."""
    own = resolution.entries(document)
    brought = list(_imported_entries(document, resolution, depth=depth, seen=seen, only=only))
    imported = {(policy_id, entry.label): entry for policy_id, entry in brought}
    for entry in own.values():
        yield _with_references(entry, resolution, own, imported)
    for policy_id, entry in brought:
        if depth or resolution.readable(entry.origin):
            yield replace(entry, label=f"imported-{policy_id}-{entry.label}", references=())


def _imported_entries(
    document: JsonObject,
    resolution: _Resolution,
    *,
    depth: int,
    seen: frozenset[PolicyId],
    only: frozenset[PolicyId] | None,
) -> Iterator[tuple[PolicyId, Entry]]:
    """The imported entries with the policy that each comes from, where its references are resolved already."""
    own_id = id_of(document)
    for policy_id, setting in imports_of(document).items() if depth < MAX_DEPTH else ():
        if policy_id in seen or policy_id == own_id or (only is not None and policy_id not in only):
            continue
        resolution.count_import()
        other = resolution.policies.get(policy_id)
        if other is None:
            continue
        listed = frozenset(as_strings(setting.get("entries")))
        for entry in _resolved_entries(
            other, resolution, depth=depth + 1, seen=seen | {own_id}, only=transitive_of(setting)
        ):
            resolution.count_entry()
            if _importable(entry, listed):
                yield policy_id, entry


def _with_references(entry: Entry, resolution: _Resolution, own: Mapping[str, Entry], imported: Imported) -> Entry:
    """The entry with the content of its references; own parts that these do not allow as additions are left out.

    Referenced entries of the same policy are taken as they are written, imported ones as they were resolved.
    """
    templates: list[Entry] = []
    for reference in entry.references:
        found = _referenced(reference, own, imported)
        if found is not None:
            resolution.count_reference(found)
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


def _referenced(reference: JsonObject, own: Mapping[str, Entry], imported: Imported) -> Entry | None:
    label, source = str(reference.get("entry")), reference.get("import")
    if source is not None:
        return imported.get((PolicyId(str(source)), label))
    found = own.get(label)
    return None if found is None or found.importable == "never" else found


def _importable(entry: Entry, listed: frozenset[str]) -> bool:
    return entry.importable == "implicit" or (entry.importable == "explicit" and entry.label in listed)
