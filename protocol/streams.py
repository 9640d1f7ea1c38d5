"""Which stream of the log belongs to which entity: ``thing:<id>`` and ``policy:<id>``.

The prefix of the stream's name tells the group, so stored events need no word for it.
"""

from __future__ import annotations

from protocol.identifiers import EntityId, PolicyId, ThingId


def stream_of(entity_id: EntityId) -> str:
    """The name of the stream that holds the entity's events."""
    return ("policy:" if isinstance(entity_id, PolicyId) else "thing:") + entity_id


def entity_of(stream: str) -> EntityId:
    """The entity whose events the stream holds; ``ValueError`` for a name that ``stream_of`` never made.

    A stream was named for a checked id once, so the id is not checked again.
    """
    category, colon, entity_id = stream.partition(":")
    if colon and ":" in entity_id:
        if category == "thing":
            return ThingId(entity_id)
        if category == "policy":
            return PolicyId(entity_id)
    raise ValueError(f"no stream of a thing or policy: {stream!r}")
