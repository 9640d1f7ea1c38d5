"""The complex examples of the product's documentation, over HTTP, as it writes them and as Ditto does.

The fleet was created and modified in the years that the examples speak of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import pytest
from pydantic import SecretStr

from eventstore.events import Commit, NewEvent, StreamAppend, StreamName
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from services.application import running
from services.settings import Settings

HOME = "my.home"
LIVING_ROOM = ("a1", "a2", "b1", "b2", "c1", "c2", "d1")
CREATED = {"a1": "2018-05-01", "a2": "2019-01-20", "b1": "2019-06-01", "b2": "2020-08-23", "c1": "2020-08-26"}
MODIFIED = {"a1": "2019-01-21T08:00", "a2": "2019-01-22T08:00", "b2": "2020-09-01T08:00"}


def moment(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


async def write(store: PostgresEventStore, stream: str, revision: int, at: datetime, path: str, value: object) -> None:
    event = NewEvent(type="modified" if revision else "created", path=path, value=orjson.dumps(value), headers=b"{}")
    append = StreamAppend(stream=StreamName(stream), expected_revision=revision, events=(event,))
    await store.append([Commit(appends=(append,))], recorded_at=at)


async def furnish(store: PostgresEventStore) -> None:
    rights = {f"{kind}:/": {"grant": ["READ", "WRITE"], "revoke": []} for kind in ("policy", "thing")}
    owner = {"subjects": {"nginx:ada": {"type": "owner"}}, "resources": rights}
    policy = {"policyId": f"{HOME}:all", "entries": {"owner": owner}}
    await write(store, f"policy:{HOME}:all", 0, moment("2018-01-01"), "/", policy)
    changes: list[tuple[datetime, str, str, object]] = []
    for name, day in {**dict.fromkeys([*LIVING_ROOM, "k1", "k2"], "2018-02-01"), **CREATED}.items():
        location = "living-room" if name in LIVING_ROOM else "kitchen"
        floor = {"a1": "upper floor", "k1": "upper floor"}.get(name, "ground floor")
        thing: dict[str, Any] = {
            "thingId": f"{HOME}:{name}",
            "policyId": f"{HOME}:all",
            "attributes": {"location": location, "floor": floor},
            "features": {"lamp": {}} if name in {"b1", "k2"} else {},
        }
        changes.append((moment(day), name, "/", thing))
    changes += [(moment(day), name, "/attributes/seen", True) for name, day in MODIFIED.items()]
    revisions: dict[str, int] = {}
    for at, name, path, value in sorted(changes, key=lambda change: change[0]):
        await write(store, f"thing:{HOME}:{name}", revisions.get(name, 0), at, path, value)
        revisions[name] = revisions.get(name, 0) + 1


@pytest.fixture
async def home_url(database_url: str, home: Path) -> AsyncIterator[str]:
    """A service over the furnished home, whose search shows everything."""
    settings = Settings(
        home=home,
        database_url=SecretStr(database_url),
        amqp_url=SecretStr("off"),
        http_port=0,
        basic_users={"ada": SecretStr("secret")},
    )
    async with await create_pool(database_url, size=1) as pool:
        store = PostgresEventStore(pool)
        await furnish(store)
        head = await store.head()
    async with running(settings, frozenset({"http", "projector"})) as application:
        assert application.http_url is not None
        await get(application.http_url, "", position=head)
        yield application.http_url


async def get(url: str, query: str, *, path: str = "", position: int = 0) -> Any:  # noqa: ANN401 - whatever is answered
    headers = {"Authorization": aiohttp.encode_basic_auth("ada", "secret"), "twinlog-position": str(position)}
    address = f"{url}/api/2/search/things{path}?{quote(query, safe='=&,()/%')}"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(address) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def names(body: Any) -> list[str]:  # noqa: ANN401 - see get
    return [item["thingId"].removeprefix(f"{HOME}:") for item in body["items"]]


async def test_the_lowest_five_thing_ids_in_the_living_room(home_url: str) -> None:
    for query in (
        'filter=eq(attributes/location,"living-room")&option=sort(%2BthingId),size(5)',
        'filter=eq(attributes/location,"living-room")&option=sort(%2BthingId),limit(0,5)',
        "filter=eq(/attributes/location,'living-room')&option=size(5),sort(%2B/thingId)",
    ):
        assert names(await get(home_url, query)) == ["a1", "a2", "b1", "b2", "c1"], query


async def test_ids_revision_and_time_of_everything_modified_after_a_date(home_url: str) -> None:
    found = [
        {"thingId": f"{HOME}:a2", "_revision": 2, "_modified": "2019-01-22T08:00:00Z"},
        {"thingId": f"{HOME}:b1", "_revision": 1, "_modified": "2019-06-01T00:00:00Z"},
        {"thingId": f"{HOME}:b2", "_revision": 2, "_modified": "2020-09-01T08:00:00Z"},
        {"thingId": f"{HOME}:c1", "_revision": 1, "_modified": "2020-08-26T00:00:00Z"},
    ]
    for query in (
        'filter=gt(_modified,"2019-01-22")&fields=thingId,_revision,_modified',
        'filter=gt(_modified,"2019-01-21T23:59:59Z")&fields=thingId,_revision,_modified',
        "filter=gt(/_modified,'2019-01-21T23:59:59Z')&fields=/thingId,/_revision,/_modified",
    ):
        assert (await get(home_url, query))["items"] == found, query
    day = await get(home_url, 'filter=gt(_modified,"2019-01-21")')
    assert names(day) == ["a1", "a2", "b1", "b2", "c1"]  # a date alone is before every moment of its day


async def test_ids_revision_and_time_of_everything_created_after_a_date(home_url: str) -> None:
    found = [{"thingId": f"{HOME}:c1", "_revision": 1, "_created": "2020-08-26T00:00:00Z"}]
    for query in (
        'filter=gt(_created,"2020-08-24")&fields=thingId,_revision,_created',
        'filter=gt(_created,"2020-08-24T00:00:00Z")&fields=thingId,_revision,_created',
        "filter=gt(/_created,'2020-08-24T00:00:00Z')&fields=/thingId,/_revision,/_created",
    ):
        assert (await get(home_url, query))["items"] == found, query


async def test_the_other_examples_of_that_page(home_url: str) -> None:
    for query, expected in (
        ('filter=and(exists(features/lamp),eq(attributes/location,"living-room"))', ["b1"]),
        ('filter=and(eq(attributes/floor,"upper floor"),eq(attributes/location,"living-room"))', ["a1"]),
        ('filter=not(eq(attributes/floor,"upper floor"),eq(attributes/location,"living-room"))', ["k2"]),
        ('filter=and(eq(_namespace,"my.home"),eq(attributes/location,"kitchen"))', ["k1", "k2"]),
        ('filter=and(eq(namespace,"my.home"),eq(attributes/location,"kitchen"))', ["k1", "k2"]),
        ('filter=or(eq(attributes/floor,"upper floor"),in(thingId,"my.home:k2","my.home:x"))', ["a1", "k1", "k2"]),
    ):
        assert names(await get(home_url, query)) == expected, query
    assert await get(home_url, 'filter=eq(attributes/location,"living-room")', path="/count") == len(LIVING_ROOM)
