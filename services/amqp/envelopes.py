"""The default mapper, whose payload is one Ditto envelope, and the envelope of a recorded event."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

from eventstore.events import RecordedEvent
from protocol.acknowledgements import Outcome
from protocol.errors import DittoError
from protocol.json import JsonValue
from protocol.signals import Action, CheckPermissions, Command, Incoming, Response, RetrieveThings
from protocol.stored import published_headers, published_path
from protocol.streams import entity_of
from protocol.wire.acks import outcomes_envelope
from protocol.wire.codec import event_envelope, from_checks, from_error, from_response, from_things, to_signal
from protocol.wire.envelope import CONTENT_TYPE, decode_envelope, encode_envelope, headers_said
from services.amqp.channels import Delivery
from services.amqp.frames import short_string
from services.amqp.requests import Request

MESSAGE_ID: Final = "ditto-message-id"
_ACTIONS: Final[Mapping[str, Action]] = {
    "created": "created",
    "modified": "modified",
    "merged": "merged",
    "deleted": "deleted",
}


class DittoMapper:
    """Envelopes in and out (Ditto documentation, *Connections: payload mapping*, mapper ``Ditto``)."""

    def __init__(self, new_id: Callable[[], str] | None = None) -> None:
        self._new_id = new_id or counted_ids()
        self._content_type = short_string(CONTENT_TYPE)

    @property
    def content_type(self) -> bytes:
        """``application/vnd.eclipse.ditto+json``."""
        return self._content_type

    def read(self, request: Request) -> Incoming:
        """Read an envelope; its headers win over the properties of the message, and a correlation id is never missing.

        The command id is the envelope's ``ditto-message-id``, else the message's ``message_id``, else what the request
        had before.
        """
        headers = self._defaults(request.delivery)
        request.headers = headers
        try:
            envelope = decode_envelope(request.delivery.body)
        except DittoError:
            headers.update(headers_said(request.delivery.body))
            raise
        request.topic = envelope.topic
        for name, value in envelope.headers.items():
            if value is not None:
                headers[name] = value
        message_id = headers.get(MESSAGE_ID)
        if isinstance(message_id, str) and message_id:
            request.command_id = message_id
        signal = to_signal(envelope, headers)
        request.headers = signal.headers
        request.signal = signal
        return signal

    def answer(self, request: Request, response: Response) -> bytes:
        """The response envelope."""
        match request.signal, response.value:
            case Command() as command, _:
                return encode_envelope(from_response(command, response))
            case RetrieveThings() as question, list() as things:
                return encode_envelope(from_things(question, things, response.headers))
            case CheckPermissions() as question, dict() as answers:
                return encode_envelope(from_checks(question, answers, response.headers))
            case _:
                raise ValueError("only a request that was read can be answered, and several things with a list")

    def outcomes(self, request: Request, outcomes: Mapping[str, Outcome]) -> bytes:
        """The envelope of the acknowledgements."""
        if not isinstance(request.signal, Command):
            raise TypeError("only a command asks for acknowledgements")
        return encode_envelope(outcomes_envelope(request.signal, outcomes))

    def refusal(self, request: Request, error: DittoError) -> bytes:
        """The error envelope."""
        return encode_envelope(from_error(error, topic_of=request.topic, headers=request.headers))

    def _defaults(self, delivery: Delivery) -> dict[str, JsonValue]:
        """What a message's properties say, as far as the envelope does not.

        The headers table is not trusted. The content type of an envelope says nothing about its value.
        """
        properties = delivery.properties
        defaults: dict[str, JsonValue] = {"correlation-id": properties.correlation_id or self._new_id()}
        if properties.reply_to:
            defaults["reply-to"] = properties.reply_to
        if properties.content_type and not properties.content_type.startswith(CONTENT_TYPE):
            defaults["content-type"] = properties.content_type
        return defaults


def counted_ids() -> Callable[[], str]:
    """Ids that differ from all others at a tenth of a UUID's price: one UUID, and a number."""
    own, numbers = uuid.uuid4().hex, count(1)
    return lambda: f"{own}-{next(numbers)}"


def envelope_of(event: RecordedEvent) -> bytes:
    """The envelope of an event of a thing or a policy, from the bytes of the log without reading them."""
    action = _ACTIONS[event.type]
    entity_id = entity_of(event.stream)
    path, headers = published_path(entity_id, event.path), published_headers(event.headers)
    return event_envelope(entity_id, action, path, event.value, headers, event.revision, event.recorded_at)
