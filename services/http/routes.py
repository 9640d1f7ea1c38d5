"""The routing table: a resource is a row, and a walk over path segments finds it.

aiohttp's own router tries one regular expression after the other; here the rows become a tree once, a request walks it
segment by segment, and what was found is remembered by path, because devices write to the same few paths all day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from aiohttp.web import StreamResponse

from protocol.identifiers import EntityId
from protocol.pointers import Pointer
from services.http.exchange import Exchange
from services.http.refusals import unknown_route
from services.http.urls import percent_decode

REMEMBERED_PATHS: Final = 8_192


@dataclass(frozen=True, slots=True)
class Place:
    """What a path addresses: an entity, or none for a collection, and where in it."""

    entity_id: EntityId | None = None
    pointer: Pointer = ()


Action: TypeAlias = Callable[[Exchange, Place], Awaitable[StreamResponse]]
Captures: TypeAlias = tuple[str, ...]
Locate: TypeAlias = Callable[[Captures], Place]


def nowhere(captures: Captures) -> Place:
    """The place of a route that addresses no entity."""
    del captures
    return Place()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """A row: where, who may come, and what each method does.

    In ``path``, ``{}`` stands for one segment (percent-decoded) and ``{*}``, at the end, for everything that follows,
    one segment at least (not decoded). ``locate`` reads the place from what they caught. ``GET`` also serves ``HEAD``.
    """

    path: str
    methods: Mapping[str, Action]
    locate: Locate = nowhere
    access: Literal["api", "operator", "open"] = "api"
    trailing_slash: bool = True

    @property
    def allowed(self) -> str:
        """The value of ``Allow``."""
        names = set(self.methods) | {"OPTIONS"} | ({"HEAD"} if "GET" in self.methods else set())
        return ", ".join(sorted(names))


@dataclass(slots=True)
class _Node:
    named: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    rest: Route | None = None
    route: Route | None = None


class Router:
    """Finds the row of a path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _compile(routes)
        self.find = lru_cache(maxsize=REMEMBERED_PATHS)(self._find)

    def _find(self, path: str) -> tuple[Route, Place]:
        """Row and place of an encoded path; 404 if there is none, and what ``locate`` raises for a malformed place."""
        node, captures = self._root, []
        segments = path.split("/")[1:]
        for index, segment in enumerate(segments):
            if not segment and index == len(segments) - 1 and index and node.route and node.route.trailing_slash:
                break
            name = percent_decode(segment)
            if name in node.named:
                node = node.named[name]
            elif node.any is not None:
                captures.append(name)
                node = node.any
            elif node.rest is not None:
                captures.append("/".join(segments[index:]))
                return node.rest, node.rest.locate(tuple(captures))
            else:
                raise unknown_route()
        if node.route is None:
            raise unknown_route()
        return node.route, node.route.locate(tuple(captures))


def _compile(routes: Iterable[Route]) -> _Node:
    root = _Node()
    for route in routes:
        node = root
        for segment in route.path.split("/")[1:]:
            if segment == "{*}":
                node.rest = route
                break
            if segment == "{}":
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.named.setdefault(segment, _Node())
        else:
            node.route = route
    return root
