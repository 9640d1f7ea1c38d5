"""The permission tree: what the pooled rules of one caller say about every path of one resource type.

The deepest rule decides, a revoke beats a grant of the same depth. Three questions are asked of it:

``unrestricted``  writes, conditions, whole events: allowed here, and nothing revoked anywhere below
``partial``       reads: allowed here or somewhere below; the answer is then filtered by ``visible``
``allowed``       messages: allowed here, whatever is said below

Source: documentation page *basic-policy*, and the reference implementation where it is more exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.enforcement.rules import Rule
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import Pointer


@dataclass(slots=True)
class _Node:
    """What is said at one path, and below it. ``says`` is ``None`` where nothing is said."""

    says: bool | None = None
    children: dict[str, _Node] = field(default_factory=dict)
    grants_below: bool = False
    revokes_below: bool = False


class PermissionTree:
    """The rules of one caller about one resource type and one permission. Built once, asked often, never changed."""

    __slots__ = ("_root", "everything", "nothing")

    def __init__(self, rules: Iterable[Rule], permission: str) -> None:
        self._root = _Node()
        for rule in rules:
            if permission in rule.revoke:
                self._plant(rule.path, granted=False)
            elif permission in rule.grant:
                self._plant(rule.path, granted=True)
        _summarise(self._root)
        self.everything = self._root.says is True and not self._root.revokes_below
        """Every path is granted: the usual case, which needs no walk."""
        self.nothing = self._root.says is not True and not self._root.grants_below
        """No path is granted."""

    def _plant(self, path: Pointer, *, granted: bool) -> None:
        node = self._root
        for key in path:
            node = node.children.setdefault(key, _Node())
        node.says = granted if node.says is None else node.says and granted

    def _nearest(self, path: Pointer) -> tuple[bool, _Node | None]:
        """The decision of the deepest rule at or above the path, and the node at the path if one is there."""
        node: _Node | None = self._root
        decided = self._root.says is True
        for key in path:
            node = node.children.get(key) if node is not None else None
            if node is None:
                break
            if node.says is not None:
                decided = node.says
        return decided, node

    def allowed(self, path: Pointer) -> bool:
        """Whether the deepest rule at or above the path grants."""
        return self._nearest(path)[0]

    def unrestricted(self, path: Pointer) -> bool:
        """Whether the path and everything below it is granted."""
        if self.everything:
            return True
        decided, node = self._nearest(path)
        return decided and not (node is not None and node.revokes_below)

    def unrestricted_throughout(self, above: Pointer, below: Pointer) -> bool:
        """Whether the path is unrestricted whichever key stands between the two, also one that no rule names."""
        node = self._nearest(above)[1]
        named = () if node is None else node.children
        return all(self.unrestricted((*above, key, *below)) for key in ("", *named))

    def partial(self, path: Pointer) -> bool:
        """Whether anything at or below the path is granted."""
        if self.everything:
            return True
        decided, node = self._nearest(path)
        return decided or (node is not None and node.grants_below)

    def granted_below(self, path: Pointer) -> list[str]:
        """The keys right below the path at or below which something is granted."""
        node = self._nearest(path)[1]
        children = {} if node is None else node.children
        return [key for key, child in children.items() if child.says is True or child.grants_below]

    def visible(self, path: Pointer, value: JsonValue) -> JsonValue | Missing:
        """The part of the value at the path that is granted, leaf by leaf; emptied objects go with their leaves.

        An array is one leaf: policies cannot name its elements, so rules below it revoke all of it. The value itself
        comes back when all of it is granted.
        """
        if self.everything:
            return value
        decided, node = self._nearest(path)
        return _visible(value, node, decided=decided)


def _summarise(node: _Node) -> None:
    for child in node.children.values():
        _summarise(child)
        node.grants_below |= child.grants_below or child.says is True
        node.revokes_below |= child.revokes_below or child.says is False


def _visible(value: JsonValue, node: _Node | None, *, decided: bool) -> JsonValue | Missing:
    if node is None or not (node.grants_below or node.revokes_below):
        return value if decided else MISSING
    if not isinstance(value, dict):
        return value if decided and not node.revokes_below else MISSING
    if not value:
        return value if decided else MISSING
    kept: dict[str, JsonValue] = {}
    for key, member in value.items():
        child = node.children.get(key)
        says = decided if child is None or child.says is None else child.says
        seen = _visible(member, child, decided=says)
        if seen is not MISSING:
            kept[key] = seen
    return kept or MISSING
