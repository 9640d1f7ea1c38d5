"""Two services on one database, as two processes would be: own connections, own caches, own leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.sole_writer import SoleWriter
from projections.twins import TwinsReader
from protocol.enforcement.auth import AuthContext
from protocol.errors import PreconditionFailed
from protocol.identifiers import ThingId
from protocol.json import JsonValue
from protocol.signals import Command, RetrieveThings
from services.commanding.commanding import Commanding
from services.commanding.limits import CommandingLimits
from tests.waiting import eventually

ALICE = AuthContext(subjects=("test:alice",))
THINGS = [ThingId(f"farm:pump-{number}") for number in range(5)]


@asynccontextmanager
async def process(
    url: str, *, quiet: float = 3600, term: float = 1.0, limits: CommandingLimits | None = None
) -> AsyncIterator[tuple[Commanding, SoleWriter, PostgresEventStore]]:
    """A service with everything of its own; it takes the lease after ``quiet`` seconds alone."""
    async with await create_pool(url, size=4) as pool, PostgresEventStore(pool) as store:
        lease = SoleWriter(store, term=term, beat=0.05, quiet=quiet)
        running = asyncio.create_task(lease.run())
        try:
            async with Commanding(
                store=store,
                twins=TwinsReader(pool),
                sole_writer=lease,
                clock=lambda: datetime.now(UTC),
                limits=limits,
            ) as service:
                yield service, lease, store
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def create(thing_id: ThingId) -> Command:
    return Command(entity_id=thing_id, verb="create", path=(), value={"attributes": {"n": 0}})


def put(thing_id: ThingId, key: str, value: JsonValue) -> Command:
    return Command(entity_id=thing_id, verb="modify", path=("attributes", key), value=value)


def get(thing_id: ThingId, *path: str) -> Command:
    return Command(entity_id=thing_id, verb="retrieve", path=path)


async def test_two_services_hammering_the_same_things_lose_nothing(database_url: str) -> None:
    async with process(database_url) as (here, _, store), process(database_url) as (there, _, _):
        for thing_id in THINGS:
            await here.execute(create(thing_id), ALICE)

        async def increments(service: Commanding, thing_id: ThingId, count: int) -> int:
            """Read, add one, write if nobody else wrote; a lost update would make the sum too small."""
            done = 0
            while done < count:
                current = await service.execute(get(thing_id), ALICE)
                assert isinstance(current.value, dict)
                attributes = current.value["attributes"]
                assert isinstance(attributes, dict)
                assert isinstance(attributes["n"], int)
                tag = current.headers["etag"]
                command = Command(
                    entity_id=thing_id,
                    verb="merge",
                    path=(),
                    value={"attributes": {"n": attributes["n"] + 1}},
                    headers={"content-type": "application/merge-patch+json", "if-match": tag},
                )
                try:
                    await service.execute(command, ALICE)
                except PreconditionFailed:
                    continue
                done += 1
            return done

        await asyncio.gather(
            *(increments(service, thing_id, 10) for service in (here, there) for thing_id in THINGS for _ in range(2))
        )
        for thing_id in THINGS:
            for service in (here, there):
                assert (await service.execute(get(thing_id, "attributes", "n"), ALICE)).value == 40
            events = await store.read_stream(f"thing:{thing_id}")  # type: ignore[arg-type]  # a stream's name
            assert [event.revision for event in events] == list(range(1, 42))


async def test_blind_writes_of_both_are_all_kept(database_url: str) -> None:
    async with process(database_url) as (here, _, store), process(database_url) as (there, _, _):
        thing_id = THINGS[0]
        await here.execute(create(thing_id), ALICE)
        futures = [
            service.submit(put(thing_id, f"{name}-{number}", number), ALICE, command_id=f"{name}-{number}")
            for number in range(150)
            for name, service in (("here", here), ("there", there))
        ]
        answers = await asyncio.gather(*futures)
        assert sorted(int(str(answer.headers["entity-revision"])) for answer in answers) == list(range(2, 302))
        attributes = (await there.execute(get(thing_id, "attributes"), ALICE)).value
        assert isinstance(attributes, dict)
        assert len(attributes) == 301
        assert await store.head() == 302


@pytest.mark.parametrize("beside_others", [0, 1, 2])
async def test_services_that_overtake_each_other_all_the_time_refuse_nothing(
    database_url: str, beside_others: int
) -> None:
    limits = CommandingLimits(group_max=1, attempts_max=beside_others + 1, attempts_beside_others=beside_others)
    async with AsyncExitStack() as stack:
        entered = [await stack.enter_async_context(process(database_url, limits=limits)) for _ in range(3)]
        services = [service for service, _, _ in entered]
        await services[0].execute(create(THINGS[0]), ALICE)
        futures = [
            service.submit(put(THINGS[0], f"{number}-{turn}", turn), ALICE)
            for turn in range(100)
            for number, service in enumerate(services)
        ]
        answers = await asyncio.gather(*futures)
        assert sorted(int(str(answer.headers["entity-revision"])) for answer in answers) == list(range(2, 302))
        assert await entered[0][2].head() == 302


@pytest.mark.parametrize("quiet", [3600, 0.05])
async def test_reads_after_writes_are_exact_in_the_other_service(database_url: str, quiet: float) -> None:
    async with process(database_url, quiet=quiet) as (here, _, _), process(database_url, quiet=quiet) as (there, _, _):
        thing_id = THINGS[0]
        await here.execute(create(thing_id), ALICE)
        for number in range(60):
            writer, reader = (here, there) if number // 10 % 2 else (there, here)
            await writer.execute(put(thing_id, "n", number), ALICE)
            assert (await reader.execute(get(thing_id, "attributes", "n"), ALICE)).value == number
            many = await reader.execute(RetrieveThings(thing_ids=(thing_id,), fields="attributes"), ALICE)
            assert many.value == [{"attributes": {"n": number}}]


async def test_the_same_command_in_both_takes_effect_once(database_url: str) -> None:
    async with process(database_url) as (here, _, store), process(database_url) as (there, _, _):
        commands = [create(THINGS[0]), *(put(THINGS[0], "n", number) for number in range(20))]
        for number, command in enumerate(commands):
            one, other = await asyncio.gather(
                *(service.submit(command, ALICE, command_id=f"m-{number}") for service in (here, there))
            )
            assert (one.status, one.value, dict(one.headers)) == (other.status, other.value, dict(other.headers))
        assert await store.head() == 22
    async with process(database_url) as (later, _, store):
        for number, command in enumerate(commands):
            await later.execute(command, ALICE, command_id=f"m-{number}")
        assert await store.head() == 22


async def test_the_sole_writer_answers_from_memory_until_another_writes(database_url: str) -> None:
    async with process(database_url, quiet=0.05, term=60) as (here, lease, _):
        thing_id = THINGS[0]
        await here.execute(create(thing_id), ALICE)
        await eventually(lease.holds, "the process trusts its states")
        await here.execute(put(thing_id, "n", 1), ALICE)
        assert here.submit(get(thing_id), ALICE).done()
        async with process(database_url) as (there, _, _):
            assert (await there.execute(get(thing_id, "attributes", "n"), ALICE)).value == 1
            await there.execute(put(thing_id, "n", 2), ALICE)
            assert (await here.execute(get(thing_id, "attributes", "n"), ALICE)).value == 2
            await here.execute(put(thing_id, "n", 3), ALICE)
            assert (await there.execute(get(thing_id, "attributes", "n"), ALICE)).value == 3
