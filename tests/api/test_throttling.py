from __future__ import annotations

from services.commanding.commanding import Commanding
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


async def test_an_address_that_asks_too_often_is_429_before_its_password_is_looked_at(commands: Commanding) -> None:
    async with serving(commands, throttles=Throttles(address=once())) as client:
        assert (await client("GET", "/api/2/whoami", auth={"Authorization": "Basic x"})).status == 401
        assert (await client("GET", "/api/2/whoami", auth=ADA)).status == 429
        assert (await client("GET", "/status", auth=DEVOPS)).status == 429
        for path in ("/health", "/ready", "/"):
            assert (await client("GET", path, auth={})).status == 200
