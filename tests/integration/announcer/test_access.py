"""The documentation's example over real servers: told of its end, one application extends its access, another does not.

Commands are taken by one service, announcing and removing is done by another on the same database, as in a deployment.
Time is theirs: so both are told an hour early, and the owner shortens the access of the one that does nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aio_pika.abc import AbstractQueue
from pydantic import SecretStr

from services.application import running
from services.settings import Settings
from tests.integration.amqp.harness import field, take
from tests.integration.announcer.stage import until
from tests.provider import ISSUER, claims, jwk, rsa_key, token

SOON, LATER = timedelta(seconds=3), timedelta(hours=1)
AT_ONCE, IN_TIME = "2h", "2s"
"""How long before its end an application is told: it ends in less than two hours anyway, or in time."""
POLICY, THING = "/api/2/policies/farm.one:p", "/api/2/things/farm.one:t"
IMPORTING, IMPORTED_THING = "/api/2/policies/farm.one:q", "/api/2/things/farm.one:u"
ALL = {"grant": ["READ", "WRITE"], "revoke": []}
READ = {"grant": ["READ"], "revoke": []}
OWNER = {"subjects": {"nginx:ada": {"type": "person"}}, "resources": {"thing:/": ALL, "policy:/": ALL}}


@dataclass
class Callers:
    """Requests over HTTP as the owner (``ada``), a reader (``bob``), or whoever a token names."""

    session: aiohttp.ClientSession
    url: str

    async def __call__(self, who: str, method: str, path: str, value: object = None) -> tuple[int, Any]:
        async with self.session.request(method, self.url + path, headers=login(who), json=value) as reply:
            return reply.status, orjson.loads(await reply.read() or b"null")

    async def status(self, who: str, method: str, path: str, value: object = None) -> int:
        return (await self(who, method, path, value))[0]


def login(who: str) -> dict[str, str]:
    if who in {"ada", "bob"}:
        return {"Authorization": aiohttp.encode_basic_auth(who, "secret")}
    now = int(time.time())
    return {"Authorization": f"Bearer {token(claims(sub=who, iat=now, exp=now + 600))}"}


def temporary(expiry: datetime, notice: str) -> dict[str, object]:
    announcement = {"beforeExpiry": notice, "randomizationInterval": "0s"}
    return {"type": "application", "expiry": printed(expiry), "announcement": announcement}


def in_(span: timedelta) -> datetime:
    """The end of a second, as subjects expire here."""
    return (datetime.now(UTC) + span).replace(microsecond=0)


def printed(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def house(database_url: str, amqp_url: str, home: Path) -> AsyncIterator[tuple[Callers, AbstractQueue]]:
    keys = home / "keys.json"
    keys.parent.mkdir(parents=True, exist_ok=True)
    keys.write_text(json.dumps({"keys": [jwk("one", rsa_key())]}))

    def settings(name: str) -> Settings:
        return Settings(
            home=home / name,
            database_url=SecretStr(database_url),
            amqp_url=SecretStr(amqp_url),
            http_port=0,
            basic_users={"ada": SecretStr("secret"), "bob": SecretStr("secret")},
            openid_issuers={"farm": {"issuer": ISSUER, "jwks_file": str(keys), "audience": "twinlog"}},  # type: ignore[dict-item]  # read as from the environment
            policy_expiry_granularity=timedelta(seconds=1),
            policy_announcement_granularity=timedelta(seconds=1),
        )

    async with AsyncExitStack() as stack:
        edge = await stack.enter_async_context(running(settings("edge"), frozenset({"http", "amqp"})))
        roles = frozenset({"projector", "announcer", "publisher"})
        await stack.enter_async_context(running(settings("back"), roles))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        world = await stack.enter_async_context(field(amqp_url))
        exchange = await world.channel.declare_exchange(world.topology.announcements, "topic", durable=True)
        queue = await world.channel.declare_queue("heard", durable=True)
        await queue.bind(exchange, "policies.farm.one.*.subjectDeletion.*")
        assert edge.http_url is not None
        yield Callers(session, edge.http_url), queue


async def prepare(call: Callers, expiry: datetime) -> None:
    """A policy with two applications whose time is limited, a thing of it, and a thing of a policy that imports it."""
    one = {
        "subjects": {"farm:app-1": temporary(expiry, AT_ONCE)},
        "resources": {"thing:/": READ, "policy:/entries/one/subjects/farm:app-1": ALL},
    }
    two = {"subjects": {"farm:app-2": temporary(expiry, AT_ONCE)}, "resources": {"thing:/": READ, "policy:/": READ}}
    reader = {"subjects": {"nginx:bob": {"type": "person"}}, "resources": {"thing:/": READ}}
    entries = {"owner": OWNER, "one": one, "two": two, "reader": reader}
    assert await call.status("ada", "PUT", POLICY, {"entries": entries}) == 201
    imports: dict[str, object] = {"farm.one:p": {}}
    assert await call.status("ada", "PUT", IMPORTING, {"entries": {"owner": OWNER}, "imports": imports}) == 201
    for thing, policy_id in ((THING, "farm.one:p"), (IMPORTED_THING, "farm.one:q")):
        assert await call.status("ada", "PUT", thing, {"policyId": policy_id, "attributes": {"a": 1}}) == 201


async def test_who_extends_in_time_keeps_access_and_who_does_not_gets_401(
    database_url: str, amqp_url: str, home: Path
) -> None:
    async with house(database_url, amqp_url, home) as (call, queue):
        expiry = in_(LATER)
        await prepare(call, expiry)
        for app in ("app-1", "app-2"):
            assert await call.status(app, "GET", THING) == 200
            assert await call.status(app, "GET", IMPORTED_THING) == 200
        told = [orjson.loads((await take(queue)).body)["value"] for _ in range(2)]
        assert sorted(value["subjectIds"] for value in told) == [["farm:app-1"], ["farm:app-2"]]
        assert {datetime.fromisoformat(value["deleteAt"]) for value in told} == {expiry}

        extended = temporary(expiry + LATER, IN_TIME)
        assert await call.status("app-1", "PUT", f"{POLICY}/entries/one/subjects/farm:app-1", extended) == 204
        end = in_(SOON)
        hurried = f"{POLICY}/entries/two/subjects/farm:app-2"
        assert await call.status("ada", "PUT", hurried, temporary(end, AT_ONCE)) == 204
        told_of = orjson.loads((await take(queue)).body)["value"]
        assert told_of == {"deleteAt": printed(end), "subjectIds": ["farm:app-2"]}
        await until(refused(call, "app-2"), "the access has ended")
        assert datetime.now(UTC) >= end

        await everything_is_401_for_the_one_that_expired(call)
        assert await call.status("app-1", "GET", THING) == 200
        for path in (THING, f"{THING}/attributes/a", POLICY):
            assert await call.status("stranger", "GET", path) == 404
        assert await call.status("stranger", "DELETE", THING) == 404
        assert await call.status("bob", "PUT", f"{THING}/attributes/a", 2) == 403

        assert await call.status("app-2", "GET", IMPORTED_THING) == 404
        back = {"type": "application"}
        assert await call.status("ada", "PUT", f"{POLICY}/entries/two/subjects/farm:app-2", back) == 201
        assert await call.status("app-2", "GET", THING) == 200


def refused(call: Callers, who: str) -> Callable[[], Any]:
    async def is_refused() -> bool:
        return await call.status(who, "GET", THING) != 200

    return is_refused


async def everything_is_401_for_the_one_that_expired(call: Callers) -> None:
    status, body = await call("app-2", "GET", THING)
    assert (status, body["error"]) == (401, "gateway:authentication.failed")
    for method, path, value in (
        ("GET", f"{THING}/attributes/a", None),
        ("PUT", f"{THING}/attributes/a", 2),
        ("DELETE", THING, None),
        ("GET", POLICY, None),
        ("PUT", f"{POLICY}/entries/two/subjects/farm:app-2", {"type": "application"}),
    ):
        assert await call.status("app-2", method, path, value) == 401, (method, path)
    assert await call.status("app-2", "GET", "/api/2/whoami") == 200
    assert await call("app-2", "GET", "/api/2/things?ids=farm.one:t") == (200, [])
