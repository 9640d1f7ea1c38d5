"""The headers that Ditto knows: their types, their directions, and who may set them.

Source: Ditto documentation page *protocol-specification* (headers) and the definitions of its Java implementation.
Headers that are not in the table are the users' own: they pass through unchanged, from a command to its response and
to its event. Names are lower case everywhere inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from protocol.errors import DittoError, HeadersTooLarge
from protocol.json import JsonObject, JsonValue
from protocol.wire import header_types as types
from protocol.wire.header_types import Reader

MAX_KNOWN_BYTES: Final = 5120
"""Ditto's budget for the known headers of one message."""

MAX_BYTES: Final = 65536
"""Our bound for all headers together; Ditto leaves custom ones to the transport."""

JSON_TYPE: Final = "application/json"
MERGE_PATCH_TYPE: Final = "application/merge-patch+json"

BUILT_IN_LABELS: Final = frozenset({"twin-persisted", "search-persisted", "live-response"})
"""Acknowledgements that the service gives itself; subscribers never see them requested."""


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """One known header.

    ``inbound``: clients may set it on a signal; otherwise it is stripped. ``outbound``: the service may write it to the
    outside. ``echoed``: a command's value goes on to its response and event; the others are said anew or not at all.
    """

    name: str
    read: Reader
    inbound: bool = False
    outbound: bool = False
    echoed: bool = False


def _both(name: str, read: Reader) -> HeaderRow:
    return HeaderRow(name, read, inbound=True, outbound=True, echoed=True)


def _said_anew(name: str, read: Reader) -> HeaderRow:
    return HeaderRow(name, read, inbound=True, outbound=True)


def _inbound(name: str, read: Reader) -> HeaderRow:
    return HeaderRow(name, read, inbound=True)


def _service(name: str, read: Reader) -> HeaderRow:
    return HeaderRow(name, read, outbound=True)


def _internal(name: str) -> HeaderRow:
    return HeaderRow(name, types.text)


REPLY_TO: Final = "reply-to"
"""Where the answer goes; the only header of a command that its answer inherits and its event does not."""

TABLE: Final = (
    _both("correlation-id", types.filled_text),
    _both(REPLY_TO, types.text),
    _both("requested-acks", types.labels),
    _both("timeout", types.duration),
    _both("channel", types.one_of("twin", "live")),
    _both("version", types.whole_number),
    _both("location", types.text),
    _both("dry-run", types.boolean),
    _both("divert-response-to-connection", types.text),
    _both("divert-expected-response-types", types.json_array),
    _both("diverted-response-from-connection", types.text),
    _both("traceparent", types.text),
    _both("tracestate", types.text),
    _both("timestamp", types.text),
    _both("status", types.whole_number),
    _both("allow-policy-lockout", types.boolean),
    _said_anew("content-type", types.text),
    _said_anew("response-required", types.boolean),
    _inbound("accept", types.text),
    _inbound("authorization", types.text),
    _inbound("declared-acks", types.labels),
    _inbound("condition", types.text),
    _inbound("if-match", types.entity_tags),
    _inbound("if-none-match", types.entity_tags),
    _inbound("if-equal", types.one_of("update", "skip", "skip-minimizing-merge")),
    _inbound("live-channel-condition", types.text),
    _inbound("live-channel-timeout-strategy", types.one_of("fail", "use-twin")),
    _inbound("merge-thing-patch-conditions", types.json_object),
    _inbound("put-metadata", types.json_array),
    _inbound("get-metadata", types.pointer_list),
    _inbound("delete-metadata", types.pointer_list),
    _inbound("policy-view", types.policy_view),
    _inbound("at-historical-revision", types.whole_number),
    _inbound("at-historical-timestamp", types.moment),
    # Not Ditto's: the id under which a command is carried out once, however often it is delivered.
    _inbound("ditto-message-id", types.filled_text),
    _service("etag", types.text),
    _service("entity-revision", types.whole_number),
    _service("live-channel-condition-matched", types.boolean),
    _service("ditto-metadata", types.json_object),
    _service("historical-headers", types.json_object),
    _service("ditto-originator", types.text),
    _service("ditto-weak-ack", types.boolean),
    _service("ditto-connection-id", types.text),
    _service("www-authenticate", types.text),
    _service("ditto-message-direction", types.text),
    _service("ditto-message-subject", types.text),
    _service("ditto-message-thing-id", types.text),
    _service("ditto-message-feature-id", types.text),
    _internal("auth-subjects"),
    _internal("ditto-auth-context"),
    _internal("ditto-read-subjects"),
    _internal("ditto-read-revoked-subjects"),
    _internal("ditto-origin"),
    _internal("ditto-reply-target"),
    _internal("ditto-expected-response-types"),
    _internal("ditto-inbound-payload-mapper"),
    _internal("ditto-entity-id"),
    _internal("ditto-event-journal-tags"),
    _internal("ditto-sudo"),
    _internal("ditto-retrieve-deleted"),
    _internal("ditto-ackgregator-address"),
    _internal("ditto-pre-defined-extra-fields"),
    _internal("ditto-partial-access-paths"),
    _internal("ditto-policy-view-fields-selector"),
    _internal("ditto-dry-run"),
)

