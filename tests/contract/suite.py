"""What every event store promises; one class, which the test modules beside this one run against a store each."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eventstore.errors import UnstorableEvent
from eventstore.events import Appended, Commit, Conflict, StreamAppend, StreamName
from eventstore.store import EventStore, Selection
from tests.contract.given import (
    GATE,
    NOON,
    PUMP,
    RULES,
    TANK,
    append,
    commit,
    event,
    everything,
    first,
    minutes,
    positions,
    refusal,
)
from tests.waiting import DEADLINE


class AppendContract:
    async def test_an_empty_log_has_head_zero_and_nothing_to_read(self, store: EventStore) -> None:
        assert await store.head() == 0
        assert await everything(store) == []
        assert await everything(store, backwards=True) == []
        assert await store.read_stream(PUMP) == []

    async def test_events_count_in_their_stream_and_in_the_log(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0, event(), event()), commit(TANK, 0))
        events = await append(store, commit(PUMP, 2))
        assert [(e.stream, e.revision, e.position) for e in events] == [(PUMP, 3, 4)]
        assert await store.head() == 4

    async def test_nobody_appends_between_a_decision_alone_and_its_append(self, store: EventStore) -> None:
        others: list[asyncio.Task[Appended | Conflict]] = []

        async def decide() -> list[Commit]:
            others.append(asyncio.create_task(store.append([commit(PUMP, 0)], recorded_at=NOON)))
            for _ in range(20):
                assert await store.read_stream(PUMP) == []
            return [commit(PUMP, 0), commit(TANK, 0)]

        mine = await store.append_alone(decide, recorded_at=NOON)
        assert isinstance(mine, Appended)
        assert positions(mine.events) == [1, 2]
        assert isinstance(await others[0], Conflict)
        assert positions(await append(store, commit(PUMP, 1))) == [3]

    async def test_those_who_decide_alone_wait_for_each_other(self, store: EventStore) -> None:
        async def decide() -> list[Commit]:
            return [commit(PUMP, len(await store.read_stream(PUMP)))]

        outcomes = await asyncio.gather(*(store.append_alone(decide, recorded_at=NOON) for _ in range(8)))
        assert all(isinstance(each, Appended) for each in outcomes)
        assert [each.revision for each in await store.read_stream(PUMP)] == list(range(1, 9))

    async def test_a_decision_alone_may_be_to_append_nothing(self, store: EventStore) -> None:
        async def decide() -> list[Commit]:
            return []

        assert await store.append_alone(decide, recorded_at=NOON) == Appended(events=())
        assert await store.head() == 0

    async def test_a_decision_alone_that_fails_appends_nothing_and_lets_others_append(self, store: EventStore) -> None:
        async def decide() -> list[Commit]:
            raise LookupError

        with pytest.raises(LookupError):
            await store.append_alone(decide, recorded_at=NOON)
        assert positions(await append(store, commit(PUMP, 0))) == [1]

    async def test_a_decision_alone_is_refused_or_cannot_be_kept_like_any_other(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0, command="c1"))

        async def repeated() -> list[Commit]:
            return [commit(PUMP, 1, command="c1"), commit(TANK, 0)]

        async def contradictory() -> list[Commit]:
            return [commit(TANK, 0), commit(TANK, 0)]

        async def unstorable() -> list[Commit]:
            return [commit(TANK, 0), commit(GATE, 0, event(b"{"))]

        found = await store.append_alone(repeated, recorded_at=NOON)
        assert isinstance(found, Conflict)
        assert list(found.repeated) == [0]
        assert await store.append_alone(contradictory, recorded_at=NOON) == Conflict(stale=frozenset({1}), repeated={})
        with pytest.raises(UnstorableEvent):
            await store.append_alone(unstorable, recorded_at=NOON)
        assert positions(await append(store, commit(TANK, 0))) == [2]

    async def test_what_append_answers_is_what_is_read(self, store: EventStore) -> None:
        events = await append(store, commit(PUMP, 0, event(), event(None, kind="deleted"), command="c1"))
        assert tuple(await everything(store)) == events
        assert tuple(await store.read_stream(PUMP)) == events

    @pytest.mark.parametrize(
        "value",
        [b'{"b": 1,  "a":[1.0,2e3]}', b"null", b'"\\u0000 \\u00e4"', '"ä€😀"'.encode(), b'{"a":1,"a":2}', b" 1 "],
    )
    async def test_values_are_kept_byte_for_byte(self, store: EventStore, value: bytes) -> None:
        new = replace(event(value), headers=b'{ "x" :1}')
        await append(store, commit(PUMP, 0, new))
        (found,) = await store.read_stream(PUMP)
        assert (found.value, found.headers) == (value, b'{ "x" :1}')

    async def test_no_value_is_not_null(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0, event(None), event(b"null")))
        assert [e.value for e in await store.read_stream(PUMP)] == [None, b"null"]

    async def test_a_later_commit_of_the_group_builds_on_an_earlier_one(self, store: EventStore) -> None:
        events = await append(store, commit(PUMP, 0), commit(TANK, 0), commit(PUMP, 1), commit(PUMP, 2, command="c"))
        assert [(e.stream, e.revision) for e in events] == [(PUMP, 1), (TANK, 1), (PUMP, 2), (PUMP, 3)]
        assert [e.command_id for e in events] == [None, None, None, "c"]

    async def test_a_commit_to_two_streams_is_one(self, store: EventStore) -> None:
        both = Commit(
            appends=(
                StreamAppend(stream=PUMP, expected_revision=0, events=(event(kind="created"),)),
                StreamAppend(stream=RULES, expected_revision=0, events=(event(kind="created"), event())),
            ),
            command_id="c",
        )
        events = await append(store, both)
        assert [(e.stream, e.revision, e.command_id) for e in events] == [
            (PUMP, 1, "c"),
            (RULES, 1, None),
            (RULES, 2, None),
        ]
        assert (await refusal(store, replace(both, command_id="d"), commit(TANK, 0))).stale == {0}
        assert await store.head() == 3

    async def test_nothing_to_append_is_appended(self, store: EventStore) -> None:
        assert await append(store) == ()
        assert await append(store, Commit(appends=())) == ()
        empty = StreamAppend(stream=PUMP, expected_revision=0, events=())
        assert await append(store, Commit(appends=(empty,))) == ()
        assert await store.head() == 0

    async def test_a_commit_without_events_still_has_an_expectation(self, store: EventStore) -> None:
        empty = StreamAppend(stream=PUMP, expected_revision=1, events=())
        assert (await refusal(store, Commit(appends=(empty,)))).stale == {0}

    async def test_a_wrong_expectation_refuses_the_group_and_is_named(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0))
        conflict = await refusal(store, commit(TANK, 0), commit(PUMP, 0), commit(GATE, 3))
        assert conflict == Conflict(stale=frozenset({1, 2}), repeated={})
        assert await store.head() == 1

    async def test_whoever_builds_on_a_refused_commit_is_refused_with_it(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0))
        assert (await refusal(store, commit(PUMP, 0), commit(TANK, 0), commit(PUMP, 1))).stale == {0, 2}

    async def test_a_group_that_contradicts_itself_is_refused(self, store: EventStore) -> None:
        assert (await refusal(store, commit(PUMP, 0), commit(PUMP, 0), commit(TANK, 0))).stale == {1}

    async def test_a_commit_that_builds_on_a_revision_ahead_of_the_log_is_stale(self, store: EventStore) -> None:
        assert (await refusal(store, commit(PUMP, 1))).stale == {0}

    async def test_a_repeated_command_is_refused_with_the_event_it_caused(self, store: EventStore) -> None:
        caused, _ = await append(store, commit(PUMP, 0, event(), event(), command="c1"))
        conflict = await refusal(store, commit(TANK, 0), commit(PUMP, 2, command="c1"), commit(PUMP, 3, command="c2"))
        assert conflict == Conflict(stale=frozenset({2}), repeated={1: caused})

    async def test_a_repeated_command_with_an_old_expectation_is_repeated_rather_than_stale(
        self, store: EventStore
    ) -> None:
        (caused,) = await append(store, commit(PUMP, 0, command="c1"))
        conflict = await refusal(store, commit(PUMP, 0, command="c1"))
        assert conflict == Conflict(stale=frozenset(), repeated={0: caused})

    async def test_the_same_command_twice_in_a_group_makes_the_second_stale(self, store: EventStore) -> None:
        conflict = await refusal(store, commit(PUMP, 0, command="c1"), commit(PUMP, 1, command="c1"))
        assert conflict.stale == {1}

    async def test_the_same_command_id_may_serve_two_streams(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0, command="c1"), commit(TANK, 0, command="c1"))
        found = await store.find_command(TANK, "c1")
        assert found is not None
        assert found.stream == TANK
        assert await store.find_command(GATE, "c1") is None

    async def test_time_never_runs_backwards_in_the_log(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0), at=minutes(5))
        events = await append(store, commit(PUMP, 1), at=minutes(1))
        assert [e.recorded_at for e in events] == [minutes(5)]
        assert [e.recorded_at for e in await store.read_stream(PUMP)] == [minutes(5), minutes(5)]

    @pytest.mark.parametrize(
        "bad",
        [
            commit(TANK, 0, event(b"{")),
            commit(TANK, 0, event(path="/a\x00b")),
            commit(TANK, 0, event(path="/\ud800")),
            commit(TANK, 0, command="\x00"),
            commit(StreamName("thing:\x00"), 0),
        ],
        ids=["json", "nul", "surrogate", "command", "stream"],
    )
    async def test_what_cannot_be_kept_is_named_and_nothing_is_appended(self, store: EventStore, bad: Commit) -> None:
        with pytest.raises(UnstorableEvent) as refused:
            await store.append((commit(PUMP, 0), bad), recorded_at=NOON)
        assert refused.value.commit == 1
        assert await store.head() == 0

    async def test_of_competing_writers_exactly_one_wins_each_revision(self, store: EventStore) -> None:
        async def write(writer: int) -> int:
            won = 0
            for revision in range(10):
                outcome = await store.append([commit(PUMP, revision, event(b"%d" % writer))], recorded_at=NOON)
                won += isinstance(outcome, Appended)
            return won

        wins = await asyncio.gather(*(write(writer) for writer in range(4)))
        events = await store.read_stream(PUMP)
        assert sum(wins) == 10
        assert [e.revision for e in events] == list(range(1, 11))
        assert positions(await everything(store)) == list(range(1, 11))


class ReadContract:
    @pytest.fixture
    async def filled(self, store: EventStore) -> EventStore:
        """Twelve events in twelve minutes: pump, tank, gate and rules in turn; every third is ``merged``."""
        streams = [PUMP, TANK, GATE, RULES]
        for index in range(12):
            kind = "merged" if index % 3 == 2 else "modified"
            await append(store, commit(streams[index % 4], index // 4, event(kind=kind)), at=minutes(index))
        return store

    async def test_a_part_of_a_stream_can_be_read(self, filled: EventStore) -> None:
        assert [e.revision for e in await filled.read_stream(PUMP)] == [1, 2, 3]
        assert [e.revision for e in await filled.read_stream(PUMP, after_revision=1)] == [2, 3]
        assert [e.revision for e in await filled.read_stream(PUMP, after_revision=1, to_revision=2)] == [2]
        assert await filled.read_stream(PUMP, after_revision=3) == []
        assert await filled.read_stream(StreamName("thing:farm.one:pum")) == []

    @pytest.mark.parametrize("page_size", [1, 3, 4, 12, 1_000])
    async def test_the_log_is_read_in_pages_forwards_and_backwards(self, filled: EventStore, page_size: int) -> None:
        assert positions(await everything(filled, page_size=page_size)) == list(range(1, 13))
        found = await everything(filled, backwards=True, page_size=page_size)
        assert positions(found) == list(range(12, 0, -1))

    @pytest.mark.parametrize("page_size", [1, 2, 1_000])
    @pytest.mark.parametrize("backwards", [False, True])
    @pytest.mark.parametrize(
        ("selection", "expected"),
        [
            (Selection(after_position=10), [11, 12]),
            (Selection(after_position=-5, to_position=2), [1, 2]),
            (Selection(to_position=99, after_position=11), [12]),
            (Selection(after_position=12), []),
            (Selection(after_position=99), []),
            (Selection(from_time=minutes(9)), [10, 11, 12]),
            (Selection(from_time=minutes(8.5), to_time=minutes(10)), [10]),
            (Selection(from_time=minutes(60)), []),
            (Selection(to_time=minutes(0)), []),
            (Selection(to_time=minutes(60), after_position=11), [12]),
            (Selection(stream=PUMP), [1, 5, 9]),
            (Selection(stream=PUMP, after_position=1, to_position=8), [5]),
            (Selection(stream=PUMP, from_time=minutes(5)), [9]),
            (Selection(stream=PUMP, types=("merged",)), [9]),
            (Selection(stream=PUMP, prefixes=("policy:",)), []),
            (Selection(stream=PUMP, prefixes=("policy:", "thing:farm.one:")), [1, 5, 9]),
            (Selection(stream=StreamName("thing:farm.one:none")), []),
            (Selection(prefixes=("thing:farm.one:",)), [1, 2, 5, 6, 9, 10]),
            (Selection(prefixes=("policy:", "thing:farm.two:"), after_position=4), [7, 8, 11, 12]),
            (Selection(prefixes=("thing:farm.%",)), []),
            (Selection(types=("merged",)), [3, 6, 9, 12]),
            (Selection(types=("merged", "modified"), prefixes=("thing:farm.two:",), to_position=7), [3, 7]),
            (Selection(types=("created",)), []),
        ],
    )
    async def test_a_selection_chooses(
        self, filled: EventStore, selection: Selection, expected: list[int], backwards: bool, page_size: int
    ) -> None:
        found = await everything(filled, selection, backwards=backwards, page_size=page_size)
        assert positions(found) == (expected[::-1] if backwards else expected)

    @pytest.mark.parametrize("page_size", [1, 2, 100])
    async def test_the_log_is_read_stream_by_stream(self, filled: EventStore, page_size: int) -> None:
        log = await everything(filled)
        upto = log[-2].position
        wanted = sorted(log[:-1], key=lambda event: (event.stream, event.revision))
        pages = [page async for page in filled.read_by_stream(to_position=upto, page_size=page_size)]
        assert [event for page in pages for event in page] == wanted
        assert all(0 < len(page) <= page_size for page in pages)
        rest = filled.read_by_stream(to_position=upto, after_stream=RULES, page_size=page_size)
        assert [event async for page in rest for event in page] == [each for each in wanted if each.stream > RULES]

    async def test_reading_ends_at_the_head_of_when_it_began(self, filled: EventStore) -> None:
        found: list[int] = []
        async for page in filled.read(page_size=4):
            found += positions(page)
            await append(filled, commit(PUMP, 2 + len(found) // 4))
        assert found == list(range(1, 13))


class SubscribeContract:
    async def test_a_subscriber_catches_up_and_follows(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0, *[event()] * 25))
        subscription = store.subscribe(page_size=10)
        following = asyncio.create_task(first(subscription, 50))
        for revision in range(25, 50):
            await append(store, commit(PUMP, revision))
        assert positions(await following) == list(range(1, 51))

    async def test_a_subscriber_goes_on_from_its_place(self, store: EventStore) -> None:
        await append(store, commit(PUMP, 0, *[event()] * 5))
        assert positions(await first(store.subscribe(Selection(after_position=3)), 2)) == [4, 5]

    async def test_a_place_ahead_of_the_log_is_waited_for(self, store: EventStore) -> None:
        following = asyncio.create_task(first(store.subscribe(Selection(after_position=3)), 1))
        for revision in range(4):
            await append(store, commit(PUMP, revision))
        assert positions(await following) == [4]

    async def test_a_selection_holds_in_the_past_and_in_the_future(self, store: EventStore) -> None:
        selection = Selection(prefixes=("thing:farm.one:",), types=("modified",))
        await append(store, commit(PUMP, 0, event(), event(kind="merged")), commit(GATE, 0))
        following = asyncio.create_task(first(store.subscribe(selection), 3))
        await append(store, commit(GATE, 1), commit(TANK, 0, event(kind="merged"), event()), commit(RULES, 0))
        await append(store, commit(PUMP, 2))
        assert [(e.stream, e.revision) for e in await following] == [(PUMP, 1), (TANK, 2), (PUMP, 3)]

    async def test_a_subscription_to_one_stream_sees_only_it(self, store: EventStore) -> None:
        following = asyncio.create_task(first(store.subscribe(Selection(stream=PUMP)), 2))
        await append(store, commit(PUMP, 0), commit(TANK, 0), commit(PUMP, 1))
        assert [e.revision for e in await following] == [1, 2]

    @pytest.mark.parametrize(
        ("selection", "expected"),
        [
            (Selection(to_position=2), [1, 2]),
            (Selection(to_position=5), [1, 2, 3, 4, 5]),
            (Selection(to_time=minutes(2)), [1, 2]),
            (Selection(from_time=minutes(1), to_time=minutes(5)), [2, 3, 4, 5]),
            (Selection(after_position=5, to_position=5), []),
        ],
    )
    async def test_a_subscription_to_a_selection_with_an_end_ends(
        self, store: EventStore, selection: Selection, expected: list[int]
    ) -> None:
        async def follow() -> list[int]:
            return [e.position async for batch in store.subscribe(selection) for e in batch]

        for revision in range(3):
            await append(store, commit(PUMP, revision), at=minutes(revision))
        async with asyncio.timeout(DEADLINE):
            following = asyncio.create_task(follow())
            for revision in range(3, 7):
                await append(store, commit(PUMP, revision), at=minutes(revision))
            assert await following == expected

    async def test_no_subscriber_misses_or_repeats_anything_at_the_seam(self, store: EventStore) -> None:
        async def write(stream: StreamName) -> None:
            for revision in range(0, 120, 3):
                await append(store, commit(stream, revision, event(), event(), event()))

        async def follow(size: int) -> list[int]:
            return positions(await first(store.subscribe(page_size=size), 360))

        async with asyncio.TaskGroup() as tasks:
            writers = [tasks.create_task(write(stream)) for stream in (PUMP, TANK, GATE)]
            followers = []
            for size in (1, 2, 7, 50, 1_000):
                followers.append(tasks.create_task(follow(size)))
                await append(store, commit(RULES, len(followers) - 1, event()))
        assert all(writer.done() for writer in writers)
        for follower in followers:
            assert follower.result() == list(range(1, len(follower.result()) + 1))

    async def test_a_subscriber_may_leave_and_another_come(self, store: EventStore) -> None:
        for round_ in range(3):
            following = asyncio.create_task(first(store.subscribe(Selection(after_position=round_)), 1))
            await append(store, commit(PUMP, round_))
            assert positions(await following) == [round_ + 1]


class EventStoreContract(AppendContract, ReadContract, SubscribeContract):
    """Everything; a subclass brings the fixture ``store``."""
