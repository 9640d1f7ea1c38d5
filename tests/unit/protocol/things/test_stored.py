from __future__ import annotations

import pytest

from protocol.entities import evolve_entity
from protocol.identifiers import PolicyId, ThingId
from protocol.json import MISSING
from protocol.policies.state import PolicyState
from protocol.signals import Event
from protocol.stored import published_headers, published_path, restore_event, restore_state, store_event, store_state
from protocol.streams import entity_of, stream_of
from protocol.things.state import ThingState
from tests.unit.protocol.things.scenario import (
    ALICE,
    NOON,
    PUMP,
    created,
    deleted,
    merged,
    policy_created,
    policy_of,
    pump,
)

RESOURCE = ("entries", "owner", "resources", "thing:/features/a")


@pytest.mark.parametrize(
    ("entity_id", "stream"), [(ThingId("a.b:c:d"), "thing:a.b:c:d"), (PolicyId(":p"), "policy::p")]
)
def test_a_stream_is_named_for_its_entity(entity_id: ThingId | PolicyId, stream: str) -> None:
    assert stream_of(entity_id) == stream
    assert entity_of(stream) == entity_id
    assert type(entity_of(stream)) is type(entity_id)


@pytest.mark.parametrize("stream", ["thing", "thing:", "thing:a", "connection:a:b", ""])
def test_other_streams_hold_no_entity(stream: str) -> None:
    with pytest.raises(ValueError, match="no stream of a thing or policy"):
        entity_of(stream)


def test_an_event_is_stored_as_plain_text_that_keeps_null_and_nothing_apart() -> None:
    headers = {"correlation-id": "c-1"}
    assert store_event(merged("/attributes/a~0b", None), headers) == (
        "merged",
        "/attributes/a~0b",
        b"null",
        b'{"correlation-id":"c-1"}',
    )
    assert store_event(deleted(), {}) == ("deleted", "/", None, b"{}")


def test_a_stored_event_is_restored() -> None:
    assert restore_event("thing:" + PUMP, "merged", "/attributes/a~0b", b"null") == merged("/attributes/a~0b", None)
    assert restore_event("thing:" + PUMP, "deleted", "/", None) == deleted()
    assert restore_event("thing:" + PUMP, "deleted", "/", None).value is MISSING


def test_an_event_of_a_policy_keeps_the_slashes_of_its_keys() -> None:
    event = Event(entity_id=PolicyId("a:p"), action="modified", path=RESOURCE, value={"grant": [], "revoke": []})
    type_, path, value, _ = store_event(event, {})
    assert restore_event("policy:a:p", type_, path, value) == event


def test_the_key_of_a_resource_is_escaped_once_more_in_the_log_and_not_outside() -> None:
    path = ("entries", "owner", "resources", "thing:/a~0b")
    event = Event(entity_id=PolicyId("a:b"), action="deleted", path=path)
    _, stored, *_ = store_event(event, {})
    assert stored == "/entries/owner/resources/thing:/a~00b"
    assert restore_event("policy:a:b", "deleted", stored, None).path == path
    assert published_path(PolicyId("a:b"), stored) == "/entries/owner/resources/thing:/a~0b"
    assert published_path(PolicyId("a:b"), "/entries/o~0/subjects/x:a~0b") == "/entries/o~0/subjects/x:a~0b"
    assert published_path(ThingId("a:b"), "/attributes/a~00b") == "/attributes/a~00b"


def test_where_the_answer_to_a_command_went_stays_in_the_log() -> None:
    assert published_headers(b'{"correlation-id":"c","reply-to":"private.queue"}') == b'{"correlation-id":"c"}'


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ValueError, match="no event of a thing or policy"):
        restore_event("thing:a:b", "exploded", "/", None)


def test_the_state_of_a_thing_is_stored_with_its_metadata_beside_the_document() -> None:
    state = ThingState(
        thing_id=PUMP,
        policy_id=PolicyId(PUMP),
        document=pump(),
        revision=3,
        created=NOON,
        modified=NOON,
        size=90,
        metadata={"a": 1},
    )
    stored = store_state(state)
    assert stored == b'{"thingId":"farm.one:pump-7","policyId":"farm.one:pump-7","_metadata":{"a":1}}'
    restored = restore_state("thing:" + PUMP, stored, revision=3, created=NOON, modified=NOON, deleted=False)
    assert isinstance(restored, ThingState)
    assert (restored.document, restored.metadata, restored.revision) == (pump(), {"a": 1}, 3)


def test_the_state_of_a_policy_is_stored() -> None:
    policy = policy_created("farm.one:p", policy_of(ALICE, "farm.one:p"))
    state = evolve_entity(None, policy, revision=1, timestamp=NOON)
    stored = store_state(state)
    assert restore_state("policy:farm.one:p", stored, revision=1, created=NOON, modified=NOON, deleted=False) == state


def test_things_and_policies_evolve_by_their_own_rules() -> None:
    thing = evolve_entity(None, created(pump()), revision=1, timestamp=NOON)
    assert isinstance(thing, ThingState)
    policy_id = PolicyId("farm.one:p")
    policy = evolve_entity(None, policy_created(policy_id, policy_of(ALICE, policy_id)), revision=1, timestamp=NOON)
    changed = evolve_entity(
        policy,
        Event(entity_id=policy_id, action="modified", path=RESOURCE, value={"grant": ["READ"], "revoke": []}),
        revision=2,
        timestamp=NOON,
    )
    assert isinstance(changed, PolicyState)
    assert changed.document["entries"] == {
        **policy_of(ALICE)["entries"],  # type: ignore[dict-item] # the entries are an object
        "owner": {"resources": {"thing:/features/a": {"grant": ["READ"], "revoke": []}}},
    }
    gone = evolve_entity(changed, Event(entity_id=policy_id, action="deleted", path=()), revision=3, timestamp=NOON)
    assert isinstance(gone, PolicyState)
    assert (gone.deleted, gone.revision) == (True, 3)
