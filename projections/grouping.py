"""Coalescing: the events of a batch by entity, so that each entity costs one row however often it changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eventstore.events import RecordedEvent, StreamName

ENTITIES = ("thing:", "policy:")
"""Prefixes of the streams that belong to entities; other streams (delivery records) have no state to follow."""


def by_entity(events: Iterable[RecordedEvent]) -> Mapping[StreamName, list[RecordedEvent]]:
    """The events of things and policies, per stream in log order."""
    groups: dict[StreamName, list[RecordedEvent]] = {}
    for event in events:
        stream = event.stream
        group = groups.get(stream)
        if group is not None:
            group.append(event)
        elif stream.startswith(ENTITIES):
            groups[stream] = [event]
    return groups


def namespace_of(stream: StreamName) -> str:
    """The namespace within ``<category>:<namespace>:<name>``."""
    return stream.split(":", 2)[1]
