"""Which namespaces cannot be asked for everything, as a search has to know it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from projections.search.fields import Fields, restore_fields, spelled
from protocol.errors import SearchFieldNotIndexed
from protocol.rql.tree import Property


@dataclass(frozen=True, slots=True)
class Restrictions:
    """The namespaces whose index is not everything, each with the fields that can be asked for right now."""

    usable: Mapping[str, Fields]
    mark: str
    """Tells them from others."""

    def within(self, namespaces: Iterable[str] | None) -> Restrictions:
        """Those among the namespaces that are searched (``None``: all)."""
        if namespaces is None or not self.usable:
            return self
        return replace(self, usable={name: self.usable[name] for name in namespaces if name in self.usable})

    def refusing(self, used: Iterable[Property]) -> dict[str, list[Property]]:
        """The namespaces that cannot be asked for all of these properties, each with those that it lacks."""
        asked = list(used)
        return {name: lacking for name, fields in self.usable.items() if (lacking := fields.lacking(asked))}


def read_restrictions(written: Mapping[str, bytes]) -> Restrictions:
    """What the rows of ``search_indexes`` say: of some namespaces the usable fields."""
    said = b"".join(name.encode() + usable for name, usable in sorted(written.items()))
    usable = {name: restore_fields(usable) for name, usable in written.items()}
    return Restrictions(usable, hashlib.md5(said, usedforsecurity=False).hexdigest())


UNRESTRICTED: Final = read_restrictions({})


def refusal(refusing: Mapping[str, Iterable[Property]], known: Iterable[str]) -> SearchFieldNotIndexed | None:
    """What to tell a caller who knows of these namespaces, or nothing if none of them refuses.

    A namespace in which the caller may see nothing is not spoken of, even if the caller named it, and does not refuse:
    it has no hit to miss. So the answer is the one of a service without that namespace.
    """
    namespaces = tuple(sorted(name for name in known if name in refusing))
    lacking = {spelled(subject.path) for name in namespaces for subject in refusing[name]}
    return SearchFieldNotIndexed(tuple(sorted(lacking)), namespaces) if namespaces else None
