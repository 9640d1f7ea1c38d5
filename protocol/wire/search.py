"""The search protocol: pages of hits, pulled by the client (``_/_/things/twin/search/...``).

Source: Ditto documentation page *protocol-specification-things-search*.
"""

from __future__ import annotations

from typing import Final, assert_never

from protocol import pointers
from protocol.errors import IllegalAdaptable, JsonFieldMissing, JsonFormatInvalid, SignalUnsupported, UnknownPath
from protocol.json import MISSING, JsonObject, JsonValue
from protocol.pointers import ROOT
from protocol.signals import (
    CancelSearch,
    Headers,
    RequestPages,
    SearchCompleted,
    SearchCreated,
    SearchEvent,
    SearchFailed,
    SearchPage,
    SearchSignal,
    SubscribeToSearch,
)
from protocol.wire.envelope import Envelope
from protocol.wire.headers import JSON_TYPE, for_response
from protocol.wire.topics import ANY, Topic

DEMAND_MAX: Final = 2**63 - 1
"""A demand of this or more is without end (Reactive Streams, rule 3.17)."""


def read_search(envelope: Envelope, headers: Headers) -> SearchSignal:
    """What a client asks. The name in the topic is ``_``; a namespace there limits the search, as older clients say it.

    Whether filter, options and demand make sense is for the subscription to say, which has a way to say it.
    """
    topic = envelope.topic
    if topic.name != ANY:
        raise IllegalAdaptable("the search protocol is about no single thing: write '_' for its name", topic=str(topic))
    if pointers.parse(envelope.path) != ROOT:
        raise UnknownPath(envelope.path, "The search protocol uses the path '/'.")
    match topic.action:
        case "subscribe":
            return _subscribe(envelope, headers)
        case "request":
            value = _object(envelope)
            return RequestPages(subscription_id=_id(value), demand=_demand(value), headers=headers)
        case "cancel":
            return CancelSearch(subscription_id=_id(_object(envelope)), headers=headers)
        case _:
            raise SignalUnsupported(str(topic), "this is what the service says, not what it is told")


def search_envelope(event: SearchEvent, cause: Headers) -> Envelope:
    """The message of an event; ``cause`` are the headers of what it answers."""
    action, more = _said(event)
    return Envelope(
        topic=Topic(ANY, ANY, "things", "twin", "search", action=action),
        path="/",
        headers={**for_response(cause, {}), "content-type": JSON_TYPE},
        value={"subscriptionId": event.subscription_id, **more},
    )


def _said(event: SearchEvent) -> tuple[str, JsonObject]:
    match event:
        case SearchCreated():
            return "created", {}
        case SearchPage(items=items):
            return "next", {"items": items}
        case SearchCompleted():
            return "complete", {}
        case SearchFailed(error=error):
            return "failed", {"error": error}
        case _:
            assert_never(event)


def _subscribe(envelope: Envelope, headers: Headers) -> SubscribeToSearch:
    value = {} if envelope.value is MISSING or envelope.value is None else _object(envelope)
    rql = value.get("filter")
    if not (rql is None or isinstance(rql, str)):
        raise JsonFormatInvalid("'/filter'", "a query in RQL")
    namespaces = _namespaces(value.get("namespaces"))
    if envelope.topic.namespace != ANY:
        namespaces = (envelope.topic.namespace,) if namespaces is None else namespaces
    return SubscribeToSearch(
        filter=rql,
        option=_option(value.get("options")),
        namespaces=namespaces,
        fields=envelope.fields,
        headers=headers,
    )


def _option(value: JsonValue) -> str:
    """Options are one text or, as some pages of the documentation have it, an array of texts."""
    parts = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(part, str) for part in parts):
        raise JsonFormatInvalid("'/options'", "a text of options")
    return ",".join(str(part) for part in parts if part)


def _namespaces(value: JsonValue) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise JsonFormatInvalid("'/namespaces'", "an array of namespaces")
    return tuple(dict.fromkeys(map(str, value)))


def _object(envelope: Envelope) -> JsonObject:
    if not isinstance(envelope.value, dict):
        raise JsonFormatInvalid("'value'", "an object")
    return envelope.value


def _id(value: JsonObject) -> str:
    given = value.get("subscriptionId")
    if given is None:
        raise JsonFieldMissing("/subscriptionId", "the message of a search")
    if not isinstance(given, str):
        raise JsonFormatInvalid("'/subscriptionId'", "a text")
    return given


def _demand(value: JsonObject) -> int:
    given = value.get("demand")
    if given is None:
        raise JsonFieldMissing("/demand", "the message of a search")
    if not isinstance(given, int) or isinstance(given, bool):
        raise JsonFormatInvalid("'/demand'", "a whole number")
    return min(given, DEMAND_MAX)
