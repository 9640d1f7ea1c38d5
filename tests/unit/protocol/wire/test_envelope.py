from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import json
from protocol.errors import DittoError, JsonFieldMissing, JsonFormatInvalid, JsonInvalid, UnknownTopicPath
from protocol.json import MISSING, JsonObject
from protocol.wire.envelope import Envelope, decode_envelope, encode_envelope
from protocol.wire.topics import parse_topic
from tests.unit.protocol.values import json_values, keys
from tests.unit.protocol.wire.test_topics import topics

TOPIC = "farm.one/pump-7/things/twin/commands/modify"
objects = st.dictionaries(keys, json_values, max_size=3)
header_names = st.from_regex(r"\A[a-z][a-z-]{0,8}\Z")

envelopes = st.builds(
    Envelope,
    topic=topics(),
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    headers=st.dictionaries(header_names, json_values, max_size=3),
    value=json_values | st.just(MISSING),
    fields=st.none() | st.text(max_size=5),
    extra=st.none() | objects,
    status=st.none() | st.integers(100, 599),
    revision=st.none() | st.integers(0, 2**62),
    timestamp=st.none() | st.just("2026-01-02T03:04:05Z"),
    metadata=st.none() | objects,
)


@given(envelopes)
def test_printing_and_reading_are_inverse(envelope: Envelope) -> None:
    assert decode_envelope(encode_envelope(envelope)) == envelope


def test_members_are_printed_in_dittos_order_and_absent_ones_left_out() -> None:
    full = Envelope(
        topic=parse_topic(TOPIC),
        path="/",
        value=None,
        fields="a",
        extra={},
        status=200,
        revision=1,
        timestamp="t",
        metadata={},
    )
    names = ["topic", "headers", "path", "value", "extra", "status", "revision", "timestamp", "metadata", "fields"]
    assert list(as_object(encode_envelope(full))) == names
    assert list(as_object(encode_envelope(Envelope(topic=parse_topic(TOPIC), path="/")))) == names[:3]


def as_object(data: bytes) -> JsonObject:
    value = json.parse(data)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"", JsonInvalid),
        (b"{", JsonInvalid),
        (b"\xff", JsonInvalid),
        (b"[" * 200 + b"]" * 200, JsonInvalid),
        (b"[]", JsonInvalid),
        (b"null", JsonInvalid),
        (b'"text"', JsonInvalid),
        (b"{}", JsonFieldMissing),
        (b'{"path":"/"}', JsonFieldMissing),
        (b'{"topic":"a/b/things/twin/commands/modify"}', JsonFieldMissing),
        (b'{"topic":1,"path":"/"}', JsonFormatInvalid),
        (b'{"topic":"a/b/things/twin/commands/modify","path":["a"]}', JsonFormatInvalid),
        (b'{"topic":"a/b/things/twin/commands/modify","path":"/","headers":[]}', JsonFormatInvalid),
        (b'{"topic":"a/b/things/twin/commands/modify","path":"/","status":"200"}', JsonFormatInvalid),
        (b'{"topic":"a/b/things/twin/commands/modify","path":"/","status":true}', JsonFormatInvalid),
        (b'{"topic":"a/b/things/twin/commands/modify","path":"/","fields":["a"]}', JsonFormatInvalid),
        (b'{"topic":"a/b/things/twin/commands/modify","path":"/","extra":1}', JsonFormatInvalid),
        (b'{"topic":"a/b/things/twin/commands/explode","path":"/"}', UnknownTopicPath),
        (b'{"topic":"","path":"/"}', UnknownTopicPath),
    ],
)
def test_what_is_no_message_is_refused_with_its_own_error(message: bytes, error: type[DittoError]) -> None:
    with pytest.raises(error):
        decode_envelope(message)


def test_headers_may_be_missing_and_their_names_are_read_in_lower_case() -> None:
    assert decode_envelope(json.dump({"topic": TOPIC, "path": "/"})).headers == {}
    envelope = decode_envelope(json.dump({"topic": TOPIC, "path": "/", "headers": {"Correlation-ID": "c"}}))
    assert envelope.headers == {"correlation-id": "c"}


def test_defaults_hold_where_the_message_says_nothing() -> None:
    data = json.dump({"topic": TOPIC, "path": "/", "headers": {"Correlation-ID": "mine"}})
    defaults: JsonObject = {"correlation-id": "given", "reply-to": "queue"}
    assert decode_envelope(data, defaults).headers == {"correlation-id": "mine", "reply-to": "queue"}
    assert defaults == {"correlation-id": "given", "reply-to": "queue"}


def test_null_is_a_value_and_absent_is_none() -> None:
    assert decode_envelope(json.dump({"topic": TOPIC, "path": "/", "value": None})).value is None
    assert decode_envelope(json.dump({"topic": TOPIC, "path": "/"})).value is MISSING


def test_members_that_nobody_knows_are_ignored() -> None:
    data = json.dump({"topic": TOPIC, "path": "/", "value": 1, "colour": "red"})
    assert decode_envelope(data) == Envelope(topic=parse_topic(TOPIC), path="/", value=1)
