"""Between envelopes and signals: what a message means, and how an answer or an event is said.

Which criteria can be read is the table ``_READERS``; a new kind of signal is a new row. Everything else a topic can
say is refused with the error that fits. Source: Ditto documentation pages *protocol-specification-things-...*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import orjson

from protocol import pointers
from protocol.enforcement.checks import read_checks
from protocol.errors import (
    DittoError,
    IllegalAdaptable,
    JsonFieldMissing,
    JsonFormatInvalid,
    MediaTypeUnsupported,
    PolicyIdInvalid,
    SignalUnsupported,
    ThingIdInvalid,
    ThingNotCreatable,
    ThingsIdsMissing,
    UnknownChannel,
    UnknownPath,
    UnknownTopicPath,
)
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import ROOT
from protocol.signals import (
    Action,
    CheckPermissions,
    Command,
    Headers,
    Incoming,
    Response,
    RetrieveThings,
    Signal,
    Verb,
)
from protocol.wire.acks import read_acknowledgement
from protocol.wire.envelope import Envelope
from protocol.wire.headers import JSON_TYPE, MERGE_PATCH_TYPE, for_response, media_type, read_headers, salvage_headers
from protocol.wire.search import read_search
from protocol.wire.timestamps import iso
from protocol.wire.topics import ANY, Topic, parse_topic

_VERBS: Final[Mapping[str, Verb]] = {
    "create": "create",
    "retrieve": "retrieve",
    "modify": "modify",
    "merge": "merge",
    "delete": "delete",
}
_WITH_VALUE: Final = frozenset({"create", "modify", "merge"})


def to_signal(envelope: Envelope, headers: Mapping[str, object] | None = None) -> Incoming:
    """What a message says to the service, its headers read and stripped of what only the service may set.

    Which paths there are is for the tables of resources to say; here only create and the retrieval of several things
    have a path of their own. A value that a command has no use for is ignored, as Ditto does. ``headers`` stand in for
    those of the envelope, for a transport that has more to say.
    """
    topic = envelope.topic
    reader = _READERS.get((topic.group, topic.channel, topic.criterion))
    if reader is None:
        raise _unsupported(envelope)
    if envelope.status is not None and topic.criterion != "acks":
        raise IllegalAdaptable("a command has no status; this is a response", topic=str(topic))
    return reader(envelope, read_headers(envelope.headers if headers is None else headers))


def _thing_command(envelope: Envelope, headers: Headers) -> Signal:
    topic = envelope.topic
    if topic.name == ANY and topic.action == "retrieve":
        return _retrieve_things(envelope, headers)
    verb = _verb(topic)
    return _command(envelope, ThingId.parse(topic.entity_id), verb, pointers.parse(envelope.path), headers)


def _policy_command(envelope: Envelope, headers: Headers) -> Signal:
    if envelope.topic.action == "checkPermissions":
        return _check_permissions(envelope, headers)
    verb = _verb(envelope.topic)
    path = pointers.parse_policy_path(envelope.path)
    return _command(envelope, PolicyId.parse(envelope.topic.entity_id), verb, path, headers)


_READERS: Final[Mapping[tuple[str, str | None, str], Callable[[Envelope, Headers], Incoming]]] = {
    ("things", "twin", "commands"): _thing_command,
    ("policies", None, "commands"): _policy_command,
    ("things", "twin", "search"): read_search,
    ("things", "twin", "acks"): read_acknowledgement,
    ("things", "live", "acks"): read_acknowledgement,
    ("things", "none", "acks"): read_acknowledgement,
    ("policies", None, "acks"): read_acknowledgement,
}


def _verb(topic: Topic) -> Verb:
    verb = _VERBS.get(topic.action or "")
    if verb is None:
        raise SignalUnsupported(str(topic), "this command is not served here")
    return verb


def _command(envelope: Envelope, entity_id: EntityId, verb: Verb, path: pointers.Pointer, headers: Headers) -> Command:
    if verb == "create" and path != ROOT:
        raise UnknownPath(envelope.path, "Create has the path '/'; to set a part of an entity use modify or merge.")
    if verb not in _WITH_VALUE:
        fields = envelope.fields if verb == "retrieve" else None
        return Command(entity_id=entity_id, verb=verb, path=path, fields=fields, headers=headers)
    if envelope.value is MISSING:
        raise JsonFieldMissing("value", f"the message of a {verb} command")
    if verb == "merge" and media_type(headers.get("content-type")) != MERGE_PATCH_TYPE:
        given = headers.get("content-type")
        raise MediaTypeUnsupported(given if isinstance(given, str) else None, (MERGE_PATCH_TYPE,))
    return Command(entity_id=entity_id, verb=verb, path=path, value=envelope.value, headers=headers)


def _retrieve_things(envelope: Envelope, headers: Headers) -> RetrieveThings:
    """Several things by their ids: ``{"thingIds": [...]}``, all of the topic's namespace unless that is ``_``."""
    if pointers.parse(envelope.path) != ROOT:
        raise UnknownPath(envelope.path, "To retrieve several things use the path '/' and select with 'fields'.")
    value = envelope.value
    given = value.get("thingIds") if isinstance(value, dict) else None
    if given is None or given == []:
        raise ThingsIdsMissing
    if not isinstance(given, list):
        raise JsonFormatInvalid("'/thingIds'", "an array of thing ids")
    namespace = None if envelope.topic.namespace == ANY else envelope.topic.namespace
    thing_ids = tuple([_listed_id(text, namespace, envelope.topic) for text in given])
    return RetrieveThings(thing_ids=thing_ids, namespace=namespace, fields=envelope.fields, headers=headers)


