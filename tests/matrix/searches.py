"""The cells of search: what is found and counted, as if every thing had been cut down to what its reader sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

from tests.matrix.cell import Cell
from tests.matrix.codes import Path
from tests.matrix.model import NOTHING, UNAUTHENTICATED, Expected, Oracle, at
from tests.matrix.world import Document

Matches = Callable[[Document], bool]


def _has(path: Path, value: Any = NOTHING) -> Matches:  # noqa: ANN401 - JSON
    """Whether there is something at the path; with a value, just that. ``*`` is any feature."""

    def matches(document: Document) -> bool:
        features = list(document.get("features", {})) if "*" in path else [""]
        found = [at(document, tuple(feature if key == "*" else key for key in path)) for feature in features]
        return any(each is not NOTHING if value is NOTHING else each == value for each in found)

    return matches


def _not(matches: Matches) -> Matches:
    return lambda document: not matches(document)


COLOR, PIN = ("attributes", "color"), ("attributes", "secret", "pin")
FILTERS: Final[dict[str, Matches]] = {
    'eq(attributes/color,"blue")': _has(COLOR, "blue"),
    "eq(attributes/secret/pin,1234)": _has(PIN, 1234),
    "not(eq(attributes/secret/pin,1234))": _not(_has(PIN, 1234)),
    "exists(attributes/secret)": _has(("attributes", "secret")),
    "eq(features/*/properties/on,true)": _has(("features", "*", "properties", "on"), True),
    "exists(features/lamp/properties/secret/key)": _has(("features", "lamp", "properties", "secret", "key")),
    'eq(policyId,"farm.one:main")': _has(("policyId",), "farm.one:main"),
    "not(exists(definition))": _not(_has(("definition",))),
}


def found_by(oracle: Oracle) -> list[Document]:
    """What a search finds, in order of the ids; a thing of which nothing is seen is not found."""
    seen = [oracle.visible_thing(thing_id) for thing_id in sorted(oracle.world.things)]
    return [thing for thing in seen if thing is not None and set(thing) - {"thingId"} | _id(oracle, thing)]


def _id(oracle: Oracle, thing: Document) -> set[str]:
    """The thing's id, if a rule and not just the sight of anything else shows it."""
    may = oracle.may("thing", str(thing["thingId"]), "READ")
    return {"thingId"} if may is not None and may.allowed(("thingId",)) else set()


def _pages(oracle: Oracle, route: str, method: str) -> Iterator[Cell]:
    everything = found_by(oracle)
    yield _cell(oracle, route, method, {}, {"items": everything})
    spaced = [thing for thing in everything if str(thing["thingId"]).startswith("farm.one:")]
    yield _cell(oracle, route, method, {"namespaces": "farm.one"}, {"items": spaced})
    for text, matches in FILTERS.items():
        found = [thing for thing in everything if matches(thing)]
        yield _cell(oracle, route, method, {"filter": text}, {"items": found})
    ids = [{"thingId": thing["thingId"]} for thing in everything]
    yield _cell(oracle, route, method, {"fields": "thingId"}, {"items": ids})
    yield _cell(oracle, route, method, {"fields": "thingId", "option": "sort(-thingId)"}, {"items": ids[::-1]})
    told = [each for each in everything if _has(PIN)(each)][::-1]
    rest = [each for each in everything if not _has(PIN)(each)][::-1]
    for sign, order in (("+", rest + told), ("-", told + rest)):
        option = f"sort({sign}attributes/secret/pin,-thingId)"
        yield _cell(oracle, route, method, {"option": option}, {"items": order})


def _counts(oracle: Oracle, route: str, method: str) -> Iterator[Cell]:
    everything = found_by(oracle)
    yield _cell(oracle, route, method, {}, len(everything))
    for text, matches in FILTERS.items():
        yield _cell(oracle, route, method, {"filter": text}, sum(map(matches, everything)))


def _aggregates(oracle: Oracle, route: str, method: str) -> Iterator[Cell]:
    """Groups of things by what is seen of them; what is not seen is in nobody's sum."""
    everything = found_by(oracle)
    for path in (COLOR, ("definition",), ("features", "lamp", "properties", "secret", "key")):
        groups: dict[object, list[Document]] = {}
        for thing in everything:
            value = at(thing, path)
            groups.setdefault(None if value is NOTHING else value, []).append(thing)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0] is not None))
        name = "/".join(path)
        items = [{"group": {name: value}, "values": _computed(things)} for value, things in ordered]
        yield _cell(oracle, route, method, {"group": name, "select": SELECT}, {"items": items, "complete": True})
    body = {"items": [{"group": {}, "values": _computed(everything)}], "complete": True}
    yield _cell(oracle, route, method, {"select": SELECT}, body)
    for text, matches in FILTERS.items():
        counted = [{"group": {}, "values": {"count": sum(map(matches, everything))}}]
        yield _cell(oracle, route, method, {"filter": text}, {"items": counted, "complete": True})


SELECT: Final = "count,sum(attributes/secret/pin),avg(attributes/secret/pin),max(attributes/secret/pin)"


def _computed(things: list[Document]) -> Document:
    pins = [pin for thing in things if (pin := at(thing, PIN)) is not NOTHING]
    sums = (sum(pins), sum(pins) / len(pins), max(pins)) if pins else (None, None, None)
    return dict(zip(SELECT.split(","), (len(things), *sums), strict=True))


def _cell(oracle: Oracle, route: str, method: str, parameters: dict[str, str], value: Any) -> Cell:  # noqa: ANN401 - JSON
    expected = Expected(200, value=value) if oracle.role.subjects else UNAUTHENTICATED
    if isinstance(value, dict) and "complete" not in value:
        parameters = {"option": "size(200)", **parameters}
        parameters["option"] += "" if "size" in parameters["option"] else ",size(200)"
    text = urlencode(parameters, quote_via=quote)
    if method == "GET":
        return Cell(route=route, method=method, url=f"{route}?{text}", expected=expected)
    return Cell(route=route, method=method, url=route, form=text, expected=expected)


def _search_index(oracle: Oracle, route: str, method: str) -> Iterator[Cell]:
    """What can be searched is for whoever runs the service to say; what is said here is so already."""
    del oracle
    url, body = route.replace("{}", "farm.one"), {"fields": "all"} if method == "PUT" else NOTHING
    common: dict[str, Any] = {"route": route, "method": method, "url": url, "body": body}
    yield Cell(**common, expected=UNAUTHENTICATED)
    told = {"namespace": "farm.one", "fields": "all", "state": "complete"}
    yield Cell(**common, expected=Expected(200, value=told), operator=True)


SEARCHES: Final[dict[str, Callable[[Oracle, str, str], Iterator[Cell]]]] = {
    "/api/2/search/things": _pages,
    "/api/2/search/things/count": _counts,
    "/api/2/search/things/aggregate": _aggregates,
    "/api/2/namespaces/{}/search-index": _search_index,
}
"""By row of the routing table."""
