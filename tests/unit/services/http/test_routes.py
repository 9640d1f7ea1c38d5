from __future__ import annotations

import pytest
from aiohttp.web import Response, StreamResponse

from protocol.errors import DittoError
from protocol.identifiers import ThingId
from services.http import things
from services.http.exchange import Exchange
from services.http.refusals import PlainRefusal
from services.http.routes import Place, Route, Router

ROUTER = Router(things.routes("org.acme"))


async def _action(exchange: Exchange, place: Place) -> StreamResponse:
    return Response()


@pytest.mark.parametrize(
    ("path", "row", "place"),
    [
        ("/api/2/things", "/api/2/things", Place()),
        ("/api/2/things/", "/api/2/things", Place()),
        ("/api/2/things/a:b", "/api/2/things/{}", Place(ThingId("a:b"))),
        ("/api/2/things/:b/", "/api/2/things/{}", Place(ThingId("org.acme:b"))),
        ("/api/2/things/a:b/attributes/", "/api/2/things/{}/attributes", Place(ThingId("a:b"), ("attributes",))),
        (
            "/api/2/things/a:b/attributes/c%2Fd/e%20f/",
            "/api/2/things/{}/attributes/{*}",
            Place(ThingId("a:b"), ("attributes", "c", "d", "e f")),
        ),
        (
            "/api/2/things/a:b/features/x+y/desiredProperties/~0",
            "/api/2/things/{}/features/{}/desiredProperties/{*}",
            Place(ThingId("a:b"), ("features", "x+y", "desiredProperties", "~")),
        ),
    ],
)
def test_a_path_leads_to_a_row_and_a_place(path: str, row: str, place: Place) -> None:
    route, found = ROUTER.find(path)
    assert (route.path, found) == (row, place)


@pytest.mark.parametrize("path", ["", "/", "/api/2/thing", "/api/2/things/a:b/x", "/api/2/things/a:b/policyId/"])
def test_no_row_is_404(path: str) -> None:
    with pytest.raises(PlainRefusal) as refused:
        ROUTER.find(path)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/2/things//", "things:id.invalid"),
        ("/api/2/things/a:b/attributes//", "json.pointer.invalid"),
        ("/api/2/things/a:b/features//", "json.key.invalid"),
        ("/api/2/things/a:b/features/%2F", "json.key.invalid"),
    ],
)
def test_a_malformed_place_is_refused_by_its_code(path: str, code: str) -> None:
    with pytest.raises(DittoError) as refused:
        ROUTER.find(path)
    assert refused.value.code == code


def test_the_allowed_methods_of_a_row_include_what_every_row_has() -> None:
    assert Route(path="/x", methods={"GET": _action, "PUT": _action}).allowed == "GET, HEAD, OPTIONS, PUT"
    assert Route(path="/x", methods={"POST": _action}).allowed == "OPTIONS, POST"
