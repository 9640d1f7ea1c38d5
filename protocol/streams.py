"""Which stream of the log belongs to which entity: ``thing:<id>`` and ``policy:<id>``.

The prefix of the stream's name tells the group, so stored events need no word for it. ``announcement:<policy id>``
records what was announced about a policy's subjects; it is no entity's stream, and no state follows from it but that of
the announcements. ``namespace:<namespace>`` records what operators have set for a namespace.
"""

from __future__ import annotations

from typing import Final

from protocol.identifiers import EntityId, PolicyId, ThingId

ANNOUNCEMENTS: Final = "announcement:"
POLICIES: Final = "policy:"
NAMESPACES: Final = "namespace:"
SEARCH_INDEX: Final = "/search-index"
"""The path of events that set what of a namespace can be searched."""


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


def announcements_of(policy_stream: str) -> str:
    """The stream of the announcements of the policy whose stream this is."""
    return ANNOUNCEMENTS + policy_stream.removeprefix(POLICIES)


def policy_of(announcement_stream: str) -> str:
    """The stream of the policy whose announcements this stream records."""
    return POLICIES + announcement_stream.removeprefix(ANNOUNCEMENTS)


def settings_of(namespace: str) -> str:
    """The stream of what operators have set for the namespace."""
    return NAMESPACES + namespace
