import getpass
import signal

import orjson
import pytest

from eventstore.events import Commit, NewEvent, StreamAppend, StreamName
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from projections.search.progress import index_progress
from tests.integration.cli.conftest import FIRST_DAY
from tests.integration.cli.program import SECONDS, Twinlog, end, said
from tests.integration.cli.test_serving import put
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)  # many processes, each of which takes seconds to start


async def test_an_operator_restricts_a_namespace_watches_it_and_takes_it_back(twinlog: Twinlog) -> None:
    async with twinlog.serving():
        assert await put(twinlog, "farm.one:a", {"attributes": {"n": 1, "m": 2}}) == 201
        done = await twinlog("search-index", "set", "farm.one", "attributes/n", "_modified", "--wait", "--json")
        assert done.code == 0
        assert done.lines[0]["fields"] == ["_modified", "attributes/n", "thingId"]
        assert done.lines[0]["state"] == "complete"
        assert done.lines[0]["changedBy"] == f"twinlog:{getpass.getuser()}"
        assert (await twinlog("search", "eq(attributes/n,1)", "--json")).lines[0]["thingId"] == "farm.one:a"
        refused = await twinlog("search", "eq(attributes/m,2)")
        assert refused.code == 2
        assert "'farm.one'" in refused.err
        shown = await twinlog("search-index", "show")
        assert all(word in shown.text for word in ("farm.one", "attributes/n", "complete", getpass.getuser()))
        assert orjson.loads((await twinlog("status", "--json")).out)["indexing"] == []
        reset = await twinlog("search-index", "reset", "farm.one", "--wait")
        assert "all" in reset.text
        assert (await twinlog("search", "eq(attributes/m,2)", "--json")).lines[0]["thingId"] == "farm.one:a"


async def test_without_a_service_the_wish_is_kept_and_shown_as_not_begun(twinlog: Twinlog) -> None:
    assert (await twinlog("migrate")).code == 0
    assert (await twinlog("search-index", "show")).text == "Everything is indexed in every namespace.\n"
    done = await twinlog("search-index", "set", "farm.one", "default")
    assert all(word in done.text for word in ("policyId", "_created", "indexing"))
    assert len(orjson.loads((await twinlog("status", "--json")).out)["indexing"]) == 1
    events = await twinlog("events", "list", "--json")
    assert events.lines[0]["stream"] == "namespace:farm.one"


async def test_what_cannot_be_indexed_is_said_in_a_sentence(twinlog: Twinlog) -> None:
    for arguments in (("set", "farm.one", "colour"), ("set", "9", "attributes"), ("show", "a b"), ("set", "farm.one")):
        ended = await twinlog("search-index", *arguments)
        assert (ended.code, ended.out) == (2, b"")
        assert "Traceback" not in ended.err


THINGS = 4_000
HOLD = "SELECT 1 FROM search_keys WHERE thing_id = $1 FOR UPDATE"
"""Lets nobody index a thing anew, nor those that come with it."""


async def test_a_service_that_was_killed_goes_on_where_it_was(
    twinlog: Twinlog, store: PostgresEventStore, database_url: str
) -> None:
    value = orjson.dumps({"attributes": {f"a{number}": number for number in range(20)}})
    born = NewEvent(type="created", path="/", value=value, headers=b"{}")
    streams = [StreamName(f"thing:farm.one:t{number:05}") for number in range(THINGS)]
    appends = [StreamAppend(stream=stream, expected_revision=0, events=(born,)) for stream in streams]
    await store.append([Commit(appends=(append,)) for append in appends], recorded_at=FIRST_DAY)
    async with await create_pool(database_url, size=2) as pool:

        async def done() -> int:
            (found,) = await index_progress(pool, ["farm.one"])
            return found.done

        async def begun() -> bool:
            return await done() > 0

        async def indexed() -> bool:
            (found,) = await index_progress(pool, ["farm.one"])
            return found.position >= THINGS

        killed = await twinlog.start("serve", "--port", "0")
        await said(killed, b"Twinlog is ready")
        await eventually(indexed, "every thing is indexed as it came", within=SECONDS)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(HOLD, streams[THINGS // 2].removeprefix("thing:"))
            assert (await twinlog("search-index", "set", "farm.one", "attributes/a1")).code == 0
            await eventually(begun, within=SECONDS)
            await end(killed, signal.SIGKILL)
        reached = await done()
        assert 0 < reached < THINGS
        async with twinlog.serving():
            assert await done() in {0, *range(reached, THINGS + 1)}
            finished = await twinlog("search-index", "set", "farm.one", "attributes/a1", "--wait", "--json")
            assert finished.lines[0]["state"] == "complete"
            check = await twinlog("rebuild", "search", "--check")
        assert check.code == 0, check.text
