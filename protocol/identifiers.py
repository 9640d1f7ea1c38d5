"""Entity identifiers: ``namespace:name``, checked once and then carried in types of their own."""

from __future__ import annotations

from typing import TypeAlias


class NamespacedId(str):
    """A valid ``namespace:name``; what things and policies have in common."""

    __slots__ = ()

    @property
    def namespace(self) -> str:
        """The part before the first colon; empty for ids without a namespace."""
        return self[: self.index(":")]

    @property
    def name(self) -> str:
        """The part after the first colon."""
        return self[self.index(":") + 1 :]


class ThingId(NamespacedId):
    """The id of a thing."""

    __slots__ = ()


class PolicyId(NamespacedId):
    """The id of a policy."""

    __slots__ = ()


EntityId: TypeAlias = ThingId | PolicyId
