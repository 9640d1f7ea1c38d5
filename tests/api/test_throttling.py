from __future__ import annotations

from ipaddress import ip_network

from services.commanding.commanding import Commanding
from services.http.proxies import TrustedProxies
from services.http.throttle import Throttle, Throttles
from tests.api.conftest import ADA, DEVOPS, serving

BOB = {"x-ditto-pre-authenticated": "nginx:bob"}


def once() -> Throttle:
    return Throttle(0.01, time=lambda: 0.0)


async def test_a_subject_that_asks_too_often_is_429_and_told_when_to_come_back(commands: Commanding) -> None:
    async with serving(commands, throttles=Throttles(subject=once())) as client:
        assert (await client("GET", "/api/2/whoami")).status == 200
        refused = await client("GET", "/api/2/whoami")
        assert (refused.status, refused.error) == (429, "too.many.requests")
        assert refused.headers["Retry-After"] == "100"
        assert (await client("GET", "/api/2/whoami", auth=BOB)).status == 200


def asked_for(*hops: str) -> dict[str, str]:
    return {"X-Forwarded-For": ", ".join(hops)}


async def test_clients_behind_a_trusted_proxy_are_counted_one_by_one(commands: Commanding) -> None:
    proxies = TrustedProxies((ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16")))
    async with serving(commands, throttles=Throttles(address=once()), proxies=proxies) as client:
        for client_address in ("192.0.2.1", "192.0.2.2"):
            assert (await client("GET", "/api/2/whoami", headers=asked_for(client_address))).status == 200
            assert (await client("GET", "/api/2/whoami", headers=asked_for(client_address))).status == 429
        forged = asked_for("192.0.2.99", "192.0.2.1", "10.1.0.7")
        assert (await client("GET", "/api/2/whoami", headers=forged)).status == 429
        assert (await client("GET", "/api/2/whoami")).status == 200
        assert (await client("GET", "/api/2/whoami")).status == 429


async def test_whom_nobody_trusts_cannot_say_who_he_is(commands: Commanding) -> None:
    async with serving(commands, throttles=Throttles(address=once())) as client:
        assert (await client("GET", "/api/2/whoami", headers=asked_for("192.0.2.1"))).status == 200
        assert (await client("GET", "/api/2/whoami", headers=asked_for("192.0.2.2"))).status == 429


async def test_an_address_that_asks_too_often_is_429_before_its_password_is_looked_at(commands: Commanding) -> None:
    async with serving(commands, throttles=Throttles(address=once())) as client:
        assert (await client("GET", "/api/2/whoami", auth={"Authorization": "Basic x"})).status == 401
        assert (await client("GET", "/api/2/whoami", auth=ADA)).status == 429
        assert (await client("GET", "/status", auth=DEVOPS)).status == 429
        for path in ("/health", "/ready", "/"):
            assert (await client("GET", path, auth={})).status == 200
