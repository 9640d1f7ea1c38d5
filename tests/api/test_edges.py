"""What is wrong with a request before it is about a thing: routes, versions, headers, sizes, and broken HTTP."""

from __future__ import annotations

import asyncio
import re

import pytest

from services.commanding.commanding import Commanding
from services.http.exchange import Bounds
from tests.api.conftest import ADA, DEVOPS, Client, serving
from tests.api.gated import GatedStore
from tests.waiting import DEADLINE

PUMP = "/api/2/things/farm.one:pump"
BASIC = f"Authorization: {ADA['Authorization']}\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/api",
        "/api/",
        "/api/2",
        "/api/2/",
        "/api/x/things",
        "/api/2/policies/a:b/nope",
        "/api/2/search/things",
        f"{PUMP}/nope",
        f"{PUMP}/features/f/nope",
        f"{PUMP}/definition/x",
        "/health/x",
        "//",
        "/api//2/things",
    ],
)
async def test_an_unknown_route_is_404_in_plain_text(client: Client, path: str) -> None:
    reply = await client("GET", path)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert reply.headers["correlation-id"]


@pytest.mark.parametrize("path", ["/api/1/things", "/api/3", "/api/22/things/a:b", "/ws/1"])
async def test_another_version_is_404_by_its_code_whoever_asks(client: Client, path: str) -> None:
    reply = await client("GET", path, auth={})
    assert (reply.status, reply.error) == (404, "api.version.notsupported")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS", "LINK"])
@pytest.mark.parametrize("path", [PUMP, "/api/2/things", "/api/2/whoami", "/api/2/nope", f"{PUMP}/attributes/a"])
async def test_nobody_gets_anything_from_the_api(client: Client, method: str, path: str) -> None:
    reply = await client(method, path, {}, auth={})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Basic ")
    if method != "HEAD":
        assert reply.error == "gateway:authentication.failed"


@pytest.mark.parametrize("prefix", ["/%61pi/2", "/api/%32", "/ap%69/2"])
@pytest.mark.parametrize("path", ["/whoami", "/things", "/things?ids=ns:t", "/things/ns:t"])
async def test_an_escaped_prefix_leads_to_the_same_door(client: Client, prefix: str, path: str) -> None:
    assert (await client("PUT", "/api/2/things/ns:t", {})).status == 201
    refused = await client("GET", prefix + path, auth={})
    assert (refused.status, refused.headers["WWW-Authenticate"].partition(",")[0]) == (401, 'Basic realm="twinlog"')
    reply = await client("GET", prefix + path)
    assert (reply.status, reply.json) == (200, (await client("GET", "/api/2" + path)).json)


async def test_whoami_lists_the_subjects(client: Client) -> None:
    reply = await client("GET", "/api/2/whoami")
    assert reply.json == {"defaultSubject": "nginx:ada", "subjects": ["nginx:ada"]}
    header = {"x-ditto-pre-authenticated": "nginx:bob, device:7"}
    reply = await client("GET", "/api/2/whoami", headers=header, auth={})
    assert reply.json == {"defaultSubject": "nginx:bob", "subjects": ["nginx:bob", "device:7"]}


async def test_the_correlation_id_comes_back_and_is_made_up_if_there_is_none(client: Client) -> None:
    path = "/api/2/whoami"
    assert (await client("GET", path, headers={"correlation-id": "a"})).headers["correlation-id"] == "a"
    both = {"x-correlation-id": "b", "correlation-id": "a"}
    assert (await client("GET", path, headers=both)).headers["correlation-id"] == "b"
    assert (await client("GET", f"{path}?correlation-id=c")).headers["correlation-id"] == "c"
    assert re.fullmatch("[0-9a-f-]{36}", (await client("GET", path)).headers["correlation-id"])
    failed = await client("GET", f"{PUMP}?correlation-id=d")
    assert (failed.status, failed.headers["correlation-id"]) == (404, "d")
    assert (await client("GET", "/nope?correlation-id=e")).headers["correlation-id"] == "e"


@pytest.mark.parametrize("given", ["%0d%0aX-Evil:1", "%00", "x" * 2000, "%7F"])
async def test_a_correlation_id_that_is_no_header_text_is_400(client: Client, given: str) -> None:
    reply = await client("GET", f"/api/2/whoami?correlation-id={given}")
    assert (reply.status, reply.error) == (400, "header.invalid")
    assert "X-Evil" not in reply.headers


