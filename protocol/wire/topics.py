"""Topics: what a message is about and what kind of message it is.

    topic      = namespace "/" name "/things/" channel "/" criterion
               | namespace "/" name "/policies/" criterion
               | "_/" connection "/connections/" criterion
    channel    = "twin" | "live" | "none"
    criterion  = kind "/" action       for commands, events, search, streaming
               | kind "/" subject      for messages, announcements; the rest of the topic, slashes and all
               | kind ["/" subject]    for acks: the label, none for aggregated ones
               | kind                  for errors

Source: Ditto documentation page *protocol-specification-topic*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from typing_extensions import override

from protocol.errors import UnknownTopicPath

Group: TypeAlias = Literal["things", "policies", "connections"]
Channel: TypeAlias = Literal["twin", "live", "none"]
Criterion: TypeAlias = Literal[
    "commands", "events", "search", "messages", "acks", "errors", "streaming", "announcements"
]

MAX_REMEMBERED: Final = 512
"""Longer texts are read anew each time, so that nobody can fill the memory with them."""

ANY: Final = "_"
"""The namespace or name of a topic that is about no single entity."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic in its parts. Policies and connections have no channel.

    ``action`` belongs to commands, events, search and streaming; ``subject`` to messages (the subject), acks (the
    label) and announcements (the name). Built by ``parse_topic``, which knows what goes together; whoever builds one
    by hand answers for that.
    """

    namespace: str
    name: str
    group: Group
    channel: Channel | None
    criterion: Criterion
    action: str | None = None
    subject: str | None = None

    @property
    def entity_id(self) -> str:
        """``namespace:name``; whether it is valid is for the entity's kind to say."""
        return f"{self.namespace}:{self.name}"

    @override
    def __str__(self) -> str:
        parts = (self.namespace, self.name, self.group, self.channel, self.criterion, self.action, self.subject)
        return "/".join([part for part in parts if part is not None])


@dataclass(frozen=True, slots=True)
class _Tail:
    """What may follow a criterion: one of some actions, or a subject."""

    actions: frozenset[str] = frozenset()
    subject: Literal["none", "optional", "required"] = "none"


_THING_COMMANDS: Final = _Tail(frozenset({"create", "retrieve", "modify", "merge", "delete", "migrate"}))
_POLICY_COMMANDS: Final = _Tail(
    frozenset(
        {
            "create",
            "retrieve",
            "modify",
            "delete",
            "checkPermissions",
            "activateTokenIntegration",
            "deactivateTokenIntegration",
        }
    )
)
_THING_EVENTS: Final = _Tail(frozenset({"created", "modified", "merged", "migrated", "deleted"}))
_POLICY_EVENTS: Final = _Tail(frozenset({"created", "modified", "deleted"}))
_SEARCH: Final = _Tail(frozenset({"subscribe", "request", "cancel", "created", "next", "complete", "failed"}))
_STREAMING: Final = _Tail(
    frozenset({"subscribeForPersistedEvents", "request", "cancel", "created", "next", "complete", "failed"})
)
_NOTHING: Final = _Tail()
_SUBJECT: Final = _Tail(subject="required")
_LABEL: Final = _Tail(subject="optional")

GRAMMAR: Final[Mapping[tuple[Group, Channel | None], Mapping[Criterion, _Tail]]] = {
    ("things", "twin"): {
        "commands": _THING_COMMANDS,
        "events": _THING_EVENTS,
        "search": _SEARCH,
        "acks": _LABEL,
        "errors": _NOTHING,
        "streaming": _STREAMING,
    },
    ("things", "live"): {
        "commands": _THING_COMMANDS,
        "events": _THING_EVENTS,
        "messages": _SUBJECT,
        "acks": _LABEL,
        "errors": _NOTHING,
    },
    ("things", "none"): {
        "commands": _THING_COMMANDS,
        "events": _THING_EVENTS,
        "acks": _LABEL,
        "errors": _NOTHING,
    },
    ("policies", None): {
        "commands": _POLICY_COMMANDS,
        "events": _POLICY_EVENTS,
        "acks": _LABEL,
        "errors": _NOTHING,
        "streaming": _STREAMING,
        "announcements": _SUBJECT,
    },
    ("connections", None): {"announcements": _Tail(frozenset({"opened", "closed"}))},
}

_KINDS: Final = {
    "/".join([part for part in (*place, criterion) if part is not None]): (*place, criterion, tail)
    for place, tails in GRAMMAR.items()
    for criterion, tail in tails.items()
}
"""The grammar by the fixed middle of a topic: ``things/twin/commands``, ``policies/errors``."""


def parse_topic(text: str) -> Topic:
    """The topic that the text spells, or ``UnknownTopicPath``.

    A leading slash makes an empty namespace. ``_`` is read like any other namespace or name.
    """
    return _remembered(text) if len(text) <= MAX_REMEMBERED else _parsed(text)


def _parsed(text: str) -> Topic:
    namespace, _, rest = text.partition("/")
    name, _, rest = rest.partition("/")
    words = rest.split("/")
    width = 3 if words[0] == "things" else 2
    kind = _KINDS.get("/".join(words[:width]))
    if kind is None or not name or (words[0] == "connections" and namespace != ANY):
        raise UnknownTopicPath(text)
    group, channel, criterion, tail = kind
    after = words[width:]
    last = "/".join(after)
    if tail.actions and last in tail.actions:
        return Topic(namespace, name, group, channel, criterion, action=last)
    if tail.actions or not (tail.subject != "none" if last else not after and tail.subject != "required"):
        raise UnknownTopicPath(text)
    return Topic(namespace, name, group, channel, criterion, subject=last or None)


_remembered = lru_cache(maxsize=16384)(_parsed)
