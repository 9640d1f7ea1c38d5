"""A few round trips through the whole house: HTTP, commanding, a real log, and the read model behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from eventstore.memory import InMemorySoleWriter
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from projections.runner import ProjectionRunner
from projections.twins import TwinsProjection, TwinsReader
from services.commanding.commanding import Commanding
from tests.api.conftest import Client, serving
from tests.waiting import DEADLINE

PUMP = "/api/2/things/farm.one:pump"


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[Client]:
    pool = await create_pool(database_url)
    async with PostgresEventStore(pool) as store:
        projector = asyncio.create_task(ProjectionRunner(pool, store, TwinsProjection).run())
        commanding = Commanding(
            store=store,
            twins=TwinsReader(pool),
            sole_writer=InMemorySoleWriter(),
            clock=lambda: datetime.now(UTC),
        )
        async with commanding, serving(commanding) as client:
            yield client
        projector.cancel()
        await asyncio.wait((projector,))
    await pool.close()


async def test_a_thing_lives_its_life(client: Client) -> None:
    created = await client("PUT", PUMP, {"attributes": {"n": 1}})
    assert (created.status, created.headers["ETag"]) == (201, '"rev:1"')
    changed = await client("PUT", f"{PUMP}/attributes/n", 2)
    assert (changed.status, changed.headers["entity-revision"]) == (204, "2")
    assert int(changed.headers["twinlog-position"]) > int(created.headers["twinlog-position"])
    assert (await client("PATCH", PUMP, {"attributes": {"m": None, "x": {"y": "\u0000"}}})).status == 204
    assert (await client("GET", PUMP)).json["attributes"] == {"n": 2, "x": {"y": "\u0000"}}
    assert (await client("GET", f"{PUMP}?at-historical-revision=1")).json["attributes"] == {"n": 1}
    assert (await client("DELETE", PUMP)).status == 204
    assert (await client("GET", PUMP)).status == 404


async def test_many_clients_at_once_leave_no_hole_in_the_revisions(client: Client) -> None:
    await client("PUT", PUMP, {})
    replies = await asyncio.gather(*(client("PUT", f"{PUMP}/attributes/a{n}", n) for n in range(40)))
    assert sorted(int(reply.headers["entity-revision"]) for reply in replies) == list(range(2, 42))
    assert (await client("GET", f"{PUMP}/attributes")).json == {f"a{n}": n for n in range(40)}


async def test_only_one_of_many_with_the_same_tag_wins(client: Client) -> None:
    tag = (await client("PUT", PUMP, {})).headers["ETag"]
    writes = (client("PUT", PUMP, {"attributes": {"n": n}}, {"If-Match": tag}) for n in range(10))
    statuses = [reply.status for reply in await asyncio.gather(*writes)]
    assert sorted(statuses) == [204] + [412] * 9


async def test_a_listing_shows_what_was_created(client: Client) -> None:
    for n in range(3):
        await client("PUT", f"/api/2/things/farm.one:{n}", {})
    async with asyncio.timeout(DEADLINE):
        while len((await client("GET", "/api/2/things?namespaces=farm.one")).json) < 3:
            pass  # every look is a round trip, which gives the projection its time
    page = await client("GET", "/api/2/things?namespaces=farm.one&option=size(2)&fields=thingId")
    assert page.json == [{"thingId": "farm.one:0"}, {"thingId": "farm.one:1"}]
    assert 'rel="next"' in page.headers["Link"]
