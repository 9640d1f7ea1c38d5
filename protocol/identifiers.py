"""Entity identifiers: ``namespace:name``, checked once and then carried in types of their own."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias

from protocol.errors import PolicyIdInvalid, ThingIdInvalid

MAX_LENGTH: Final = 256

_form = re.compile(r"(?:[a-zA-Z]\w*(?:[.\-][a-zA-Z]\w*)*)?:[^\x00-\x1F\x7F-\xFF/]+", re.ASCII)


class NamespacedId(str):
    r"""A valid ``namespace:name``; what things and policies have in common.

    The namespace is empty or segments ``[a-zA-Z]\w*`` joined by ``.`` or ``-``; the name has neither ``/`` nor
    characters of U+0000-1F and U+007F-FF; 256 characters in all (Ditto page *basic-namespaces-and-names*).
    """

    __slots__ = ()

    @property
    def namespace(self) -> str:
        """The part before the first colon; empty for ids without a namespace."""
        return self[: self.index(":")]

    @property
    def name(self) -> str:
        """The part after the first colon."""
        return self[self.index(":") + 1 :]

    @staticmethod
    def is_valid(text: str) -> bool:
        """Whether ``parse`` would take the text."""
        return _valid(text)


class ThingId(NamespacedId):
    """The id of a thing."""

    __slots__ = ()

    @staticmethod
    def parse(text: str) -> ThingId:
        """The id that the text spells, or ``ThingIdInvalid``."""
        return _thing_id(text)


class PolicyId(NamespacedId):
    """The id of a policy."""

    __slots__ = ()

    @staticmethod
    def parse(text: str) -> PolicyId:
        """The id that the text spells, or ``PolicyIdInvalid``."""
        return _policy_id(text)


EntityId: TypeAlias = ThingId | PolicyId


def with_default_namespace(text: str, namespace: str) -> str:
    """``:name`` in the default namespace, as edges do for entities about to be created; other text as it is."""
    return namespace + text if text.startswith(":") else text


@lru_cache(maxsize=16384)
def _thing_id(text: str) -> ThingId:
    if not _valid(text):
        raise ThingIdInvalid(text)
    return ThingId(text)


@lru_cache(maxsize=16384)
def _policy_id(text: str) -> PolicyId:
    if not _valid(text):
        raise PolicyIdInvalid(text)
    return PolicyId(text)


def _valid(text: str) -> bool:
    return len(text) <= MAX_LENGTH and _form.fullmatch(text) is not None
