"""The frames packed by hand are those that the AMQP library reads and would have written itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame as wire
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from services.amqp.frames import (
    acknowledgement,
    event_headers,
    persistent_properties,
    publication,
    publish_method,
    short_string,
    table,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)


def unpack(data: bytes) -> list[object]:
    frames: list[object] = []
    while data:
        size, channel, frame = wire.unmarshal(data)
        assert channel == 7
        frames.append(frame)
        data = data[size:]
    return frames


@given(exchange=TEXTS, routing_key=TEXTS, body=st.binary(max_size=300), frame_max=st.integers(20, 400))
def test_a_publication_is_read_back_as_it_was_packed(
    exchange: str, routing_key: str, body: bytes, frame_max: int
) -> None:
    properties = persistent_properties(
        content_type=short_string("application/json"),
        headers=event_headers("thing:a:b", 3, 2**40),
        correlation_id="c",
        message_id="m",
        timestamp=1_700_000_000,
        message_type="created",
    )
    packed = publication(publish_method(7, exchange, routing_key), 7, properties, body, frame_max)
    method, header, *bodies = unpack(packed)

    assert isinstance(method, Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory) == (exchange, routing_key, False)
    assert isinstance(header, ContentHeader)
    assert header.body_size == len(body)
    assert header.properties.headers == {"stream": "thing:a:b", "revision": 3, "position": 2**40}
    assert header.properties.delivery_mode == 2
    assert header.properties.correlation_id == "c"
    assert header.properties.message_id == "m"
    assert header.properties.message_type == "created"
    assert header.properties.timestamp is not None
    assert header.properties.timestamp.timestamp() == 1_700_000_000
    pieces = [piece.value for piece in bodies if isinstance(piece, ContentBody)]
    assert b"".join(pieces) == body
    assert all(len(piece) + 8 <= frame_max for piece in pieces)


@given(stream=st.text(max_size=400), revision=st.integers(1, 2**62), position=st.integers(1, 2**62))
def test_the_headers_of_an_event_are_an_ordinary_table(stream: str, revision: int, position: int) -> None:
    entries = (("stream", stream), ("revision", revision), ("position", position))
    assert event_headers(stream, revision, position) == table(entries)


@given(tag=st.integers(1, 2**62), multiple=st.booleans())
def test_an_acknowledgement_is_what_the_library_writes(tag: int, multiple: bool) -> None:
    expected = wire.marshal(Basic.Ack(delivery_tag=tag, multiple=multiple), 7)
    assert acknowledgement(7, tag, multiple=multiple) == expected


def test_an_empty_body_has_no_body_frame() -> None:
    packed = publication(publish_method(7, "", "q"), 7, persistent_properties(content_type=b"\x00"), b"", 4096)
    assert len(unpack(packed)) == 2


def test_a_short_string_holds_255_bytes_and_no_more() -> None:
    assert short_string("é" * 127 + "e")[0] == 255
    with pytest.raises(ValueError, match="255 bytes"):
        short_string("é" * 128)