@pytest.mark.parametrize("target", ["/%", "/api/2/things/%zz", "/api/2/things/%C3", "/health?a=%", "/\udcff"])
async def test_a_malformed_uri_is_400(client: Client, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\n{BASIC}Connection: close\r\n\r\n"
    assert status_of(await client.raw(request.encode("utf-8", "surrogateescape"))) == 400


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 17_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(70)) + b"\r\n", 431),
    ],
)
async def test_broken_http_is_refused_by_its_status_in_plain_text(
    client: Client, request_bytes: bytes, status: int
) -> None:
    answer = await client.raw(request_bytes)
    assert status_of(answer) == status
    assert b"text/plain" in answer
    assert b"correlation-id: " in answer
    assert b"aiohttp" not in answer
    assert b"Traceback" not in answer


async def test_a_broken_chunk_is_400(client: Client) -> None:
    head = (
        f"PUT {PUMP} HTTP/1.1\r\nHost: x\r\n{BASIC}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert status_of(await client.raw(head.encode() + b"zz\r\nabc\r\n0\r\n\r\n")) == 400


async def test_a_header_given_twice_is_400(client: Client) -> None:
    for header in ("If-Match: *\r\nIf-Match: *", "timeout: 1\r\nTimeout: 1", BASIC * 2 + "X: 1"):
        request = f"GET {PUMP} HTTP/1.1\r\nHost: x\r\n{BASIC}{header}\r\nConnection: close\r\n\r\n"
        answer = await client.raw(request.encode())
        assert status_of(answer) == 400, header


async def test_too_large_headers_together_are_431(client: Client) -> None:
    reply = await client("GET", PUMP, headers={"If-Match": ",".join(['"x"'] * 1_500)})
    assert (reply.status, reply.error) == (431, "headers.too.large")


async def test_a_body_beyond_the_bound_is_413_told_or_not(commands: Commanding) -> None:
    async with serving(commands, bounds=Bounds(body_bytes=1_000)) as client:
        assert (await client("PUT", PUMP, {"attributes": {"a": "x" * 2_000}})).status == 413
        head = f"PUT {PUMP} HTTP/1.1\r\nHost: x\r\n{BASIC}Content-Type: application/json\r\n"
        chunked = head + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        body = b"".join(b"64\r\n" + b" " * 100 + b"\r\n" for _ in range(20)) + b"0\r\n\r\n"
        assert status_of(await client.raw(chunked.encode() + body)) == 413


async def test_a_thing_beyond_its_bound_is_413_by_its_code(client: Client) -> None:
    reply = await client("PUT", PUMP, {"attributes": {"a": "x" * 103_000}})
    assert (reply.status, reply.error) == (413, "things:thing.toolarge")


async def test_a_compressed_body_is_415(client: Client) -> None:
    reply = await client("PUT", PUMP, {}, {"Content-Encoding": "gzip"})
    assert reply.status == 415


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    try:
        head = f"PUT {PUMP} HTTP/1.1\r\nHost: x\r\n{BASIC}Content-Type: application/json\r\n"
        writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode())
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert status_of(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE)) == 201
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_location_uses_the_host_that_the_client_used(client: Client) -> None:
    reply = await client("PUT", PUMP, {}, {"Host": "twins.example:8443"})
    assert reply.headers["Location"] == f"http://twins.example:8443{PUMP}"


async def test_a_location_can_be_made_without_a_host(client: Client) -> None:
    head = f"PUT {PUMP} HTTP/1.0\r\n{BASIC}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    answer = await client.raw(head.encode())
    assert status_of(answer) == 201
    assert f"Location: http://127.0.0.1{PUMP}\r\n".encode() in answer


async def test_the_whole_uri_may_be_the_target(client: Client) -> None:
    request = f"GET http://x/api/2/whoami HTTP/1.1\r\nHost: x\r\n{BASIC}Connection: close\r\n\r\n"
    assert status_of(await client.raw(request.encode())) == 200


async def test_an_unexpected_fault_is_500_with_an_id_and_nothing_else(commands: Commanding) -> None:
    async def broken() -> str | None:
        raise RuntimeError("password hunter2")

    async with serving(commands, checks={"database": broken}) as client:
        reply = await client("GET", "/ready")
    assert (reply.status, reply.error) == (500, "gateway:internalerror")
    assert b"hunter2" not in reply.body
    assert reply.headers["correlation-id"]


