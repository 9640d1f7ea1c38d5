"""The entries of a policy as they are written, read into values that enforcement can work with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from protocol.enforcement.rules import Origin, Rule
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, as_list, as_object, as_strings
from protocol.pointers import Pointer, parse, parse_policy_path

ADDITIONS: Final = ("subjects", "resources", "namespaces")
"""What ``allowedAdditions`` may name: the parts that an entry may have beside those that it refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry while it is being resolved, by the label that it has got so far; ``origin`` is where it is written."""

    label: str
    origin: Origin
    subjects: JsonObject
    rules: tuple[Rule, ...]
    namespaces: tuple[str, ...]
    importable: str
    additions: frozenset[str]
    references: tuple[JsonObject, ...]


def read_entries(document: JsonObject) -> dict[str, Entry]:
    """Every entry of a policy by its label, nothing brought in."""
    policy_id = id_of(document)
    return {label: read_entry(policy_id, label, value) for label, value in entries_of(document).items()}


def read_entry(policy_id: PolicyId, label: str, value: JsonObject) -> Entry:
    """One entry as it is written."""
    additions = value.get("allowedAdditions")
    return Entry(
        label=label,
        origin=(policy_id, label),
        subjects=as_object(value.get("subjects")),
        rules=tuple(
            _rule(policy_id, label, key, as_object(perms)) for key, perms in as_object(value.get("resources")).items()
        ),
        namespaces=tuple(as_strings(value.get("namespaces"))),
        importable=str(value.get("importable", "implicit")),
        additions=frozenset(ADDITIONS if additions is None else as_strings(additions)),
        references=tuple(as_object(item) for item in as_list(value.get("references"))),
    )


def _rule(policy_id: PolicyId, label: str, key: str, perms: JsonObject) -> Rule:
    resource_type, _, path = key.partition(":")
    return Rule(
        policy_id=policy_id,
        label=label,
        resource_type=resource_type,
        path=_path(resource_type, path),
        grant=_permissions(tuple(as_strings(perms.get("grant")))),
        revoke=_permissions(tuple(as_strings(perms.get("revoke")))),
    )


@lru_cache(maxsize=4_096)
def _path(resource_type: str, path: str) -> Pointer:
    """The keys of a resource's path; in policies the keys of subjects and resources may hold slashes."""
    return parse_policy_path(path) if resource_type == "policy" else parse(path)


@lru_cache(maxsize=256)
def _permissions(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)


def id_of(document: JsonObject) -> PolicyId:
    """The id that a document bears."""
    return PolicyId(str(document.get("policyId", ":")))


def entries_of(document: JsonObject) -> dict[str, JsonObject]:
    """The entries by label, as JSON."""
    return {label: as_object(value) for label, value in as_object(document.get("entries")).items()}


def subjects_of(document: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    """Label, subject id and value of every subject in every entry."""
    for label, entry in entries_of(document).items():
        for subject_id, subject in as_object(entry.get("subjects")).items():
            if isinstance(subject, dict):
                yield label, subject_id, subject


def imports_of(document: JsonObject) -> dict[PolicyId, JsonObject]:
    """The imports by policy, with their settings."""
    return {PolicyId(key): as_object(value) for key, value in as_object(document.get("imports")).items()}


def transitive_of(setting: JsonObject) -> frozenset[PolicyId]:
    """The further imports that an import asks to be resolved."""
    return frozenset(map(PolicyId, as_strings(setting.get("transitiveImports"))))
