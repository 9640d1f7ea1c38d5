"""The parts that need no service: cache, memory of commands, lane, metrics."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from eventstore.events import RecordedEvent, StreamName
from protocol.identifiers import ThingId
from protocol.json import JsonObject
from protocol.signals import Command, Response
from services.commanding.errors import Overloaded
from services.commanding.lane import Lane
from services.commanding.ledger import Ledger
from services.commanding.pending import Pending
from services.commanding.remembered import RememberedCommands
from services.commanding.states import NO_EPOCH, WEIGHED_EVERY, StateCache
from services.metrics import Metrics
from tests.unit.services.commanding.stage import ALICE, until

A, B, C = (StreamName(f"thing:farm:{name}") for name in "abc")


@dataclass
class State:
    revision: int
    document: JsonObject


def test_a_state_is_never_replaced_by_an_older_one() -> None:
    cache = StateCache[State](max_entries=10, max_bytes=10_000)
    newer, older = State(2, {}), State(1, {})
    cache.put(A, newer, 7)
    cache.put(A, older, 8)
    kept = cache.get(A)
    assert kept is not None
    assert (kept.state, kept.epoch) == (newer, 7)


def test_the_longest_unused_state_goes_first() -> None:
    cache = StateCache[State](max_entries=2, max_bytes=1_000_000)
    cache.put(A, State(1, {}), NO_EPOCH)
    cache.put(B, State(1, {}), NO_EPOCH)
    cache.get(A)
    cache.put(C, State(1, {}), NO_EPOCH)
    assert [cache.get(stream) is not None for stream in (A, B, C)] == [True, False, True]


def test_states_are_bounded_by_bytes_also_when_one_grows() -> None:
    cache = StateCache[State](max_entries=100, max_bytes=10_000)
    cache.put(A, State(1, {}), NO_EPOCH)
    cache.put(B, State(1, {"text": "x" * 1_000}), NO_EPOCH)
    assert len(cache) == 2
    for revision in range(2, WEIGHED_EVERY + 2):
        cache.put(B, State(revision, {"text": "x" * 1_300}), NO_EPOCH)
    assert (cache.get(A), len(cache)) == (None, 1)
    cache.clear()
    assert (len(cache), cache.weight) == (0, 0)


async def test_what_was_taken_behind_a_failed_command_is_cut_off_until_its_submitter_has_heard() -> None:
    ledger = Ledger(metrics=Metrics(), time=asyncio.get_running_loop().time)
    first, behind, aside = entered(ledger, A), entered(ledger, A), entered(ledger, B)
    ledger.fail(first, Overloaded(1))
    late = entered(ledger, A)
    assert [ledger.is_cut_off(each) for each in (behind, late, aside)] == [True, True, False]
    await asyncio.sleep(0)
    again = entered(ledger, A)
    assert [ledger.is_cut_off(each) for each in (behind, late, again)] == [True, True, False]
    for each in (behind, late, again, aside):
        ledger.fail(each, Overloaded(1))
        assert isinstance(each.future.exception(), Overloaded)
    assert isinstance(first.future.exception(), Overloaded)
    await asyncio.sleep(0)
    assert not ledger.is_cut_off(entered(ledger, A))


def entered(ledger: Ledger, stream: StreamName) -> Pending:
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    command = Command(entity_id=ThingId(stream.removeprefix("thing:")), verb="delete", path=())
    pending = Pending(command, ALICE, None, "amqp", stream, future, 0.0)
    pending.ordered = True
    ledger.enter(pending, changing=True)
    return pending


def test_a_state_larger_than_the_cache_is_not_kept() -> None:
    cache = StateCache[State](max_entries=100, max_bytes=1_000)
    cache.put(A, State(1, {"text": "x" * 1_000}), NO_EPOCH)
    assert (len(cache), cache.weight) == (0, 0)


def test_commands_are_remembered_by_stream_and_id_up_to_a_bound() -> None:
    memory = RememberedCommands(max_entries=2, max_bytes=1_000)
    for number in range(3):
        memory.add(recorded(A, number + 1, f"m-{number}"))
    memory.add(recorded(A, 9, None))
    assert memory.find((A, "m-0")) is None
    assert memory.find((B, "m-2")) is None
    found = memory.find((A, "m-2"))
    assert found is not None
    assert found.revision == 3


def test_remembered_commands_are_bounded_by_bytes() -> None:
    memory = RememberedCommands(max_entries=100, max_bytes=1_000)
    for number in range(4):
        memory.add(recorded(A, number + 1, f"m-{number}", value=b"1" * 400))
    assert len(memory) == 2


def recorded(stream: StreamName, revision: int, command_id: str | None, value: bytes = b"1") -> RecordedEvent:
    return RecordedEvent(
        position=revision,
        stream=stream,
        revision=revision,
        type="modified",
        path="/attributes/a",
        value=value,
        headers=b"{}",
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        command_id=command_id,
    )


async def test_a_lane_works_items_off_in_order_and_in_bounded_groups() -> None:
    groups: list[list[int]] = []

    async def work(group: list[int]) -> None:
        groups.append(group)

    lane = Lane[int](work, group_max=3)
    task = asyncio.create_task(lane.run())
    for number in range(7):
        lane.put(number)
    await lane.idle()
    assert groups == [[0, 1, 2], [3, 4, 5], [6]]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_lane_goes_on_after_a_group_that_failed() -> None:
    failed: list[list[int]] = []

    async def work(group: list[int]) -> None:
        if 1 in group:
            raise ZeroDivisionError

    lane = Lane[int](work, group_max=3, failed=failed.append)
    task = asyncio.create_task(lane.run())
    for number in (1, 2, 3, 4):
        lane.put(number)
    await lane.idle()
    assert failed == [[1, 2, 3]]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_lane_gathers_while_it_works_and_is_idle_only_after_the_last() -> None:
    groups: list[list[int]] = []
    gate = asyncio.Event()

    async def work(group: list[int]) -> None:
        groups.append(group)
        await gate.wait()

    lane = Lane[int](work, group_max=100)
    task = asyncio.create_task(lane.run())
    lane.put(1)
    await until(lambda: bool(groups))
    for number in (2, 3, 4):
        lane.put(number)
    idle = asyncio.create_task(lane.idle())
    await asyncio.sleep(0)
    assert not idle.done()
    gate.set()
    await idle
    assert groups == [[1], [2, 3, 4]]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_fast_histogram_counts_as_prometheus_does() -> None:
    metrics = Metrics()
    for size in (1, 2, 3, 1_000):
        metrics.group_commands.observe(size)
    sample = metrics.registry.get_sample_value
    counted = [
        sample("twinlog_group_commands_bucket", {"le": bound}) for bound in ("1.0", "2.0", "4.0", "512.0", "+Inf")
    ]
    assert counted == [1, 2, 3, 3, 4]
    assert sample("twinlog_group_commands_sum") == pytest.approx(1_006)
