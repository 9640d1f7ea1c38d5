from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import errors, json
from protocol.errors import DittoError
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import MISSING, JsonObject, JsonValue
from protocol.signals import Acknowledgement, CheckPermissions, Command, PermissionCheck, Response, RetrieveThings
from protocol.wire.codec import event_envelope, from_checks, from_error, from_response, from_things, to_signal
from protocol.wire.envelope import Envelope, decode_envelope, encode_envelope
from protocol.wire.headers import ROWS, for_event
from protocol.wire.topics import parse_topic
from tests.unit.protocol.values import json_values
from tests.unit.protocol.wire.test_topics import topics

PUMP = ThingId.parse("farm.one:pump-7")
OWNERS = PolicyId.parse("farm.one:owners")
NOON = datetime(2026, 1, 2, 12, 0, 0, 678000, UTC)
MERGE: JsonObject = {"content-type": "application/merge-patch+json; charset=utf-8"}


def message(topic: str, path: str = "/", **members: object) -> Envelope:
    return Envelope(topic=parse_topic(topic), path=path, **members)  # type: ignore[arg-type]  # each test gives its own


@pytest.mark.parametrize(
    ("envelope", "command"),
    [
        (
            message("farm.one/pump-7/things/twin/commands/create", value={"a": 1}),
            Command(entity_id=PUMP, verb="create", path=(), value={"a": 1}),
        ),
        (
            message("farm.one/pump-7/things/twin/commands/modify", "/features/m/properties/rpm", value=900),
            Command(entity_id=PUMP, verb="modify", path=("features", "m", "properties", "rpm"), value=900),
        ),
        (
            message("farm.one/pump-7/things/twin/commands/modify", "/attributes/a", value=None),
            Command(entity_id=PUMP, verb="modify", path=("attributes", "a"), value=None),
        ),
        (
            message("farm.one/pump-7/things/twin/commands/merge", "/attributes", value={"a": None}, headers=MERGE),
            Command(entity_id=PUMP, verb="merge", path=("attributes",), value={"a": None}, headers=MERGE),
        ),
        (
            message("farm.one/pump-7/things/twin/commands/delete", "/attributes", value="ignored", fields="ignored"),
            Command(entity_id=PUMP, verb="delete", path=("attributes",)),
        ),
        (
            message("farm.one/pump-7/things/twin/commands/retrieve", fields="thingId"),
            Command(entity_id=PUMP, verb="retrieve", path=(), fields="thingId"),
        ),
        (
            message("farm.one/owners/policies/commands/modify", "/entries/o/resources/thing:/a/b", value={}),
            Command(entity_id=OWNERS, verb="modify", path=("entries", "o", "resources", "thing:/a/b"), value={}),
        ),
    ],
)
def test_a_command_is_understood(envelope: Envelope, command: Command) -> None:
    assert to_signal(envelope) == command


def test_several_things_are_retrieved_by_their_ids() -> None:
    value: JsonValue = {"thingIds": ["a:1", "b:2"]}
    assert to_signal(message("_/_/things/twin/commands/retrieve", value=value, fields="thingId")) == RetrieveThings(
        thing_ids=(ThingId("a:1"), ThingId("b:2")), fields="thingId"
    )
    assert to_signal(message("a/_/things/twin/commands/retrieve", value={"thingIds": ["a:1"]})) == RetrieveThings(
        thing_ids=(ThingId("a:1"),), namespace="a"
    )


ASKED: JsonObject = {"correlation-id": "c-1"}
FORBIDDEN = errors.AcknowledgementLabelForbidden


@pytest.mark.parametrize(
    ("envelope", "entity_id", "statuses"),
    [
        (message("a/p/policies/acks/my:ack", headers=ASKED, status=204), PolicyId("a:p"), {"my:ack": 204}),
        (message("a/p/things/twin/acks/my:ack", headers=ASKED, status=503), ThingId("a:p"), {"my:ack": 503}),
        (message("a/p/things/live/acks/my:ack", headers=ASKED, status=200), ThingId("a:p"), {"my:ack": 200}),
        (
            message("a/p/policies/acks", headers=ASKED, value={"one": {"status": 200}, "two": {"status": 408}}),
            PolicyId("a:p"),
            {"one": 200, "two": 408},
        ),
    ],
)
def test_an_acknowledgement_is_understood(envelope: Envelope, entity_id: EntityId, statuses: dict[str, int]) -> None:
    found = to_signal(envelope)
    assert isinstance(found, Acknowledgement)
    assert (found.entity_id, found.correlation_id, found.statuses) == (entity_id, "c-1", statuses)


