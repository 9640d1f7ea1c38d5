"""A policy as enforcement needs it: imports brought in, references filled in, every rule with where it stands.

| part                 | effect                                                                                  |
|----------------------|-----------------------------------------------------------------------------------------|
| ``imports``          | entries of other policies, as ``imported-<policyId>-<label>``                           |
| ``transitiveImports``| imports of the imported policy that are resolved there first, ten levels deep at most   |
| ``references``       | an entry takes in the subjects, resources and namespaces of others, one level deep      |
| ``allowedAdditions`` | what an entry may hold of its own beside what it refers to; the rest is left out        |
| root policies        | implicit entries that an operator adds to every policy, as ``nsimported-<policyId>-…``  |

A policy that is missing brings nothing in. Source: Ditto documentation, page *basic-policy* (imports, references).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from protocol.enforcement.enforcer import Enforcer
from protocol.enforcement.rules import ResolvedEntry, Rule
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.pointers import Pointer, parse, parse_policy_path, text

Policies: TypeAlias = "Mapping[PolicyId, JsonObject | None]"
"""Documents by id; ``None`` for a policy that does not exist."""

MAX_DEPTH = 10
ADDITIONS = ("subjects", "resources", "namespaces")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An entry while it is being resolved; ``origin`` is the policy and label that its rules are explained by."""

    label: str
    subjects: JsonObject
    rules: tuple[Rule, ...]
    namespaces: tuple[str, ...]
    importable: str
    additions: frozenset[str]
    references: tuple[JsonObject, ...]


def resolve_policy(
    document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()
) -> tuple[ResolvedEntry, ...]:
    """Every entry that counts for this policy. ``policies`` holds what ``policies_imported`` named."""
    return tuple(
        ResolvedEntry(
            label=entry.label, subjects=frozenset(entry.subjects), rules=entry.rules, namespaces=entry.namespaces
        )
        for entry in _counting(document, policies, roots)
    )


def _counting(document: JsonObject, policies: Policies, roots: Iterable[PolicyId]) -> list[_Entry]:
    entries = list(_resolved(document, policies, depth=0, seen=frozenset()))
    own_id = _id(document)
    for root in roots:
        other = policies.get(root)
        if other is not None and root != own_id:
            entries.extend(
                _taken(other, f"nsimported-{root}-", frozenset(), policies, depth=1, seen=frozenset({own_id}))
            )
    return entries


def _shown(entry: _Entry) -> JsonObject:
    """The entry as JSON; rules about the same resource are united."""
    resources: dict[str, JsonValue] = {}
    for rule in entry.rules:
        key = f"{rule.resource_type}:{text(rule.path)}"
        known = _object(resources.get(key))
        resources[key] = {
            "grant": _united(known.get("grant"), rule.grant),
            "revoke": _united(known.get("revoke"), rule.revoke),
        }
    shown: JsonObject = {"subjects": entry.subjects, "resources": resources, "importable": entry.importable}
    if entry.namespaces:
        shown["namespaces"] = list(entry.namespaces)
    return shown


def _united(known: JsonValue, permissions: frozenset[str]) -> JsonValue:
    return [*sorted(permissions.union(_strings(known)))]


def compiled(document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()) -> Enforcer:
    """The policy ready to be asked who may do what."""
    return Enforcer(resolve_policy(document, policies, roots=roots))


def resolved_view(document: JsonObject, policies: Policies, *, roots: Iterable[PolicyId] = ()) -> JsonObject:
    """The policy as it counts, everything that it imports and refers to written out (``policy-view: resolved``)."""
    entries = _counting(document, policies, roots)
    return {**document, "entries": {entry.label: _shown(entry) for entry in entries}}


def policies_imported(document: JsonObject, policies: Policies) -> frozenset[PolicyId]:
    """The policies that resolving needs and ``policies`` does not hold yet; ask again until this is empty."""
    return frozenset(policy_id for policy_id in _reachable(document, policies) if policy_id not in policies)


def _reachable(document: JsonObject, policies: Policies) -> Iterator[PolicyId]:
    """The policies that this one imports, and those that they are to resolve first."""
    waiting = [(policy_id, setting, 0) for policy_id, setting in _imports(document).items()]
    seen: set[tuple[PolicyId, frozenset[PolicyId]]] = set()
    while waiting:
        policy_id, setting, depth = waiting.pop()
        transitive = _transitive(setting)
        if (policy_id, transitive) in seen:
            continue
        seen.add((policy_id, transitive))
        yield policy_id
        other = policies.get(policy_id)
        if other is not None and depth < MAX_DEPTH:
            waiting.extend((key, value, depth + 1) for key, value in _imports(other).items() if key in transitive)


