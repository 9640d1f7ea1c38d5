"""How events and states are written down: the stored forms, which outlive the names in the code.

An event is stored as its action, its path as pointer text, its value as JSON text and its headers as JSON text; the
stream's name tells the entity. A state is stored as one JSON object, the document with ``_metadata`` beside it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, get_args

from protocol.entities import EntityState
from protocol.identifiers import EntityId, PolicyId
from protocol.json import MISSING, JsonObject, Missing, dump, parse
from protocol.pointers import parse as parse_path
from protocol.pointers import parse_recorded_policy_path, policy_text, text
from protocol.policies.state import PolicyState
from protocol.signals import Action, Cause, Event, Headers
from protocol.streams import entity_of
from protocol.things.state import ThingState, policy_of
from protocol.wire.headers import REPLY_TO

CAUSE_HEADER: Final = "ditto-cause"
"""The stored header that says why the service itself did something: ``expiry`` for a subject whose time was over."""

METADATA_HEADER: Final = "ditto-event-metadata"
"""The stored header that bears an event's change of metadata. It never leaves the service."""

CAUSATION_HEADER: Final = "ditto-causation"
"""The stored header that names the event (``<stream>@<revision>``) which this one was appended with."""

TAG_HEADER: Final = "etag"
"""The stored header with the entity tag that the command was answered with."""

PRIVATE_HEADERS: Final = frozenset({METADATA_HEADER, CAUSATION_HEADER, REPLY_TO})
"""What the log keeps of an event for ourselves, or kept: events of old name the address of the command's answer."""

_CAUSES: Final[dict[object, Cause]] = {cause: cause for cause in get_args(Cause)}
_CAUSE_MARK: Final = CAUSE_HEADER.encode()
_TAG_MARK: Final = TAG_HEADER.encode()
_MARK: Final = METADATA_HEADER.encode()
_PRIVATE_MARKS: Final = tuple(name.encode() for name in PRIVATE_HEADERS)
_EXPIRED: Final = "_expired"
_DEPTH: Final = 1000
"""What was stored is read whatever limits hold by now."""

_ACTIONS: dict[str, Action] = {action: action for action in get_args(Action)}


def store_event(event: Event, headers: Headers) -> tuple[str, str, bytes | None, bytes]:
    """Type, path, value and headers of the event as the log keeps them; no value is ``None``, JSON null is ``null``."""
    value = event.printed
    if value is None and not isinstance(event.value, Missing):
        value = dump(event.value)
    kept = dict(headers) if event.metadata is None else {**headers, METADATA_HEADER: event.metadata}
    if event.cause is not None:
        kept[CAUSE_HEADER] = event.cause
    return event.action, text(event.path), value, dump(kept)


def restore_event(stream: str, type_: str, path: str, value: bytes | None, headers: bytes = b"{}") -> Event:
    """The event that was stored; ``ValueError`` for a stream or type that this service never wrote.

    Without the stored headers the event comes back without its change of metadata and its cause.
    """
    action = _ACTIONS.get(type_)
    if action is None:
        raise ValueError(f"no event of a thing or policy: {type_!r}")
    entity_id = entity_of(stream)
    return Event(
        entity_id=entity_id,
        action=action,
        path=parse_recorded_policy_path(path) if isinstance(entity_id, PolicyId) else parse_path(path),
        value=MISSING if value is None else parse(value, max_depth=_DEPTH),
        metadata=_metadata(headers) if _MARK in headers else None,
        cause=_cause(headers) if _CAUSE_MARK in headers else None,
        printed=value,
    )


def published_path(entity_id: EntityId, path: str) -> str:
    """The stored path as it leaves the service."""
    if "~" not in path or not isinstance(entity_id, PolicyId):
        return path
    return policy_text(parse_recorded_policy_path(path))


def carries_metadata(headers: bytes) -> bool:
    """Whether the stored headers hold a change of metadata."""
    return _MARK in headers


def published_headers(headers: bytes) -> bytes:
    """The stored headers as they may leave the service with the event: without what is kept for ourselves."""
    if not any(mark in headers for mark in _PRIVATE_MARKS):
        return headers
    stored = parse(headers, max_depth=_DEPTH)
    if not isinstance(stored, dict):
        return headers
    return dump({name: value for name, value in stored.items() if name not in PRIVATE_HEADERS})


def headers_of_part(headers: bytes) -> bytes:
    """The stored headers as they may go to who sees a part of the event, or another part of the entity than it changed.

    The entity tag is a hash of the whole value: of something short, like a PIN, it tells the value itself.
    """
    if _TAG_MARK not in headers:
        return headers
    stored = parse(headers, max_depth=_DEPTH)
    if not isinstance(stored, dict):
        return headers
    return dump({name: value for name, value in stored.items() if name != TAG_HEADER})


def store_state(state: EntityState) -> bytes:
    """The state as one JSON object; revision, times and the mark of deletion are kept beside it, not in it."""
    if isinstance(state, ThingState) and state.metadata:
        return dump({**state.document, "_metadata": state.metadata})
    if isinstance(state, PolicyState) and state.expired:
        return dump({**state.document, _EXPIRED: list(state.expired)})
    return dump(state.document)


def restore_state(
    stream: str, json: bytes, *, revision: int, created: datetime, modified: datetime, deleted: bool
) -> EntityState:
    """The state that was stored for the entity of the stream."""
    entity_id = entity_of(stream)
    stored = parse(json, max_depth=_DEPTH)
    document: JsonObject = stored if isinstance(stored, dict) else {}
    if isinstance(entity_id, PolicyId):
        expired = document.pop(_EXPIRED, None)
        return PolicyState(
            policy_id=entity_id,
            document=document,
            expired=tuple(map(str, expired)) if isinstance(expired, list) else (),
            revision=revision,
            created=created,
            modified=modified,
            deleted=deleted,
        )
    metadata = document.pop("_metadata", None)
    return ThingState(
        thing_id=entity_id,
        policy_id=policy_of(document),
        document=document,
        revision=revision,
        created=created,
        modified=modified,
        size=len(json),
        deleted=deleted,
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _cause(headers: bytes) -> Cause | None:
    stored = parse(headers, max_depth=_DEPTH)
    return _CAUSES.get(stored.get(CAUSE_HEADER)) if isinstance(stored, dict) else None


def _metadata(headers: bytes) -> JsonObject | None:
    stored = parse(headers, max_depth=_DEPTH)
    metadata = stored.get(METADATA_HEADER) if isinstance(stored, dict) else None
    return metadata if isinstance(metadata, dict) else None
