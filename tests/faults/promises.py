"""What must hold after any fault, checked against the log, the broker and the read models."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

import orjson
from aio_pika.abc import AbstractIncomingMessage

from eventstore.events import RecordedEvent
from projections.progress import standings
from services.amqp.meters import PUBLISHER
from services.core import PROJECTIONS
from tests.faults.load import ANSWERS
from tests.faults.service import Service
from tests.faults.world import BACKEND, World
from tests.waiting import DEADLINE, eventually


async def settled(world: World, message_ids: Collection[str], *, within: float = DEADLINE) -> list[RecordedEvent]:
    """The log when every one of these messages is in it and the queue of commands has run empty."""
    log: list[RecordedEvent] = []

    async def all_there() -> bool:
        nonlocal log
        if world.head < len(message_ids):
            return False
        log = await world.log()
        return {event.command_id for event in log}.issuperset(message_ids)

    await eventually(all_there, "every confirmed message is an event", within=within, every=0.1)
    await world.emptied(world.topology.commands, within=within)
    return log


async def check_promises(
    world: World, message_ids: Collection[str], *services: Service, answered: bool = True, within: float = DEADLINE
) -> list[RecordedEvent]:
    """Wait until all is worked off, stop the services in order, and check everything; answers the log."""
    log = await settled(world, message_ids, within=within)
    check_log(log)
    await followed(world, within=within)
    differences = await world.differences()
    assert not differences, differences
    for service in services:
        await service.stop()
    assert len(await world.log()) == len(log)
    check_effects(log, message_ids)
    assert await world.waiting(world.topology.commands) == 0
    assert await world.waiting(world.topology.dead_letters) == 0
    check_published(await world.take_all(BACKEND), log)
    if answered:
        check_answers(await world.take_all(ANSWERS), message_ids)
    check_no_defects(*services)
    return log


def check_log(log: Sequence[RecordedEvent]) -> None:
    """Positions are dense, revisions have no hole, time does not run backwards, a command took effect once."""
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    revisions: dict[str, int] = defaultdict(int)
    for event in log:
        revisions[event.stream] += 1
        assert event.revision == revisions[event.stream], event
    assert all(before.recorded_at <= after.recorded_at for before, after in pairwise(log))
    assert not [command for command, count in _commands(log).items() if count > 1]


def check_effects(log: Sequence[RecordedEvent], message_ids: Collection[str]) -> None:
    """Every message is exactly one event (a created thing brings its policy along), and nothing else is there."""
    commands = _commands(log)
    assert set(message_ids) <= commands.keys()
    brought_along = [event for event in log if event.command_id is None]
    assert all(event.stream.startswith("policy:") and event.revision == 1 for event in brought_along)


async def followed(world: World, *, within: float = DEADLINE) -> None:
    """Wait until the publisher and every read model have dealt with the whole log."""

    async def have_all() -> bool:
        found = await standings(world.pool)
        return {PUBLISHER, *PROJECTIONS} <= {each.name for each in found if not each.behind_events}

    await eventually(have_all, "the publisher and the read models have followed", within=within, every=0.1)


def check_published(messages: Iterable[AbstractIncomingMessage], log: Sequence[RecordedEvent]) -> None:
    """Every event came at least once, as it was stored, and in order per entity once repeats are dropped."""
    stored = {(str(event.stream), event.revision): event for event in log}
    seen: dict[str, list[int]] = defaultdict(list)
    for message in messages:
        stream, revision = str(message.headers["stream"]), int(str(message.headers["revision"]))
        event = stored.pop((stream, revision), None)
        if event is None:
            continue
        envelope = orjson.loads(message.body)
        assert (envelope["revision"], envelope["path"]) == (revision, event.path or "/")
        assert event.value is None or orjson.loads(event.value) == envelope["value"]
        seen[stream].append(revision)
    assert not stored, f"{len(stored)} events were not published, first {next(iter(stored))}"
    assert all(revisions == sorted(revisions) for revisions in seen.values())


def check_answers(messages: Iterable[AbstractIncomingMessage], message_ids: Collection[str]) -> None:
    """Every message was answered at least once, and never as refused."""
    statuses: dict[str, set[int]] = defaultdict(set)
    for message in messages:
        statuses[str(message.correlation_id)].add(orjson.loads(message.body)["status"])
    unanswered = [message_id for message_id in message_ids if message_id not in statuses]
    assert not unanswered, f"{len(unanswered)} messages without an answer, first {unanswered[0]}"
    assert {each for some in statuses.values() for each in some} <= {201, 204}
    assert all(len(some) == 1 for some in statuses.values())


def check_no_defects(*services: Service) -> None:
    """Trouble of the servers is no reason for a traceback."""
    for service in services:
        assert not service.defects(), f"{service.log}: {service.defects()[:5]}"


def _commands(log: Iterable[RecordedEvent]) -> Counter[str]:
    return Counter(event.command_id for event in log if event.command_id is not None)
