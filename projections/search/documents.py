"""Whether a caller may see something of a thing, asked of its document rather than of its keys.

Where only some fields are indexed, what a caller may read may have no keys at all, and yet the thing is there for the
caller: in a list without a filter, in a count, under ``not``. So for callers who may not read everything, and only in
such namespaces, the paths that they may read are looked up in the document itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import ColumnElement, cast, false, func, or_
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.types import Text

from projections.search.tables import things
from protocol.enforcement.tree import PermissionTree
from protocol.json import dump
from protocol.pointers import Pointer

_ESCAPED_NUL: Final = "\\u0000"
_ESCAPED_OTHER: Final = "\\ufffd"
"""``jsonb`` refuses U+0000. Only the presence of members is asked for, and what rules name has no such character."""


def shown_paths(tree: PermissionTree, paths: Iterable[Pointer]) -> tuple[str, ...]:
    """JSON paths (SQL/JSON, strict) of which one finds something in a thing of which the caller may see something.

    An array is one leaf to a policy, and strict paths do not lead through arrays. ``paths`` are those of all rules.
    """
    said = frozenset(paths)
    return tuple(f"strict ${found}" for found in _shown(tree, said, ()))


def in_document(paths: Iterable[str]) -> ColumnElement[bool]:
    """Whether one of the JSON paths finds something in the thing's document."""
    document = cast(func.replace(cast(things.c.state, Text), _ESCAPED_NUL, _ESCAPED_OTHER), JSONB)
    return or_(false(), *(func.coalesce(document.path_exists(cast(path, JSONPATH)), false()) for path in paths))


def _shown(tree: PermissionTree, said: frozenset[Pointer], path: Pointer) -> Iterator[str]:
    """What the rules let the caller see at and below a path: the same parts that ``Readers`` cuts into areas."""
    here = "".join(f".{_quoted(key)}" for key in path)
    if path and tree.unrestricted(path):
        yield here
        return
    children = sorted({other[len(path)] for other in said if len(other) > len(path) and other[: len(path)] == path})
    if tree.allowed(path):
        others = " && ".join(f"@.key != {_quoted(key)}" for key in children)
        yield f"{here}.keyvalue() ? ({others})"
    for key in children:
        yield from _shown(tree, said, (*path, key))


def _quoted(key: str) -> str:
    return dump(key).decode()