THING = "farm.one/pump-7/things/twin/commands/"


@pytest.mark.parametrize(
    ("envelope", "error", "status"),
    [
        (message(THING + "create"), errors.JsonFieldMissing, 400),
        (message(THING + "modify", "/attributes/a"), errors.JsonFieldMissing, 400),
        (message(THING + "merge", headers=MERGE), errors.JsonFieldMissing, 400),
        (message(THING + "create", "/attributes", value={}), errors.UnknownPath, 400),
        (message(THING + "merge", value={"a": 1}), errors.MediaTypeUnsupported, 415),
        (
            message(THING + "merge", value={}, headers={"content-type": "application/json"}),
            errors.MediaTypeUnsupported,
            415,
        ),
        (message(THING + "modify", "/attributes//a", value=1), errors.JsonPointerInvalid, 400),
        (message(THING + "modify", "/attributes/a\n", value=1), errors.JsonKeyInvalid, 400),
        (message(THING + "modify", value=1, headers={"timeout": "never"}), errors.TimeoutInvalid, 400),
        (message(THING + "modify", value=1, headers={"version": "x"}), errors.HeaderInvalid, 400),
        (message(THING + "modify", value=1, status=204), errors.IllegalAdaptable, 422),
        (message(THING + "migrate", value={}), errors.SignalUnsupported, 400),
        (message("1/x/things/twin/commands/modify", value={}), errors.ThingIdInvalid, 400),
        (message("1/x/policies/commands/modify", value={}), errors.PolicyIdInvalid, 400),
        (message("_/_/things/twin/commands/modify", value={}), errors.ThingIdInvalid, 400),
        (message("_/_/things/twin/commands/retrieve"), errors.ThingsIdsMissing, 400),
        (message("_/_/things/twin/commands/retrieve", value={"thingIds": []}), errors.ThingsIdsMissing, 400),
        (message("_/_/things/twin/commands/retrieve", value={"thingIds": "a:1"}), errors.JsonFormatInvalid, 400),
        (message("_/_/things/twin/commands/retrieve", value={"thingIds": [1]}), errors.JsonFormatInvalid, 400),
        (message("_/_/things/twin/commands/retrieve", value={"thingIds": ["1"]}), errors.ThingIdInvalid, 400),
        (message("_/_/things/twin/commands/retrieve", "/a", value={"thingIds": ["a:1"]}), errors.UnknownPath, 400),
        (message("b/_/things/twin/commands/retrieve", value={"thingIds": ["a:1"]}), errors.IllegalAdaptable, 422),
        (message("a/b/things/live/commands/modify", value=1), errors.UnknownChannel, 400),
        (message("a/b/things/none/commands/modify", value=1), errors.UnknownChannel, 400),
        (message("a/b/things/live/commands/create", value={}), errors.ThingNotCreatable, 405),
        (message("a/b/things/live/events/modified", value=1), errors.UnknownChannel, 400),
        (message("a/b/things/live/messages/ask", "/inbox/messages/ask"), errors.UnknownChannel, 400),
        (message("a/b/things/twin/events/modified", value=1), errors.SignalUnsupported, 400),
        (message("a/b/things/twin/errors", value={}, status=404), errors.SignalUnsupported, 400),
        (message("a/b/things/twin/acks/my:ack", status=200), errors.AcknowledgementCorrelationIdMissing, 400),
        (message("a/b/policies/acks/my:ack", headers=ASKED), errors.JsonFieldMissing, 400),
        (message("a/b/policies/acks/my:ack", headers=ASKED, status=20), errors.JsonFormatInvalid, 400),
        (message("a/b/policies/acks/m", headers=ASKED, status=200), errors.AcknowledgementLabelInvalid, 400),
        (message("a/b/things/twin/acks/twin-persisted", headers=ASKED, status=200), FORBIDDEN, 400),
        (message("a/b/policies/acks", headers=ASKED), errors.JsonFormatInvalid, 400),
        (message("a/b/policies/acks", headers=ASKED, value={"my:ack": 200}), errors.JsonFieldMissing, 400),
        (message("_/_/things/twin/search/created", value={}), errors.SignalUnsupported, 400),
        (message("a/b/things/twin/streaming/request", value={}), errors.SignalUnsupported, 400),
        (message("a/b/policies/announcements/subjectDeletion", value={}), errors.SignalUnsupported, 400),
        (message("_/c/connections/announcements/opened", value={}), errors.SignalUnsupported, 400),
    ],
)
def test_what_is_no_command_for_us_is_refused_with_its_own_error(
    envelope: Envelope, error: type[DittoError], status: int
) -> None:
    with pytest.raises(error) as caught:
        to_signal(envelope)
    assert caught.value.status == status
    assert caught.value.description


