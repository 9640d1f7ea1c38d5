"""Which command ids led to which events lately, so that a repeat is answered without asking the log.

The log alone decides whether a command was executed: what is not remembered here is found there. Remembering spares the
refused append that a repeat would cost, e.g. when a broker redelivers a thousand messages at once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from eventstore.events import RecordedEvent, StreamName

CommandKey: TypeAlias = tuple[StreamName, str]
"""A command id counts within the stream of the entity that the command is about."""


class RememberedCommands:
    """The latest executed commands by stream and id; the oldest is dropped first."""

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._events: OrderedDict[CommandKey, RecordedEvent] = OrderedDict()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: RecordedEvent) -> None:
        """Remember a durable event that bears a command id; others are ignored."""
        if event.command_id is None:
            return
        key = (event.stream, event.command_id)
        if key in self._events:
            return
        self._events[key] = event
        self._bytes += _weight(event)
        while len(self._events) > self._max_entries or self._bytes > self._max_bytes:
            _, dropped = self._events.popitem(last=False)
            self._bytes -= _weight(dropped)

    def find(self, key: CommandKey) -> RecordedEvent | None:
        """The event of an executed command; nothing means only that it is not known here."""
        return self._events.get(key)


def _weight(event: RecordedEvent) -> int:
    return len(event.value or b"") + len(event.headers)
