"""The options that choose events, shared by every command that reads the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from eventstore.events import StreamName
from eventstore.store import Selection
from protocol.durations import parse_duration
from protocol.errors import DittoError
from protocol.identifiers import EntityId, PolicyId, ThingId

ENTITY_KINDS: Final[Mapping[str, Callable[[str], EntityId]]] = {"thing": ThingId.parse, "policy": PolicyId.parse}
EVENT_TYPES = ("created", "modified", "merged", "deleted")
OLDEST_AGE = timedelta(days=365_000)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, and the words it was said in, by which a later run knows the same selection."""

    text: str
    time: datetime


def moment(text: str) -> Moment:
    """A point in time: ISO 8601 (UTC when no zone is said), or an age such as ``90s``, ``15m``, ``2h``, ``7d``."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return Moment(text, datetime.now(UTC) - _age(text))
    return Moment(text, read if read.tzinfo else read.replace(tzinfo=UTC))


def _age(text: str) -> timedelta:
    try:
        return min(parse_duration(text), OLDEST_AGE)
    except (DittoError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is neither an ISO 8601 time nor an age such as 15m or 2h") from error


def event_type(text: str) -> str:
    """One of the stored event types."""
    if text not in EVENT_TYPES:
        raise typer.BadParameter(f"{text!r} is no event type; there are {', '.join(EVENT_TYPES)}")
    return text


def entity(text: str) -> str:
    """A stream name: ``ns:name`` is the thing of this id, ``policy:ns:name`` the policy."""
    kind, _, rest = text.partition(":")
    kind, entity_id = (kind, rest) if kind in ENTITY_KINDS and ":" in rest else ("thing", text)
    try:
        return f"{kind}:{ENTITY_KINDS[kind](entity_id)}"
    except DittoError as error:
        raise typer.BadParameter(f"{text!r} is no entity id; write namespace:name or policy:namespace:name") from error


After = Annotated[int, typer.Option("--after", min=0, help="Only events after this log position.")]
Since = Annotated[
    Moment | None,
    typer.Option("--since", parser=moment, metavar="TIME", help="From this time (ISO 8601) or age (15m, 7d) on."),
]
Until = Annotated[
    Moment | None, typer.Option("--until", parser=moment, metavar="TIME", help="Before this time (ISO 8601) or age.")
]
Namespaces = Annotated[
    list[str] | None,
    typer.Option("--namespace", "-n", metavar="NS", help="Only this namespace; repeatable."),
]
Entity = Annotated[
    str | None,
    typer.Option("--entity", "-e", parser=entity, metavar="ID", help="Only this thing, or policy:ID."),
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", "-t", parser=event_type, metavar="TYPE", help="Only this event type; repeatable."),
]


def select(
    *,
    after: int = 0,
    since: Moment | None = None,
    until: Moment | None = None,
    namespaces: list[str] | None = None,
    stream: str | None = None,
    types: list[str] | None = None,
) -> Selection:
    """The selection that the options describe."""
    prefixes = tuple(f"{kind}:{namespace}:" for namespace in namespaces or () for kind in ENTITY_KINDS)
    return Selection(
        after_position=after,
        from_time=since.time if since else None,
        to_time=until.time if until else None,
        stream=StreamName(stream) if stream else None,
        prefixes=prefixes,
        types=tuple(types or ()),
    )
