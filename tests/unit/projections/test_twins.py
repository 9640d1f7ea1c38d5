from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.events import RecordedEvent, StreamName
from projections.cache import BoundedCache
from projections.events import first_state, follow, freeze
from projections.grouping import by_entity, namespace_of
from projections.twins.loading import Snapshot
from projections.twins.memory import snapshot_of

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def event(stream: str, revision: int = 1, value: object = None, position: int = 1) -> RecordedEvent:
    return RecordedEvent(
        position=position,
        stream=StreamName(stream),
        revision=revision,
        type="created",
        path="/",
        value=orjson.dumps(value),
        headers=b"{}",
        recorded_at=NOW,
        command_id=None,
    )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(
    attributes=st.dictionaries(st.text(min_size=1), json_values, max_size=4), kind=st.sampled_from(["thing", "policy"])
)
def test_the_first_state_is_word_for_word_what_following_the_event_gives(
    attributes: dict[str, object], kind: str
) -> None:
    first = event(f"{kind}:farm:a", value={f"{kind}Id": "farm:a", "attributes": attributes})
    state = follow(None, first)
    assert first_state(first) == freeze(state)
    assert snapshot_of(first.stream, 1, state) == Snapshot(
        stream=first.stream,
        revision=1,
        position=1,
        created_at=NOW,
        modified_at=NOW,
        deleted=False,
        state=freeze(state),
    )


def test_events_are_grouped_by_entity_in_order_and_other_streams_left_out() -> None:
    events = [event("thing:n:a"), event("delivery:n:a"), event("policy:n:a"), event("thing:n:a", revision=2)]
    groups = by_entity(events)
    assert groups == {"thing:n:a": [events[0], events[3]], "policy:n:a": [events[2]]}


@pytest.mark.parametrize(
    ("stream", "namespace"), [("thing:farm.one:a", "farm.one"), ("thing::a", ""), ("policy:n:a:b", "n")]
)
def test_a_stream_tells_its_namespace(stream: str, namespace: str) -> None:
    assert namespace_of(StreamName(stream)) == namespace


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60)), max_size=40))
def test_a_cache_never_exceeds_its_bound_and_keeps_the_latest(puts: Sequence[tuple[str, int]]) -> None:
    cache: BoundedCache[int] = BoundedCache(100)
    for key, size in puts:
        cache.put(key, size, size)
        assert cache.get(key) == size
        assert sum(cache.get(name) or 0 for name in "abcdef") <= 100


def test_a_cache_drops_what_was_used_longest_ago() -> None:
    cache: BoundedCache[str] = BoundedCache(2)
    cache.put("a", "A", 1)
    cache.put("b", "B", 1)
    assert cache.get("a") == "A"
    cache.put("c", "C", 1)
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]
    cache.clear()
    assert len(cache) == 0
