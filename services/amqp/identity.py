"""Who sent a message: subjects from what the broker vouches for, and which entities they may speak for.

RabbitMQ compares the property ``user_id`` with the user of the publishing connection and refuses a message in which
they differ (RabbitMQ documentation, *Validated User-ID*). So a ``user_id`` that is there is true; nothing else in a
message says who sent it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from protocol.enforcement.auth import AuthContext
from protocol.errors import AuthenticationFailed, ConnectionIdEnforcementFailed, PlaceholderUnresolved
from protocol.identifiers import EntityId, ThingId
from protocol.signals import (
    CancelSearch,
    CheckPermissions,
    Command,
    Incoming,
    RequestPages,
    RetrieveThings,
    SubscribeToSearch,
)

USER_ID = "{user_id}"
_PLACEHOLDER = re.compile(r"\{\{\s*([a-z]+):([a-z]+)\s*\}\}")
_PARTS: dict[str, Callable[[EntityId], str]] = {
    "id": str,
    "name": lambda entity: entity.name,
    "namespace": lambda entity: entity.namespace,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityBinding:
    """Filters such as ``{{ entity:name }}``: a user may speak only for entities for which one of them gives its name.

    Placeholders are ``entity:``, ``thing:`` and ``policy:`` with ``id``, ``name`` and ``namespace``; text around them
    is allowed (Ditto documentation, *Connections: enforcement*). An unknown placeholder is a ``ValueError``.
    """

    filters: tuple[str, ...]

    def __post_init__(self) -> None:
        for text in self.filters:
            if not _PLACEHOLDER.search(text) or "{{" in _PLACEHOLDER.sub("", text):
                raise ValueError(f"the enforcement filter '{text}' has no placeholder, or one that is not known")
            for prefix, part in _PLACEHOLDER.findall(text):
                if prefix not in {"entity", "thing", "policy"} or part not in _PARTS:
                    raise ValueError(f"the enforcement filter '{text}' has a placeholder that is not known")

    def check(self, user_id: str | None, signal: Incoming) -> None:
        """Raise if ``user_id`` may not speak for every entity of the signal.

        ``ConnectionIdEnforcementFailed`` (400) if it may not, ``PlaceholderUnresolved`` (400) if no filter fits. Who is
        bound cannot search, as in Ditto.
        """
        if isinstance(signal, (SubscribeToSearch, RequestPages, CancelSearch)):  # is about no entity, so no filter fits
            raise PlaceholderUnresolved(self.filters[0] if self.filters else "")
        for entity in _entities(signal):
            resolved = [value for text in self.filters if (value := _resolved(text, entity)) is not None]
            if not resolved:
                raise PlaceholderUnresolved(self.filters[0] if self.filters else "")
            if user_id not in resolved:
                raise ConnectionIdEnforcementFailed(entity)


class Identity:
    """Subjects of a message: made from ``user_id`` by templates, else the default ones, else nobody's.

    ``known`` users have subjects of their own before those that the templates make: the first is the default subject.
    """

    def __init__(
        self,
        templates: tuple[str, ...] = ("amqp:{user_id}",),
        default_subjects: tuple[str, ...] = (),
        binding: EntityBinding | None = None,
        known: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self._templates = templates
        self._default = AuthContext(subjects=default_subjects) if default_subjects else None
        self._binding = binding
        self._known = known
        self._of = lru_cache(maxsize=65_536)(self._subjects)

    def authenticate(self, user_id: str | None) -> AuthContext:
        """The subjects that a message speaks with; raises ``AuthenticationFailed`` (401) if there are none."""
        if user_id and self._templates:
            return self._of(user_id)
        if self._default is None:
            raise AuthenticationFailed("The message names no user and the connection has no default subjects.")
        return self._default

    def authorize(self, user_id: str | None, signal: Incoming) -> None:
        """Check the binding, if there is one; raises as ``EntityBinding.check`` does."""
        if self._binding is not None:
            self._binding.check(user_id, signal)

    def _subjects(self, user_id: str) -> AuthContext:
        made = tuple(template.replace(USER_ID, user_id) for template in self._templates)
        return AuthContext(subjects=tuple(dict.fromkeys((*self._known.get(user_id, ()), *made))))


def _entities(signal: Incoming) -> Iterator[EntityId]:
    """The entities that the signal speaks for; an acknowledgement speaks for none, its correlation id is its right."""
    match signal:
        case Command(entity_id=entity_id):
            yield entity_id
        case RetrieveThings(thing_ids=thing_ids):
            yield from thing_ids
        case CheckPermissions(checks=checks):
            yield from dict.fromkeys(check.entity_id for check in checks.values())


def _resolved(text: str, entity: EntityId) -> str | None:
    """The filter's value for the entity; None if it has a placeholder for the other kind of entity."""
    kind = "thing" if isinstance(entity, ThingId) else "policy"
    if any(prefix not in {"entity", kind} for prefix, _ in _PLACEHOLDER.findall(text)):
        return None
    return _PLACEHOLDER.sub(lambda match: _PARTS[match.group(2)](entity), text)
