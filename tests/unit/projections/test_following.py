"""Passing over what is overwritten leads to the same state as following every event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore.events import RecordedEvent, StreamName
from projections.events import EntityState, follow, followed, freeze

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
THING = {"thingId": "farm:pump", "policyId": "farm:pump", "attributes": {"room": {"floor": 1}}, "features": {}}
METADATA = {"ditto-event-metadata": {"attributes": {"room": {"floor": {"unit": "storey"}}}}}

paths = st.sampled_from(
    ("/attributes/room", "/attributes/r~1m", "/attributes/other/deep", "/features/x/properties/a") * 3
    + ("/attributes/room/floor", "/attributes", "/features/motor", "/")
)
values = st.sampled_from((1, 2, {"floor": 3}, {}, {"floor": {"deep": True}}))
kinds = st.sampled_from(("modified", "modified", "modified", "created", "merged", "deleted"))
headers = st.sampled_from(({}, {}, {}, METADATA))


def recorded(revision: int, kind: str, path: str, value: object, its_headers: object) -> RecordedEvent:
    whole = {**THING, "attributes": {"room": value}} if path == "/" else value
    document = {"properties": {"rpm": value}} if path == "/features/motor" else whole
    return RecordedEvent(
        position=revision,
        stream=StreamName("thing:farm:pump"),
        revision=revision,
        type=kind,
        path=path,
        value=None if kind == "deleted" else orjson.dumps({"room": value} if path == "/attributes" else document),
        headers=orjson.dumps(its_headers),
        recorded_at=NOON + timedelta(seconds=revision),
        command_id=None,
    )


@settings(max_examples=300)
@given(st.lists(st.tuples(kinds, paths, values, headers), min_size=1, max_size=8), headers)
def test_the_state_is_the_same_as_event_by_event(
    changes: list[tuple[str, str, object, object]], first_headers: object
) -> None:
    first = recorded(1, "created", "/", {"floor": 1}, first_headers)
    events = [recorded(number, *change) for number, change in enumerate(changes, start=2)]
    one_by_one: EntityState | None = reduce(follow, [first, *events], None)
    assert one_by_one is not None
    for state, rest in ((None, [first, *events]), (follow(None, first), events)):
        found = followed(state, rest)
        assert freeze(found) == freeze(one_by_one)
        assert (found.revision, found.created, found.modified, found.deleted) == (
            one_by_one.revision,
            one_by_one.created,
            one_by_one.modified,
            one_by_one.deleted,
        )
