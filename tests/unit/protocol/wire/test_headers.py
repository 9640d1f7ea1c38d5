from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import (
    AcknowledgementLabelInvalid,
    AcknowledgementRequestParsingFailed,
    DittoError,
    HeaderInvalid,
    HeadersTooLarge,
    PolicyViewInvalid,
    TimeoutInvalid,
)
from protocol.json import JsonObject, JsonValue
from protocol.wire.headers import (
    ROWS,
    TABLE,
    for_event,
    for_response,
    is_internal,
    media_type,
    read_headers,
    salvage_headers,
)
from tests.unit.protocol.values import json_values

INTERNAL = [
    "ditto-auth-context",
    "auth-subjects",
    "ditto-sudo",
    "ditto-originator",
    "ditto-origin",
    "ditto-read-subjects",
    "ditto-entity-id",
    "ditto-retrieve-deleted",
    "ditto-dry-run",
    "ditto-something-new",
    "ditto-pre-defined-extra-fields-object",
    "ditto-weak-ack",
    "etag",
    "entity-revision",
    "historical-headers",
    "live-channel-condition-matched",
]

custom_names = st.from_regex(r"\Ax-[a-z]{1,5}\Z")
custom_headers = st.dictionaries(custom_names, json_values.filter(lambda value: value is not None), max_size=4)


