"""The two stages of an event's life: new, then recorded; and what an append asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

StreamName = NewType("StreamName", str)
"""``<category>:<id>``, e.g. ``thing:farm.one:pump-7``. The store reads nothing into it but prefixes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event on its way into the log. ``value`` and ``headers`` are JSON text in UTF-8, kept byte for byte."""

    type: str
    path: str
    value: bytes | None
    headers: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event in the log: ``revision`` counts in its stream, ``position`` in the log, both from 1 without holes."""

    position: int
    stream: StreamName
    revision: int
    type: str
    path: str
    value: bytes | None
    headers: bytes
    recorded_at: datetime
    command_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAppend:
    """New events for one stream, valid only if the stream is at ``expected_revision`` (0: does not exist)."""

    stream: StreamName
    expected_revision: int
    events: tuple[NewEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one command appends: to one stream or to several, all or nothing.

    ``command_id`` belongs to the first stream; the store keeps it unique within that stream.
    """

    appends: tuple[StreamAppend, ...]
    command_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """A group of commits is durable; ``events`` are in log order."""

    events: tuple[RecordedEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A group was refused and nothing of it appended.

    ``stale`` are the indexes of commits whose expected revision was wrong, ``repeated`` those whose command id is
    already in the log, with the event that bears it.
    """

    stale: frozenset[int]
    repeated: dict[int, RecordedEvent]