def _listed_id(text: JsonValue, namespace: str | None, topic: Topic) -> ThingId:
    if not isinstance(text, str):
        raise JsonFormatInvalid("'/thingIds'", "an array of thing ids")
    thing_id = ThingId.parse(text)
    if namespace is not None and thing_id.namespace != namespace:
        raise IllegalAdaptable(f"the thing '{thing_id}' is not in the namespace of the topic", topic=str(topic))
    return thing_id


def _check_permissions(envelope: Envelope, headers: Headers) -> CheckPermissions:
    """Questions about many entities, so the topic names none: ``_/_/policies/commands/checkPermissions``."""
    if pointers.parse(envelope.path) != ROOT:
        raise UnknownPath(envelope.path, "To check permissions use the path '/'.")
    if (envelope.topic.namespace, envelope.topic.name) != (ANY, ANY):
        raise IllegalAdaptable("permissions are checked with '_/_' instead of an id", topic=str(envelope.topic))
    if isinstance(envelope.value, Missing):
        raise JsonFieldMissing("value", "the message of a checkPermissions command")
    explain = headers.get("explain") in (True, "true")
    return CheckPermissions(checks=read_checks(envelope.value), explain=explain, headers=headers)


def _unsupported(envelope: Envelope) -> DittoError:
    """The error for a topic that exists in Ditto's grammar but leads nowhere here."""
    topic = envelope.topic
    if topic.channel == "live" and topic.criterion == "commands" and topic.action == "create":
        return ThingNotCreatable(
            topic.entity_id, "things cannot be created on the live channel", status=405, description=_USE_TWIN
        )
    if topic.channel in {"live", "none"} and topic.criterion != "acks":
        return UnknownChannel(str(topic.channel), _USE_TWIN)
    return SignalUnsupported(str(topic), _REASONS.get(topic.criterion, "it is not served here"))


_USE_TWIN: Final = "Only the channel 'twin' is served here; send the command with /things/twin/ in its topic."
_REASONS: Final[Mapping[str, str]] = {
    "events": "twin events follow from commands, clients cannot send them",
    "errors": "errors are sent by the service only",
    "announcements": "announcements are sent by the service only",
    "streaming": "streaming the history by messages is not served here",
}


def from_response(command: Command, response: Response) -> Envelope:
    """The message that answers a command: topic and path of what was done, with the command's correlation id."""
    headers = for_response(command.headers, response.headers)
    if response.value is not MISSING:
        headers["content-type"] = JSON_TYPE
    return Envelope(
        topic=_command_topic(response.entity_id, response.verb),
        path=_text(response.entity_id, response.path),
        headers=headers,
        value=response.value,
        status=response.status,
    )


def from_things(command: RetrieveThings, things: list[JsonValue], headers: Headers) -> Envelope:
    """The message that answers the retrieval of several things; those left out were missing or hidden."""
    return Envelope(
        topic=Topic(command.namespace or ANY, ANY, "things", "twin", "commands", action="retrieve"),
        path="/",
        headers={**for_response(command.headers, headers), "content-type": JSON_TYPE},
        value=things,
        status=200,
    )


