"""How a command is written into the log with its event, and how its answer is read back from there.

A repeat must be answered as the command was, in any process and after any restart. So an event says all of its
command's answer: the action and path give the status and the verb, its value is that of a 201, its revision is the
entity's, and the entity tag, which cannot always be told from the event alone (a merge below the root), stands in the
headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from eventstore.events import Commit, NewEvent, RecordedEvent, StreamAppend, StreamName
from protocol.enforcement.auth import AuthContext
from protocol.entities import EntityState
from protocol.json import MISSING, JsonObject, JsonValue, Missing, parse
from protocol.signals import Event, Response, Verb
from protocol.stored import CAUSATION_HEADER, TAG_HEADER, restore_event, store_event
from protocol.wire.headers import for_event
from services.commanding.pending import Pending
from services.commanding.rules import stream_name

ETAG: Final = TAG_HEADER
ORIGINATOR: Final = "ditto-originator"

_VERBS: Final[dict[str, Verb]] = {"modified": "modify", "merged": "merge", "deleted": "delete"}


def commit_of(
    pending: Pending,
    events: tuple[Event, ...],
    seen: Mapping[StreamName, EntityState | None],
    etag: JsonValue | Missing,
) -> Commit:
    """What the command appends; ``seen`` are the states that it was decided on, by stream.

    The command's own stream comes first, since the command id belongs to it. A state that was only looked at is
    asserted too: an append of no events which fails if the stream has moved on meanwhile.
    """
    headers: JsonObject = {**for_event(pending.command.headers), ORIGINATOR: pending.auth.default_subject}
    if pending.command_id is not None and not isinstance(etag, Missing):
        headers[ETAG] = etag
    if len(events) == 1:
        new = (_new_event(events[0], headers),)
        appends = [StreamAppend(stream=pending.stream, expected_revision=_revision(seen[pending.stream]), events=new)]
        for stream, state in seen.items():
            if stream != pending.stream:
                appends.append(StreamAppend(stream=stream, expected_revision=_revision(state), events=()))
        return Commit(appends=tuple(appends), command_id=pending.command_id)
    return Commit(appends=_appends(pending, events, seen, headers), command_id=pending.command_id)


def _appends(
    pending: Pending, events: tuple[Event, ...], seen: Mapping[StreamName, EntityState | None], headers: JsonObject
) -> tuple[StreamAppend, ...]:
    """Several streams: what the command causes elsewhere names the event of the command's own stream as its cause."""
    cause = f"{pending.stream}@{_revision(seen[pending.stream]) + 1}"
    new: dict[StreamName, list[NewEvent]] = {pending.stream: []}
    for event in events:
        stream = stream_name(event.entity_id)
        added = headers if stream == pending.stream else {**headers, CAUSATION_HEADER: cause}
        new.setdefault(stream, []).append(_new_event(event, added))
    streams = dict.fromkeys((*new, *seen))
    return tuple(
        StreamAppend(stream=stream, expected_revision=_revision(seen.get(stream)), events=tuple(new.get(stream, ())))
        for stream in streams
    )


def _new_event(event: Event, headers: JsonObject) -> NewEvent:
    kind, path, value, written = store_event(event, headers)
    return NewEvent(type=kind, path=path, value=value, headers=written)


def _revision(state: EntityState | None) -> int:
    return 0 if state is None else state.revision


def headers_of(event: RecordedEvent) -> JsonObject:
    """The headers that an event was stored with."""
    headers = parse(event.headers)
    return headers if isinstance(headers, dict) else {}


def originator_of(event: RecordedEvent) -> JsonValue:
    """The first subject of whoever caused the event."""
    return headers_of(event).get(ORIGINATOR)


def response_to_repeat(answer: Response, originator: JsonValue, auth: AuthContext) -> Response:
    """The answer to a repeated command: other callers than the originator get neither its value nor its entity tag."""
    if originator in auth.subjects:
        return answer
    headers = {name: value for name, value in answer.headers.items() if name != ETAG}
    return replace(answer, value=MISSING, headers=headers)


def stored_response(event: RecordedEvent, position: int | None = None) -> Response:
    """The answer that a command got, restored from its first event."""
    restored = restore_event(event.stream, event.type, event.path, event.value, event.headers)
    created = restored.action == "created"
    headers: JsonObject = {"entity-revision": event.revision}
    etag = headers_of(event).get(ETAG)
    if etag is not None:
        headers[ETAG] = etag
    return Response(
        entity_id=restored.entity_id,
        verb=_VERBS.get(event.type, "modify" if restored.path else "create"),
        path=restored.path,
        status=201 if created else 204,
        value=restored.value if created else MISSING,
        headers=headers,
        position=position or event.position,
    )