ROWS: Final[Mapping[str, HeaderRow]] = {row.name: row for row in TABLE}

_readers: Final = {row.name: row.read for row in TABLE if row.inbound}
_kept_back: Final = frozenset(row.name for row in TABLE if not row.echoed)
_WORD: Final = 5
_json_types: Final = frozenset({str, int, float, bool, list, dict})


def read_headers(raw: Mapping[str, object]) -> JsonObject:
    """The typed headers of a signal from outside, ready to be trusted.

    What only the service may set is left out silently: the rows without ``inbound`` and every other name that begins
    with ``ditto-``. A null value drops its header. ``HeaderInvalid``, or the header's own error, for a wrong value;
    ``HeadersTooLarge`` beyond the budget.
    """
    headers: JsonObject = {}
    known = total = 0
    for given, value in raw.items():
        if value is None:
            continue
        name = given if given in _readers else given.lower()
        read = _readers.get(name)
        if read is not None:
            headers[name] = typed = read(name, value)
            known += len(name) + (len(typed) if type(typed) is str else _size(typed))
        elif not is_internal(name):
            headers[name] = typed = _custom(value)
            total += len(name) + (len(typed) if type(typed) is str else _size(typed))
    if known > MAX_KNOWN_BYTES:
        raise HeadersTooLarge(known, MAX_KNOWN_BYTES)
    if known + total > MAX_BYTES:
        raise HeadersTooLarge(known + total, MAX_BYTES)
    return headers


def salvage_headers(raw: Mapping[str, object]) -> JsonObject:
    """Those of the headers that can be read, for the answer to a message that cannot."""
    headers: JsonObject = {}
    for name, value in raw.items():
        try:
            headers |= read_headers({name: value})
        except DittoError:
            continue
    return headers


def is_internal(name: str) -> bool:
    """Whether a lower-case name is reserved for the service when a message comes in."""
    return name in ROWS or name.startswith("ditto-")


def for_event(command_headers: Mapping[str, JsonValue]) -> JsonObject:
    """What a command's headers leave to its event: the echoed and the users' own, without built-in acknowledgements.

    Content type, revision and ``response-required: false`` of an event follow from the event; the codec writes them.
    Where the answer to the command goes is no concern of those who hear of the event: nobody answers that, and the name
    of a queue is all that it takes to write into it.
    """
    headers = _inherited(command_headers)
    headers.pop(REPLY_TO, None)
    return headers


def _inherited(command_headers: Mapping[str, JsonValue]) -> JsonObject:
    headers: JsonObject = {name: value for name, value in command_headers.items() if name not in _kept_back}
    if "requested-acks" in headers:
        _keep_custom_labels(headers)
    return headers


def for_response(command_headers: Mapping[str, JsonValue], response_headers: Mapping[str, JsonValue]) -> JsonObject:
    """The headers of a response: what the command leaves, then what the response says itself.

    The content type of the command is inherited unless the response has its own, as in Ditto.
    """
    headers = _inherited(command_headers)
    if "content-type" in command_headers:
        headers["content-type"] = command_headers["content-type"]
    headers["version"] = 2
    headers["response-required"] = False
    headers.update(response_headers)
    return headers


def media_type(content_type: JsonValue) -> str | None:
    """The bare type of a content type: ``application/json`` for ``Application/JSON; charset=utf-8``."""
    return content_type.partition(";")[0].strip().lower() if isinstance(content_type, str) else None


def _keep_custom_labels(headers: JsonObject) -> None:
    requested = headers.pop("requested-acks")
    custom = [label for label in requested if label not in BUILT_IN_LABELS] if isinstance(requested, list) else []
    if custom:
        headers["requested-acks"] = custom


def _custom(value: object) -> JsonValue:
    """A user's own value: JSON as it is, anything else a transport may carry as text."""
    if type(value) in _json_types:
        return value  # type: ignore[return-value]  # one of the JSON types, as just checked
    return str(value)


def _size(value: JsonValue) -> int:
    return _WORD if type(value) is bool else len(orjson.dumps(value))