async def test_operators_routes(client: Client) -> None:
    for path in ("/", "/health", "/ready"):
        assert (await client("GET", path, auth={})).status == 200
    assert (await client("GET", "/health", auth={})).json == {"status": "UP"}
    for path in ("/status", "/metrics"):
        for auth in ({}, ADA):
            refused = await client("GET", path, auth=auth)
            assert refused.status == 401
            assert "DITTO-DEVOPS" in refused.headers["WWW-Authenticate"]
        assert (await client("GET", path, auth=DEVOPS)).status == 200
    assert (await client("GET", "/api/2/whoami", auth=DEVOPS)).status == 401
    assert (await client("GET", "/status", auth=DEVOPS)).json["version"] == "1.2.3"


async def test_metrics_may_be_open(commands: Commanding) -> None:
    async with serving(commands, open_metrics=True) as client:
        reply = await client("GET", "/metrics", auth={})
        assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (200, "text/plain")


async def test_ready_names_the_part_that_is_not(commands: Commanding) -> None:
    async def fine() -> str | None:
        return None

    async def lost() -> str | None:
        return "no connection"

    async with serving(commands, checks={"broker": fine, "database": lost}) as client:
        reply = await client("GET", "/ready", auth={})
    assert reply.status == 503
    assert reply.json == {
        "status": "DOWN",
        "parts": {"database": {"status": "DOWN", "reason": "no connection"}},
    }


async def test_stopping_answers_what_is_in_flight_and_takes_nothing_more(
    store: GatedStore, commands: Commanding
) -> None:
    store.gate.clear()
    serving_context = serving(commands)
    client = await serving_context.__aenter__()
    in_flight = asyncio.create_task(client("PUT", PUMP, {}))
    await asyncio.wait_for(store.entered.wait(), DEADLINE)
    client.app.edge.stopping.set()
    acknowledged = asyncio.create_task(client("GET", "/ready"))
    assert (await acknowledged).status == 503
    store.gate.set()
    assert (await in_flight).status == 201
    await serving_context.__aexit__(None, None, None)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", client.port)


async def test_an_awaited_acknowledgement_does_not_hold_up_the_stop(store: GatedStore, client: Client) -> None:
    waiting = asyncio.create_task(client("PUT", f"{PUMP}?requested-acks=twin-persisted,my:ack", {}))
    await asyncio.wait_for(store.appended.wait(), DEADLINE)
    client.app.edge.stopping.set()
    async with asyncio.timeout(30):
        assert (await waiting).status == 424


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/2/whoami", ("Authorization: Basic YWRhOmxvdmVsYWNl", "Authorization: Basic eDp5")),
        ("/api/2/whoami", ("x-ditto-pre-authenticated: nginx:a", "x-ditto-pre-authenticated: nginx:b")),
        ("/api/2/things/a:b", ("x-ditto-pre-authenticated: nginx:a", "x-ditto-pre-authenticated: nginx:b")),
        ("/status", (f"Authorization: {DEVOPS['Authorization']}", "Authorization: Basic eDp5")),
    ],
)
async def test_nobody_is_two_callers_at_once(client: Client, path: str, headers: tuple[str, ...]) -> None:
    head = "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers))
    reply = await client.raw(f"{head}\r\n\r\n".encode())
    assert status_of(reply) == 400
    assert b"gateway:duplicate.header.field" in reply


async def test_whoami_reads_its_headers_as_other_queries_do(client: Client) -> None:
    for query, code in (
        ("timeout=soon", "timeout.invalid"),
        ("timeout=0", "header.invalid"),
        ("response-required=false", "command.headers.invalid"),
    ):
        reply = await client("GET", f"/api/2/whoami?{query}")
        assert (reply.status, reply.error) == (400, code)


@pytest.mark.parametrize("subject", ["nobody", ":x", "x:", "a:" + "x" * 255])
async def test_a_proxy_that_names_what_is_no_subject_lets_nobody_in(client: Client, subject: str) -> None:
    reply = await client("PUT", "/api/2/things/a:b", {}, {"x-ditto-pre-authenticated": f"a:b,{subject}"}, auth={})
    assert (reply.status, reply.error) == (401, "gateway:authentication.failed")
    assert "issuer:subject" in reply.json["description"]