def test_headers_of_a_command_are_typed_and_stripped() -> None:
    headers: JsonObject = {"Timeout": 10, "ditto-sudo": True, "mine": [1], "response-required": "true"}
    command = to_signal(message(THING + "delete", headers=headers))
    assert command.headers == {"timeout": "10", "mine": [1], "response-required": True}


def modify(**headers: JsonValue) -> Command:
    return Command(entity_id=PUMP, verb="modify", path=("attributes", "a"), value=1, headers=headers)


def test_a_response_has_the_topic_and_path_of_what_was_done() -> None:
    response = Response(entity_id=PUMP, verb="create", path=(), status=201, value={"thingId": PUMP})
    envelope = from_response(modify(mine="x", condition="eq(a,1)"), response)
    assert envelope == Envelope(
        topic=parse_topic("farm.one/pump-7/things/twin/commands/create"),
        path="/",
        headers={"mine": "x", "version": 2, "response-required": False, "content-type": "application/json"},
        value={"thingId": PUMP},
        status=201,
    )


def test_a_response_without_a_value_has_no_content_type_of_its_own() -> None:
    response = Response(entity_id=OWNERS, verb="delete", path=("entries", "a~b"), status=204, headers={"etag": "x"})
    envelope = from_response(modify(), response)
    assert envelope.path == "/entries/a~0b"
    assert str(envelope.topic) == "farm.one/owners/policies/commands/delete"
    assert envelope.headers == {"version": 2, "response-required": False, "etag": "x"}
    assert envelope.value is MISSING


def test_several_retrieved_things_come_as_an_array() -> None:
    command = RetrieveThings(thing_ids=(PUMP,), namespace="farm.one", headers={"correlation-id": "c"})
    envelope = from_things(command, [{"thingId": PUMP}], {})
    assert str(envelope.topic) == "farm.one/_/things/twin/commands/retrieve"
    assert (envelope.status, envelope.value) == (200, [{"thingId": PUMP}])
    assert envelope.headers["correlation-id"] == "c"


@pytest.mark.parametrize(
    ("topic_of", "topic"),
    [
        (None, "unknown/unknown/things/twin/errors"),
        ("nonsense", "unknown/unknown/things/twin/errors"),
        ("_/c/connections/announcements/opened", "unknown/unknown/things/twin/errors"),
        (THING + "modify", "farm.one/pump-7/things/twin/errors"),
        ("a/b/things/live/messages/x", "a/b/things/live/errors"),
        (parse_topic("a/b/policies/commands/modify"), "a/b/policies/errors"),
        ("/b/policies/commands/modify", "/b/policies/errors"),
        ("a b/c/policies/commands/modify", "unknown/unknown/policies/errors"),
        ("1a/c/things/twin/commands/modify", "unknown/unknown/things/twin/errors"),
        ("a/_/things/twin/commands/retrieve", "a/_/things/twin/errors"),
        ("_/_/things/twin/commands/retrieve", "unknown/unknown/things/twin/errors"),
        ("_/_/policies/commands/checkPermissions", "unknown/unknown/policies/errors"),
    ],
)
def test_an_error_goes_to_the_errors_of_its_entity(topic_of: str, topic: str) -> None:
    assert str(from_error(errors.JsonInvalid("no"), topic_of=topic_of, headers={}).topic) == topic


def test_an_error_keeps_what_can_be_read_of_the_headers() -> None:
    raw: JsonObject = {"correlation-id": "c", "timeout": "never", "content-type": "x/y", "mine": 1}
    error = errors.PreconditionFailed("If-Match", '"rev:1"', '"rev:2"')
    envelope = from_error(error, topic_of=THING + "modify", headers=raw)
    assert (envelope.status, envelope.path, envelope.value) == (412, "/", error.to_json())
    assert envelope.headers == {
        "correlation-id": "c",
        "mine": 1,
        "version": 2,
        "response-required": False,
        "etag": '"rev:2"',
        "content-type": "application/json",
    }


def test_an_event_is_printed_as_ditto_prints_it() -> None:
    headers = json.dump(for_event({"correlation-id": "c"}) | {"ditto-originator": "nginx:alice"})
    printed = event_envelope(PUMP, "modified", "/features/m/properties/rpm", b"900", headers, 12, NOON)
    assert printed == (
        b'{"topic":"farm.one/pump-7/things/twin/events/modified",'
        b'"headers":{"correlation-id":"c","ditto-originator":"nginx:alice","content-type":"application/json",'
        b'"response-required":false,"entity-revision":12},'
        b'"path":"/features/m/properties/rpm","value":900,"revision":12,"timestamp":"2026-01-02T12:00:00.678Z"}'
    )