def from_checks(command: CheckPermissions, answers: JsonValue, headers: Headers) -> Envelope:
    """The message that answers a check of permissions."""
    return Envelope(
        topic=Topic(ANY, ANY, "policies", None, "commands", action="checkPermissions"),
        path="/",
        headers={**for_response(command.headers, headers), "content-type": JSON_TYPE},
        value=answers,
        status=200,
    )


def from_error(error: DittoError, *, topic_of: Topic | str | None, headers: Mapping[str, object]) -> Envelope:
    """The message that tells a client what went wrong.

    ``topic_of`` is the topic of the message in question as far as it could be read, ``headers`` are its headers, read
    or raw; of these what can be read is kept. Without a topic the entity is ``unknown/unknown``, and so it is where the
    topic names none that there can be: Ditto's clients cannot read the error otherwise. Errors have no channel but the
    one of their group, ``twin`` for things unless they came by another.
    """
    kept = {name: value for name, value in salvage_headers(headers).items() if name != "content-type"}
    return Envelope(
        topic=_error_topic(topic_of),
        path="/",
        headers={**for_response(kept, error.headers), "content-type": JSON_TYPE},
        value=error.to_json(),
        status=error.status,
    )


def _error_topic(topic_of: Topic | str | None) -> Topic:
    if isinstance(topic_of, str):
        try:
            topic_of = parse_topic(topic_of)
        except UnknownTopicPath:
            topic_of = None
    if topic_of is None or topic_of.group == "connections":
        return Topic(_UNKNOWN, _UNKNOWN, "things", "twin", "errors")
    known = _names_an_entity(topic_of)
    namespace, name = (topic_of.namespace, topic_of.name) if known else (_UNKNOWN, _UNKNOWN)
    return Topic(namespace, name, topic_of.group, topic_of.channel, "errors")


_UNKNOWN: Final = "unknown"


def _names_an_entity(topic: Topic) -> bool:
    try:
        (PolicyId if topic.group == "policies" else ThingId).parse(topic.entity_id)
    except (PolicyIdInvalid, ThingIdInvalid):
        return False
    return True


def _text(entity_id: EntityId, path: pointers.Pointer) -> str:
    return pointers.policy_text(path) if isinstance(entity_id, PolicyId) else pointers.text(path)


def _command_topic(entity_id: EntityId, verb: Verb) -> Topic:
    if isinstance(entity_id, PolicyId):
        return Topic(entity_id.namespace, entity_id.name, "policies", None, "commands", action=verb)
    return Topic(entity_id.namespace, entity_id.name, "things", "twin", "commands", action=verb)


def event_envelope(
    entity_id: EntityId,
    action: Action,
    path: str,
    value: bytes | None,
    headers: bytes | Mapping[str, JsonValue],
    revision: int,
    timestamp: datetime,
) -> bytes:
    """The message of an event, printed at once: the way every published event takes.

    ``value`` and ``headers`` are JSON text as the log keeps it and go in byte for byte, unread. The headers are those
    of ``for_event`` and what the recording added; what follows from the event is written behind them.
    """
    kept = headers if isinstance(headers, bytes) else orjson.dumps(headers)
    added = _ADDED if value is None else _ADDED_MERGE if action == "merged" else _ADDED_JSON
    joined = b"%b%b%b%d}" % (kept[:-1], b"" if kept == b"{}" else b",", added, revision)
    kind = "/policies/events/" if isinstance(entity_id, PolicyId) else "/things/twin/events/"
    message: dict[str, object] = {
        "topic": entity_id.replace(":", "/", 1) + kind + action,
        "headers": orjson.Fragment(joined),
        "path": path,
    }
    if value is not None:
        message["value"] = orjson.Fragment(value)
    message["revision"] = revision
    message["timestamp"] = iso(timestamp)
    return orjson.dumps(message)


_ADDED: Final = b'"response-required":false,"entity-revision":'
_ADDED_JSON: Final = b'"content-type":"%b",%b' % (JSON_TYPE.encode(), _ADDED)
_ADDED_MERGE: Final = b'"content-type":"%b",%b' % (MERGE_PATCH_TYPE.encode(), _ADDED)