@pytest.mark.parametrize(
    ("name", "raw", "typed"),
    [
        ("correlation-id", "c-1", "c-1"),
        ("correlation-id", 7, "7"),
        ("response-required", True, True),
        ("response-required", "false", False),
        ("version", "2", 2),
        ("version", 2, 2),
        ("timeout", "10s", "10s"),
        ("timeout", 10, "10"),
        ("channel", "live", "live"),
        ("requested-acks", ["twin-persisted", "my:ack", "my:ack"], ["twin-persisted", "my:ack"]),
        ("requested-acks", '["twin-persisted"]', ["twin-persisted"]),
        ("requested-acks", "twin-persisted, my:ack", ["twin-persisted", "my:ack"]),
        ("requested-acks", "", []),
        ("requested-acks", [], []),
        ("if-match", '"rev:1", W/"x"', '"rev:1", W/"x"'),
        ("if-none-match", "*", "*"),
        ("if-equal", "skip-minimizing-merge", "skip-minimizing-merge"),
        ("merge-thing-patch-conditions", '{"a":"eq(b,1)"}', {"a": "eq(b,1)"}),
        ("put-metadata", [{"key": "/a/b", "value": 1}], [{"key": "/a/b", "value": 1}]),
        ("get-metadata", ["/a", "/b"], "/a,/b"),
        ("at-historical-revision", "-1", -1),
        ("at-historical-timestamp", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("policy-view", "resolved", "resolved"),
        ("ditto-message-id", "m-1", "m-1"),
    ],
)
def test_known_headers_get_their_type(name: str, raw: object, typed: JsonValue) -> None:
    assert read_headers({name: raw}) == {name: typed}
    assert read_headers({name.upper(): raw}) == {name: typed}


@pytest.mark.parametrize(
    ("name", "raw", "error"),
    [
        ("correlation-id", "", HeaderInvalid),
        ("correlation-id", {}, HeaderInvalid),
        ("response-required", "TRUE", HeaderInvalid),
        ("response-required", 1, HeaderInvalid),
        ("version", "two", HeaderInvalid),
        ("version", True, HeaderInvalid),
        ("timeout", "soon", TimeoutInvalid),
        ("timeout", -1, TimeoutInvalid),
        ("channel", "dead", HeaderInvalid),
        ("requested-acks", "[", HeaderInvalid),
        ("requested-acks", {}, HeaderInvalid),
        ("requested-acks", [1], AcknowledgementRequestParsingFailed),
        ("requested-acks", ["a b c"], AcknowledgementLabelInvalid),
        ("requested-acks", ["ab"], AcknowledgementLabelInvalid),
        ("if-match", "rev:1", HeaderInvalid),
        ("if-match", '"a" "b"', HeaderInvalid),
        ("if-equal", "maybe", HeaderInvalid),
        ("merge-thing-patch-conditions", "[]", HeaderInvalid),
        ("put-metadata", "x", HeaderInvalid),
        ("at-historical-revision", "1.5", HeaderInvalid),
        ("at-historical-timestamp", "yesterday", HeaderInvalid),
        ("at-historical-timestamp", "2026-01-02T03:04:05", HeaderInvalid),
        ("policy-view", "x", PolicyViewInvalid),
        ("live-channel-timeout-strategy", "panic", HeaderInvalid),
    ],
)
def test_a_wrong_value_is_refused_with_its_own_error(name: str, raw: object, error: type[DittoError]) -> None:
    with pytest.raises(error):
        read_headers({name: raw})


@pytest.mark.parametrize("name", INTERNAL)
def test_what_only_the_service_may_set_is_stripped(name: str) -> None:
    assert read_headers({name: "x", name.upper(): {"any": "thing"}}) == {}


def test_null_drops_a_header() -> None:
    assert read_headers({"timeout": None, "mine": None}) == {}


@given(custom_headers)
def test_unknown_headers_survive_reading_answering_and_recording(headers: JsonObject) -> None:
    assert read_headers(headers) == headers
    assert for_event(headers) == headers
    assert headers.items() <= for_response(headers, {}).items()


def test_what_is_no_json_becomes_text() -> None:
    assert read_headers({"mine": b"x"}) == {"mine": "b'x'"}


def test_known_headers_have_a_budget() -> None:
    assert read_headers({"condition": "x" * 5000})
    with pytest.raises(HeadersTooLarge):
        read_headers({"condition": "x" * 5120})


def test_custom_headers_have_a_wider_one() -> None:
    assert read_headers({"mine": "x" * 6000})
    with pytest.raises(HeadersTooLarge):
        read_headers({"mine": ["x" * 70_000]})


def test_an_event_inherits_what_is_echoed_and_nothing_that_steered_the_command() -> None:
    command = read_headers(
        {
            "correlation-id": "c",
            "content-type": "application/merge-patch+json",
            "if-match": "*",
            "condition": "eq(a,1)",
            "response-required": True,
            "requested-acks": ["twin-persisted", "my:ack"],
            "traceparent": "t",
            "authorization": "secret",
            "ditto-message-id": "m",
            "mine": 1,
        }
    )
    assert for_event(command) == {"correlation-id": "c", "requested-acks": ["my:ack"], "traceparent": "t", "mine": 1}


def test_where_the_answer_goes_is_told_with_the_answer_and_not_with_the_event() -> None:
    command = read_headers({"reply-to": "private.queue", "correlation-id": "c"})
    assert for_event(command) == {"correlation-id": "c"}
    assert for_response(command, {})["reply-to"] == "private.queue"


def test_requests_for_built_in_acknowledgements_alone_are_not_passed_on() -> None:
    assert for_event({"requested-acks": ["twin-persisted", "search-persisted"]}) == {}


def test_a_response_says_what_the_command_left_and_its_own() -> None:
    command: JsonObject = {"correlation-id": "c", "content-type": "text/plain", "if-match": "*"}
    assert for_response(command, {"etag": '"rev:1"', "content-type": "application/json"}) == {
        "correlation-id": "c",
        "content-type": "application/json",
        "version": 2,
        "response-required": False,
        "etag": '"rev:1"',
    }


def test_neither_changes_the_headers_of_the_command() -> None:
    command: JsonObject = {"requested-acks": ["twin-persisted"]}
    for_event(command)
    for_response(command, {"etag": "x"})
    assert command == {"requested-acks": ["twin-persisted"]}


def test_of_unreadable_headers_the_readable_ones_are_saved() -> None:
    raw = {"Correlation-Id": "c", "timeout": "never", "ditto-sudo": True, "mine": 1}
    assert salvage_headers(raw) == {"correlation-id": "c", "mine": 1}


def test_the_table_names_each_header_once_in_lower_case() -> None:
    assert len(ROWS) == len(TABLE)
    assert all(name == name.lower() for name in ROWS)


def test_nothing_is_echoed_that_may_not_leave() -> None:
    assert [row.name for row in TABLE if row.echoed and not (row.inbound and row.outbound)] == []
    assert [name for name in INTERNAL if not is_internal(name)] == []


def test_a_media_type_comes_without_parameters() -> None:
    assert media_type("Application/JSON; charset=utf-8") == "application/json"
    assert media_type(None) is None
