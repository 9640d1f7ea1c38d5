"""Selections in memory: whether an event belongs, and whether anything behind it still can."""

from __future__ import annotations

from collections.abc import Callable

from eventstore.events import RecordedEvent
from eventstore.store import Selection


def matcher(selection: Selection) -> Callable[[RecordedEvent], bool]:
    """A predicate for everything the selection says except its positions, which readers keep track of themselves."""
    checks: list[Callable[[RecordedEvent], bool]] = []
    if (stream := selection.stream) is not None:
        checks.append(lambda event: event.stream == stream)
    if prefixes := selection.prefixes:
        checks.append(lambda event: event.stream.startswith(prefixes))
    if selection.types:
        types = frozenset(selection.types)
        checks.append(lambda event: event.type in types)
    if (from_time := selection.from_time) is not None:
        checks.append(lambda event: event.recorded_at >= from_time)
    if (to_time := selection.to_time) is not None:
        checks.append(lambda event: event.recorded_at < to_time)
    if len(checks) == 1:
        return checks[0]
    return lambda event: all(check(event) for check in checks)


def is_past(selection: Selection, event: RecordedEvent) -> bool:
    """Whether the selection ends before or with this event, so that a subscriber need not wait for another."""
    if selection.to_position is not None and event.position >= selection.to_position:
        return True
    return selection.to_time is not None and event.recorded_at >= selection.to_time
