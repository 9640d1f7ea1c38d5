"""Whether a caller may see something of a thing, asked of its document rather than of its keys.

Where only some fields are indexed, what a caller may read may have no keys at all, and yet the thing is there for the
caller: in a list without a filter, in a count, under ``not``. So for callers who may not read everything, and only in
such namespaces, the paths that they may read are looked up in the document itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import cast, func
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.types import Text

from projections.search.comparing import Condition, some
from projections.search.readers import Readers, Sight
from projections.search.tables import things
from protocol.json import dump
from protocol.pointers import Pointer

_ESCAPED_NUL: Final = "\\u0000"
_ESCAPED_OTHER: Final = "\\ufffd"
"""``jsonb`` refuses U+0000. Only the presence of members is asked for, and what rules name has no such character."""


def shown_paths(readers: Readers) -> Mapping[Sight, Sequence[str]]:
    """JSON paths (SQL/JSON) that find something in a thing of which the caller may see something, by where that holds.

    They are strict, which leads through no array: an array is one leaf to a policy.
    """
    grouped: dict[Sight, list[str]] = defaultdict(list)
    for sight, path in _shown(readers, ()):
        if sight:
            grouped[sight].append(f"strict ${path}")
    return grouped


def in_document(paths: Iterable[str]) -> Condition:
    """Whether one of the JSON paths finds something in the thing's document."""
    document = cast(func.replace(cast(things.c.state, Text), _ESCAPED_NUL, _ESCAPED_OTHER), JSONB)
    return some(*(document.path_exists(cast(path, JSONPATH)).is_(True) for path in paths))


def _shown(readers: Readers, path: Pointer) -> Iterator[tuple[Sight, str]]:
    """What may be seen at and below a path: the same parts that ``Readers`` cuts into areas of keys."""
    sight, whole, members = readers.said(path)
    here = "".join(f".{_quoted(key)}" for key in path)
    if not members:
        yield sight, here
        return
    if path:
        yield whole, here
        yield sight, f'{here} ? (@.type() == "object" && !exists(@.keyvalue()))'
        others = " && ".join(f"@.key != {_quoted(key)}" for key in members)
        yield sight, f"{here}.keyvalue() ? ({others})"
    for key in members:
        yield from _shown(readers, (*path, key))


def _quoted(key: str) -> str:
    return dump(key).decode()
