"""The ``option`` of a search: ``sort(+a,-b),size(n),cursor(c)`` or ``limit(offset,count)``.

Source: Ditto documentation, page *basic-search*.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from projections.search.paging import Order
from protocol.errors import DittoError, SearchOptionInvalid
from protocol.rql.names import read_property

SIZE_DEFAULT: Final = 25
SIZE_MAX: Final = 200
_OFFSET_DIGITS: Final = 9
_option: Final = re.compile(r"\s*(\w+)\(([^()]*)\)\s*(,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked for. ``sort`` is ``None`` where nothing was said; ``offset`` only with ``limit``."""

    sort: tuple[Order, ...] | None = None
    sort_text: str | None = None
    size: int | None = None
    cursor: str | None = None
    offset: int | None = None

    @property
    def page_size(self) -> int:
        """How many hits a page has at most."""
        return SIZE_DEFAULT if self.size is None else self.size


def read_options(text: str) -> Options:
    """The options that the text spells. Raises ``SearchOptionInvalid`` for bad ones and those that exclude others."""
    options = Options()
    seen: set[str] = set()
    place = 0
    while place < len(text):
        found = _option.match(text, place)
        if found is None or (found[3] == "," and found.end() == len(text)):
            raise SearchOptionInvalid(text[place:], "it is not written as name(value)")
        name, value = found[1], found[2]
        if name not in _READERS:
            raise SearchOptionInvalid(name, f"it is none of {', '.join(_READERS)}")
        if name in seen:
            raise SearchOptionInvalid(name, "it is given twice")
        seen.add(name)
        options = _READERS[name](options, value)
        place = found.end()
    if "limit" in seen and len(seen - {"sort"}) > 1:
        raise SearchOptionInvalid("limit", "it excludes size and cursor")
    return options


def _sort(options: Options, text: str) -> Options:
    return replace(options, sort=tuple(map(_order, text.split(","))), sort_text=text.replace(" ", "+"))


def _order(text: str) -> Order:
    # A plus that the client forgot to encode arrives as a blank.
    if text[:1] not in {"+", "-", " "}:
        raise SearchOptionInvalid(f"sort({text})", "every property needs + or - before it")

    def fault(expected: str, at: int | None) -> DittoError:
        del at
        return SearchOptionInvalid(f"sort({text})", f"expected was {expected}")

    found, end = read_property(text, 1, fault)
    if end != len(text):
        raise fault("a property", end)
    if found.any_feature or found.path in {("attributes",), ("features",), ("_metadata",)}:
        raise SearchOptionInvalid(f"sort({text})", "only by a single value can be sorted")
    return Order(found, descending=text[0] == "-")


def _size(options: Options, text: str) -> Options:
    return replace(options, size=_number(f"size({text})", text, least=1, most=SIZE_MAX))


def _cursor(options: Options, text: str) -> Options:
    return replace(options, cursor=text)


def _limit(options: Options, text: str) -> Options:
    offset, comma, count = text.partition(",")
    if not comma:
        raise SearchOptionInvalid(f"limit({text})", "it is written as limit(offset,count)")
    return replace(
        options,
        offset=_number(f"limit({text})", offset.strip(), least=0, most=10**_OFFSET_DIGITS),
        size=_number(f"limit({text})", count.strip(), least=1, most=SIZE_MAX),
    )


def _number(option: str, text: str, *, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _OFFSET_DIGITS and least <= int(text) <= most):
        raise SearchOptionInvalid(option, f"a whole number from {least} to {most} was expected")
    return int(text)


_READERS: Final[dict[str, Callable[[Options, str], Options]]] = {
    "sort": _sort,
    "size": _size,
    "cursor": _cursor,
    "limit": _limit,
}
