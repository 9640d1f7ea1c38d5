"""Permissions worked out slowly from the text of the rules: flat lists of statements, no tree, no shared code.

A statement is (subject, resource type, path, permission, granted). Imports, references and namespaces are expanded here
a second time, from documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from protocol.json import JsonValue

Document = dict[str, Any]
ADDITIONS = {"subjects", "resources", "namespaces"}
Path = tuple[str, ...]


class Statement(NamedTuple):
    subject: str
    kind: str
    path: Path
    permission: str
    granted: bool


def statements(policy: Document, others: dict[str, Document], namespace: str | None) -> list[Statement]:
    """What the policy says about things of the namespace; without one, about itself."""
    found: list[Statement] = []
    for entry in expanded(policy, others):
        names = entry.get("namespaces") or []
        if namespace is not None and names and not any(_in(name, namespace) for name in names):
            continue
        for subject in entry.get("subjects", {}):
            for key, rights in entry.get("resources", []):
                kind, _, path = key.partition(":")
                keys = keys_of(kind, path)
                for effect in ("grant", "revoke"):
                    found.extend(
                        Statement(subject, kind, keys, permission, effect == "grant") for permission in rights[effect]
                    )
    return found


def keys_of(kind: str, path: str) -> Path:
    """The keys of a path; in a policy a subject id and the key of a resource are one each, whatever they hold."""
    pieces = path.split("/", 4)
    if kind == "policy" and len(pieces) == 5 and pieces[1] == "entries" and pieces[3] in {"subjects", "resources"}:
        return tuple(pieces[1:])
    return tuple(part for part in path.split("/") if part)


def expanded(policy: Document, others: dict[str, Document]) -> Iterator[Document]:
    """Own entries with their references, then imported ones; resources become lists, since keys may repeat."""
    yield from (entry for _, entry in _resolved(policy, others, seen=(), whitelist=None))


def _resolved(
    policy: Document, others: dict[str, Document], *, seen: tuple[str, ...], whitelist: list[str] | None
) -> list[tuple[str, Document]]:
    """Entries by label as they count in a policy that may import, of its own imports, only those in the list."""
    above = (*seen, policy["policyId"])
    imported: list[tuple[str, str, Document]] = []
    for name, setting in policy.get("imports", {}).items():
        if name not in others or name in above or (whitelist is not None and name not in whitelist):
            continue
        further = setting.get("transitiveImports", [])
        for label, entry in _resolved(others[name], others, seen=above, whitelist=further):
            if _taken(label, entry, setting):
                imported.append((name, label, entry))
    own = [(label, _with_references(entry, policy, imported)) for label, entry in policy["entries"].items()]
    return own + [(f"imported-{name}-{label}", entry) for name, label, entry in imported]


def _with_references(entry: Document, policy: Document, imported: list[tuple[str, str, Document]]) -> Document:
    templates = [_listed(each) for each in _templates(entry, policy, imported)]
    own = ADDITIONS.intersection(*(template["allowedAdditions"] for template in templates))
    entry = _listed(entry)
    subjects: dict[str, Any] = {}
    for part in [*templates, *([entry] if "subjects" in own else [])]:
        subjects |= part["subjects"]
    parts = {
        kind: [item for part in [*templates, *([entry] if kind in own else [])] for item in part[kind]]
        for kind in ("resources", "namespaces")
    }
    return {**entry, **parts, "subjects": subjects, "allowedAdditions": own & entry["allowedAdditions"]}


def _listed(entry: Document) -> Document:
    """The entry, written down or resolved, with its resources as a list and every part there."""
    resources = entry["resources"]
    return {
        "subjects": entry["subjects"],
        "resources": [*resources.items()] if isinstance(resources, dict) else resources,
        "namespaces": entry.get("namespaces", []),
        "allowedAdditions": set(entry.get("allowedAdditions", ADDITIONS)),
        "importable": entry.get("importable", "implicit"),
    }


def _templates(entry: Document, policy: Document, imported: list[tuple[str, str, Document]]) -> Iterator[Document]:
    for reference in entry.get("references", []):
        label, home = reference["entry"], reference.get("import")
        if home is not None:
            yield from (each for name, known, each in imported if (name, known) == (home, label))
            continue
        template = policy["entries"].get(label)
        if template is not None and template.get("importable") != "never":
            yield template


def _taken(label: str, entry: Document, setting: Document) -> bool:
    importable = entry.get("importable", "implicit")
    return importable == "implicit" or (importable == "explicit" and label in setting.get("entries", []))


def _in(name: str, namespace: str) -> bool:
    return namespace.startswith(name[:-1]) if name.endswith(".*") else namespace == name


class Slow:
    """The answers for one caller, resource type and permission."""

    def __init__(self, found: list[Statement], subjects: set[str], kind: str, permission: str) -> None:
        mine = [s for s in found if s.subject in subjects and s.kind == kind and s.permission == permission]
        self.grants = [s.path for s in mine if s.granted]
        self.revokes = [s.path for s in mine if not s.granted]

    def allowed(self, path: Path) -> bool:
        return self._deepest(self.grants, path, below=False) > self._deepest(self.revokes, path, below=False, none=-1)

    def unrestricted(self, path: Path) -> bool:
        granted = self._deepest(self.grants, path, below=False)
        return granted > self._deepest(self.revokes, path, below=True, none=-1)

    def partial(self, path: Path) -> bool:
        # A grant below counts if it is one: a revoke at the very same place beats it.
        below = [p for p in self.grants if p[: len(path)] == path and p != path and p not in self.revokes]
        return self.allowed(path) or bool(below)

    def visible(self, path: Path, value: JsonValue) -> list[JsonValue]:
        leaves = [(keys, leaf) for keys, leaf in _leaves(path, value) if self._sees(keys, leaf)]
        if not leaves:
            return []
        if leaves[0][0] == path:
            return [leaves[0][1]]
        result: dict[str, Any] = {}
        for keys, leaf in leaves:
            place = result
            for key in keys[len(path) : -1]:
                place = place.setdefault(key, {})
            place[keys[-1]] = leaf
        return [result]

    def _sees(self, path: Path, leaf: JsonValue) -> bool:
        return self.allowed(path) if leaf == {} else self.unrestricted(path)

    @staticmethod
    def _deepest(paths: list[Path], path: Path, *, below: bool, none: int = -2) -> int:
        depths = [len(p) for p in paths if path[: len(p)] == p or (below and p[: len(path)] == path)]
        return max(depths, default=none)


def _leaves(path: Path, value: JsonValue) -> Iterator[tuple[Path, JsonValue]]:
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from _leaves((*path, key), member)
    else:
        yield path, value