def _resolved(
    document: JsonObject,
    policies: Policies,
    *,
    depth: int,
    seen: frozenset[PolicyId],
    only: frozenset[PolicyId] | None = None,
) -> Iterator[_Entry]:
    """The document's own entries with references filled in, then those it imports."""
    own_id = _id(document)
    imports = _imports(document)
    own = {label: _entry(own_id, label, value) for label, value in _entries(document).items()}
    for entry in own.values():
        yield _filled(entry, own, imports, policies)
    if depth >= MAX_DEPTH:
        return
    for policy_id, setting in imports.items():
        other = policies.get(policy_id)
        if other is None or policy_id in seen or policy_id == own_id or (only is not None and policy_id not in only):
            continue
        yield from _taken(
            other,
            f"imported-{policy_id}-",
            frozenset(_strings(setting.get("entries"))),
            policies,
            depth=depth + 1,
            seen=seen | {own_id},
            transitive=_transitive(setting),
        )


def _taken(
    other: JsonObject,
    prefix: str,
    listed: frozenset[str],
    policies: Policies,
    *,
    depth: int,
    seen: frozenset[PolicyId],
    transitive: frozenset[PolicyId] = frozenset(),
) -> Iterator[_Entry]:
    """The entries of another policy that an import takes, under their new labels."""
    for entry in _resolved(other, policies, depth=depth, seen=seen, only=transitive):
        if _importable(entry, listed):
            yield replace(entry, label=prefix + entry.label, references=())


def _filled(
    entry: _Entry, own: Mapping[str, _Entry], imports: Mapping[PolicyId, JsonObject], policies: Policies
) -> _Entry:
    """The entry with the content of those it refers to; what they do not allow to be added is left out."""
    templates = [found for reference in entry.references if (found := _referred(reference, own, imports, policies))]
    if not templates:
        return entry
    allowed = frozenset.intersection(*(template.additions for template in templates))
    subjects: JsonObject = {}
    for source in (*templates, *([entry] if "subjects" in allowed else [])):
        subjects = {**source.subjects, **subjects}
    namespaces = [name for template in templates for name in template.namespaces]
    if "namespaces" in allowed:
        namespaces.extend(entry.namespaces)
    rules = tuple(rule for template in templates for rule in template.rules)
    return replace(
        entry,
        subjects=subjects,
        rules=rules + (entry.rules if "resources" in allowed else ()),
        namespaces=tuple(dict.fromkeys(namespaces)),
        references=(),
    )


def _referred(
    reference: JsonObject, own: Mapping[str, _Entry], imports: Mapping[PolicyId, JsonObject], policies: Policies
) -> _Entry | None:
    label, imported = str(reference.get("entry")), reference.get("import")
    if imported is None:
        found = own.get(label)
        return None if found is None or found.importable == "never" else found
    policy_id = PolicyId(str(imported))
    other = policies.get(policy_id)
    if other is None or policy_id not in imports or label not in _entries(other):
        return None
    found = _entry(policy_id, label, _entries(other)[label])
    return found if _importable(found, frozenset(_strings(imports[policy_id].get("entries")))) else None


def _importable(entry: _Entry, listed: frozenset[str]) -> bool:
    return entry.importable == "implicit" or (entry.importable == "explicit" and entry.label in listed)


def _entry(policy_id: PolicyId, label: str, value: JsonObject) -> _Entry:
    additions = value.get("allowedAdditions")
    return _Entry(
        label=label,
        subjects=_object(value.get("subjects")),
        rules=tuple(
            _rule(policy_id, label, key, _object(perms)) for key, perms in _object(value.get("resources")).items()
        ),
        namespaces=tuple(_strings(value.get("namespaces"))),
        importable=str(value.get("importable", "implicit")),
        additions=frozenset(ADDITIONS if additions is None else _strings(additions)),
        references=tuple(_object(item) for item in _list(value.get("references"))),
    )


def _rule(policy_id: PolicyId, label: str, key: str, perms: JsonObject) -> Rule:
    resource_type, _, path = key.partition(":")
    return Rule(
        policy_id=policy_id,
        label=label,
        resource_type=resource_type,
        path=_path(resource_type, path),
        grant=_permissions(tuple(_strings(perms.get("grant")))),
        revoke=_permissions(tuple(_strings(perms.get("revoke")))),
    )


@lru_cache(maxsize=4_096)
def _path(resource_type: str, path: str) -> Pointer:
    """The keys of a resource's path; in policies the keys of subjects and resources may hold slashes."""
    return parse_policy_path(path) if resource_type == "policy" else parse(path)


@lru_cache(maxsize=256)
def _permissions(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)


def _id(document: JsonObject) -> PolicyId:
    return PolicyId(str(document.get("policyId", ":")))


def _entries(document: JsonObject) -> dict[str, JsonObject]:
    return {label: _object(value) for label, value in _object(document.get("entries")).items()}


def _imports(document: JsonObject) -> dict[PolicyId, JsonObject]:
    return {PolicyId(key): _object(value) for key, value in _object(document.get("imports")).items()}


def _transitive(setting: JsonObject) -> frozenset[PolicyId]:
    return frozenset(map(PolicyId, _strings(setting.get("transitiveImports"))))


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _strings(value: JsonValue) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]