@pytest.mark.parametrize(
    ("action", "content_type"),
    [("created", "application/json"), ("modified", "application/json"), ("merged", "application/merge-patch+json")],
)
def test_the_content_type_of_an_event_is_that_of_its_value(action: str, content_type: str) -> None:
    printed = event_envelope(PUMP, action, "/", b"{}", b"{}", 1, NOON)  # type: ignore[arg-type]  # the actions above
    assert decode_envelope(printed).headers["content-type"] == content_type


def test_a_deletion_has_neither_value_nor_content_type() -> None:
    envelope = decode_envelope(event_envelope(OWNERS, "deleted", "/", None, {}, 3, NOON))
    assert str(envelope.topic) == "farm.one/owners/policies/events/deleted"
    assert envelope.value is MISSING
    assert envelope.headers == {"response-required": False, "entity-revision": 3}


@given(json_values)
def test_the_value_of_an_event_goes_out_byte_for_byte(value: JsonValue) -> None:
    text = json.dump(value)
    printed = event_envelope(PUMP, "modified", "/attributes/a", text, {"mine": value}, 1, NOON)
    assert b'"value":' + text + b',"revision":1' in printed
    assert json.same(decode_envelope(printed).headers["mine"], value)


def test_names_that_need_escaping_are_escaped() -> None:
    odd = ThingId.parse('a:x"y\\z:w')
    envelope = decode_envelope(event_envelope(odd, "deleted", '/attributes/"', None, {}, 1, NOON))
    assert (envelope.topic.name, envelope.path) == ('x"y\\z:w', '/attributes/"')


@given(
    st.fixed_dictionaries(
        {"topic": topics().map(str), "path": st.text(alphabet="/ab~0 \n", max_size=8)},
        optional={
            "headers": st.dictionaries(st.sampled_from(list(ROWS)) | st.text(max_size=3), json_values, max_size=3),
            "value": json_values | st.fixed_dictionaries({"thingIds": json_values}),
            "fields": json_values,
            "status": json_values,
        },
    )
)
def test_any_message_is_a_signal_or_an_error_of_the_client(message: JsonObject) -> None:
    data = json.dump(message)
    try:
        signal = to_signal(decode_envelope(data))
    except DittoError as error:
        refused = decode_envelope(encode_envelope(from_error(error, topic_of=None, headers={})))
        is_answer = refused.status == error.status < 500
    else:
        is_answer = isinstance(signal, Command | RetrieveThings)
    assert is_answer


@given(st.binary(max_size=30) | st.text(alphabet='{}[]":,a0', max_size=20).map(str.encode))
def test_any_bytes_are_an_envelope_or_an_error_of_the_client(data: bytes) -> None:
    with pytest.raises((errors.JsonError, errors.UnknownTopicPath)):
        decode_envelope(data)


def test_permissions_are_checked_with_a_topic_of_no_entity_and_answered_there() -> None:
    value = {"mine": {"resource": "thing:/features/x", "entityId": "a:b", "hasPermissions": ["READ", "WRITE"]}}
    topic = "_/_/policies/commands/checkPermissions"
    signal = to_signal(message(topic, value=value, headers={"correlation-id": "c", "explain": True}))
    check = PermissionCheck(
        entity_id=ThingId("a:b"), resource_type="thing", path=("features", "x"), permissions=("READ", "WRITE")
    )
    assert isinstance(signal, CheckPermissions)
    assert (signal.checks, signal.explain) == ({"mine": check}, True)
    answer = from_checks(signal, {"mine": True}, {})
    assert (str(answer.topic), answer.path, answer.value, answer.status) == (topic, "/", {"mine": True}, 200)
    assert answer.headers["correlation-id"] == "c"


@pytest.mark.parametrize(
    ("envelope", "error"),
    [
        (message("a/b/policies/commands/checkPermissions", value={}), errors.IllegalAdaptable),
        (message("_/_/policies/commands/checkPermissions", "/entries", value={}), errors.UnknownPath),
        (message("_/_/policies/commands/checkPermissions"), errors.JsonFieldMissing),
        (message("_/_/policies/commands/checkPermissions", value=[]), errors.JsonFormatInvalid),
        (message("_/_/policies/commands/checkPermissions", value={"a": {}}), errors.JsonFieldMissing),
    ],
)
def test_a_check_of_permissions_that_cannot_be_read(envelope: Envelope, error: type[DittoError]) -> None:
    with pytest.raises(error):
        to_signal(envelope)
