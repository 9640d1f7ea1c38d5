"""A policy ready to be asked: who may do what, for any subjects, answered from trees that are built once."""

from __future__ import annotations

from typing import Final

from protocol.enforcement.explain import Explanation, explain
from protocol.enforcement.rules import Permission, ResolvedEntry, ResourceType, rules_for
from protocol.enforcement.tree import PermissionTree
from protocol.identifiers import ThingId
from protocol.pointers import Pointer

MAX_TREES: Final = 4_096
"""Trees kept per policy; when so many different callers have asked, the next one starts anew."""

Subjects = tuple[str, ...]


class Enforcer:
    """One policy at one moment, everything it imports included. A change of any of them makes another enforcer.

    ``namespace`` is that of the thing in question, since entries may be limited to namespaces. It is ``None`` for
    questions about the policy itself: an entry's ``namespaces`` are about things, and must not lock its owners out.
    """

    __slots__ = ("_entries", "_limited", "_trees")

    def __init__(self, entries: tuple[ResolvedEntry, ...]) -> None:
        self._entries = entries
        self._limited = any(entry.namespaces for entry in entries)
        self._trees: dict[tuple[Subjects, str | None, str, str], PermissionTree] = {}

    def tree(
        self, subjects: Subjects, permission: Permission, resource_type: ResourceType, namespace: str | None = None
    ) -> PermissionTree:
        """What the pooled subjects may; the same tree for the same question."""
        key = (subjects, namespace, resource_type, permission)
        tree = self._trees.get(key)
        if tree is None:
            if len(self._trees) >= MAX_TREES:
                self._trees.clear()
            rules = rules_for(
                self._entries, subjects=frozenset(subjects), namespace=namespace, resource_type=resource_type
            )
            tree = self._trees[key] = PermissionTree(rules, permission)
        return tree

    def thing_tree(self, subjects: Subjects, permission: Permission, thing_id: ThingId) -> PermissionTree:
        """What the pooled subjects may do with a thing; its namespace is looked at only where it matters."""
        if self._limited:
            return self.tree(subjects, permission, "thing", thing_id.namespace)
        return self._trees.get((subjects, None, "thing", permission)) or self.tree(subjects, permission, "thing")

    def names(self, subjects: Subjects) -> bool:
        """Whether some entry is about one of the subjects, so that the policy's existence is no secret to them."""
        return any(not entry.subjects.isdisjoint(subjects) for entry in self._entries)

    def explain(
        self,
        subjects: Subjects,
        permission: Permission,
        resource_type: ResourceType,
        path: Pointer,
        namespace: str | None = None,
    ) -> Explanation:
        """Whether the permission is unrestricted at the path, with every rule that bears on it."""
        return explain(
            self._entries,
            subjects=subjects,
            namespace=namespace,
            resource_type=resource_type,
            permission=permission,
            path=path,
        )

    @property
    def entries(self) -> tuple[ResolvedEntry, ...]:
        """The entries that count, imports and references resolved."""
        return self._entries
