"""Entity tags, made and compared as Ditto does (RFC 7232, Ditto documentation page *httpapi-concepts*)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from protocol.errors import HeaderInvalid
from protocol.json import JsonValue, canonical

MAX_REMEMBERED: Final = 256

_tag = r'(?:W/)?"[\x21\x23-\x7E\x80-\uFFFF]*"'
_list = re.compile(rf"\s*{_tag}(?:\s*,\s*{_tag})*\s*")
_one = re.compile(_tag)


def revision_tag(revision: int) -> str:
    """The tag of an entity: ``"rev:4"``, quotes included."""
    return f'"rev:{revision}"'


def value_tag(value: JsonValue) -> str:
    """The tag of a part of an entity: ``"hash:..."``, the same for equal JSON in every process and release."""
    return f'"hash:{blake2b(canonical(value), digest_size=8).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The tags of an ``If-Match`` or ``If-None-Match``; ``any`` is ``*``."""

    text: str
    any: bool
    tags: frozenset[str]

    @staticmethod
    def parse(text: str, header: str = "if-match") -> EntityTags:
        """The tags of a header's value, or ``HeaderInvalid``."""
        return _remembered(text, header) if len(text) <= MAX_REMEMBERED else _parsed(text, header)

    def matches(self, current: str | None) -> bool:
        """Whether the current tag (None: there is no resource) is among these.

        The comparison is strong for both headers, as in Ditto: a weak tag ``W/"..."`` never matches.
        """
        return current is not None and (self.any or current in self.tags)


def _parsed(text: str, header: str) -> EntityTags:
    if text.strip() == "*":
        return EntityTags(text, any=True, tags=frozenset())
    if _list.fullmatch(text) is None:
        raise HeaderInvalid(header, 'one or more entity tags such as "rev:4", with their quotes, or *', text)
    return EntityTags(text, any=False, tags=frozenset(tag for tag in _one.findall(text) if tag[0] == '"'))


_remembered = lru_cache(maxsize=1024)(_parsed)
