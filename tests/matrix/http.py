"""The cells of HTTP: every row of the routing table with every method, at representative places, for one role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from services.http.routes import Route
from tests.matrix.asking import ask_of, new_policy, touched, variants
from tests.matrix.cell import Cell
from tests.matrix.lists import LISTS
from tests.matrix.model import NOTHING, UNAUTHENTICATED, Ask, Expected, Oracle
from tests.matrix.places import labels_of, places, written
from tests.matrix.roles import EVERYWHERE
from tests.matrix.world import BASE

METHODS: Final = ("GET", "PUT", "PATCH", "POST", "DELETE")
VERBS: Final = {"GET": "retrieve", "PUT": "modify", "PATCH": "merge", "DELETE": "delete", "POST": "execute"}
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"


def cells(routes: tuple[Route, ...], oracle: Oracle) -> Iterator[Cell]:
    """All cells of a role. A row that nothing here knows is a ``KeyError``: it needs cells."""
    for route in routes:
        for method in METHODS:
            if method not in route.methods and oracle.role.name in EVERYWHERE:
                yield _wrong_method(route, method, oracle)
            elif method in route.methods:
                yield from _cells_of(route, method, oracle)


def _cells_of(route: Route, method: str, oracle: Oracle) -> Iterator[Cell]:
    for collection, kind, of in (("things", "thing", oracle.role.things), ("policies", "policy", oracle.role.policies)):
        head = f"/api/2/{collection}/{{}}"
        if route.path == head or route.path.startswith(head + "/"):
            for entity_id in of:
                yield from _of_entity(route, method, oracle, kind, entity_id)
            return
    yield from LISTS[route.path, method](oracle)


def _of_entity(route: Route, method: str, oracle: Oracle, kind: str, entity_id: str) -> Iterator[Cell]:
    tail = "/".join(route.path.split("/")[5:])
    pattern = tail.replace("{*}", "**" if kind == "thing" else "*").replace("{}", "*")
    document = oracle.document(kind, entity_id)
    for path in places(pattern, labels_of(document, pattern) if kind == "policy" else ()):
        value = written(kind, document, path) if method in {"PUT", "PATCH"} else NOTHING
        if kind == "policy" and not path and method == "PUT" and document is None:
            for subject in (*oracle.role.subjects[:1], "s:somebody"):
                yield asked(
                    route, method, oracle, ask_of(kind, entity_id, VERBS[method], path, new_policy(entity_id, subject))
                )
            continue
        yield asked(route, method, oracle, ask_of(kind, entity_id, VERBS[method], path, value))
    for ask in variants(kind, entity_id, VERBS[method], pattern):
        yield asked(route, method, oracle, ask)


def asked(route: Route, method: str, oracle: Oracle, ask: Ask) -> Cell:
    url = f"/api/2/{'things' if ask.kind == 'thing' else 'policies'}/{ask.entity_id}"
    url += "".join("/" + quote(key, safe=":/") for key in ask.path)
    headers: dict[str, str] = {}
    if ask.at_first:
        headers["at-historical-revision"] = "1"
    if ask.condition is not None:
        headers["condition"] = ask.condition
    if ask.fields:
        url += "?fields=" + ",".join(ask.fields)
    if ask.resolved:
        url += "?policy-view=resolved"
    body = ask.value
    if method == "PATCH":
        headers["Content-Type"] = JSON_PATCH if ask.json_patch else MERGE
    if ask.json_patch:
        key, value = next(iter(ask.value.items()))
        inner = next(iter(value.items())) if isinstance(value, dict) else None
        pointer = f"/{key}" if inner is None else f"/{key}/{inner[0]}"
        body = [{"op": "replace", "path": pointer, "value": value if inner is None else inner[1]}]
    return Cell(
        route=route.path,
        method=method,
        url=url,
        body=body,
        headers=headers,
        expected=oracle.answer(ask),
        touched=touched(ask),
    )


def _wrong_method(route: Route, method: str, oracle: Oracle) -> Cell:
    guarded = route.path.startswith("/api/2/") and not oracle.role.subjects
    url = route.path.replace("{*}", "x").replace("policies/{}", "policies/farm.one:main")
    url = url.replace("things/{}", "things/farm.one:pump").replace("imports/{}", f"imports/{BASE}").replace("{}", "x")
    return Cell(
        route=route.path,
        method=method,
        url=url,
        expected=UNAUTHENTICATED if guarded else Expected(405),
        body={} if method != "GET" else NOTHING,
    )
