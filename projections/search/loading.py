"""The rows of the search model that follow from whole lives: what an empty copy of its tables is filled with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from projections.cache import BoundedCache
from projections.lives import Life
from projections.projection import Rows
from projections.search.grants import grant_rows
from projections.search.indexes import IndexRow
from projections.search.keys import rows_of
from projections.search.parts import THING, ThingRow
from projections.search.writing import KeyChanges
from protocol.json import JsonObject, dump
from protocol.wire.timestamps import iso

POLICY: Final = "policy:"
LOADED: Final = ("search_things", "search_keys", "search_policies", "search_imports", "search_grants")
"""The tables that are filled; the others sum up, or hold what operators have set."""

Grants = tuple[tuple[str, str, bytes], ...]


class Loading:
    """Makes rows of lives, and counts the paths that things have values at."""

    def __init__(self, rooted: Callable[[str], bool]) -> None:
        self.counts = KeyChanges()
        self._rooted = rooted
        self._grants: BoundedCache[Grants] = BoundedCache(1 << 20)

    def rows(self, lives: Iterable[Life], indexes: Mapping[str, IndexRow]) -> Rows:
        """The rows of the bare tables; those of grants only where no other policy has to be known for them."""
        things: list[tuple[object, ...]] = []
        keys: list[tuple[object, ...]] = []
        policies: list[tuple[object, ...]] = []
        imports: list[tuple[object, ...]] = []
        grants: list[tuple[object, ...]] = []
        for life in lives:
            if life.gone:
                continue
            if life.stream.startswith(THING):
                self._thing(life, indexes, things, keys)
            elif life.stream.startswith(POLICY):
                self._policy(life, policies, imports, grants)
        return dict(zip(LOADED, (things, keys, policies, imports, grants), strict=True))

    def _thing(
        self,
        life: Life,
        indexes: Mapping[str, IndexRow],
        things: list[tuple[object, ...]],
        keys: list[tuple[object, ...]],
    ) -> None:
        thing_id, namespace, document = life.stream[len(THING) :], life.namespace, life.annotated
        policy_id = document.get("policyId")
        things.append(
            ThingRow(
                thing_id=thing_id,
                namespace=namespace,
                policy_id=policy_id if isinstance(policy_id, str) else None,
                revision=life.revision,
                created=iso(life.created),
                modified=iso(life.modified),
                state=life.frozen,
            )
        )
        index = indexes.get(namespace) if indexes else None
        rows, paths = rows_of(thing_id, document if index is None else index.fields.cut(document))
        keys.extend(rows)
        self.counts.paths.update(paths)
        self.counts.paths[""] += 1

    def _policy(
        self,
        life: Life,
        policies: list[tuple[object, ...]],
        imports: list[tuple[object, ...]],
        grants: list[tuple[object, ...]],
    ) -> None:
        policy_id, document = life.stream[len(POLICY) :], life.document
        policies.append((policy_id, life.revision, dump(document)))
        imported = document.get("imports")
        if isinstance(imported, dict) and imported:
            imports.extend((policy_id, name) for name in imported)
        elif not self._rooted(policy_id):
            grants.extend((policy_id, *row) for row in self._granted(document))

    def _granted(self, document: JsonObject) -> Grants:
        """What the policy grants by itself. Policies of a fleet are often the same but for their ids."""
        written = dump(document.get("entries"))
        known = self._grants.get(written)
        if known is None:
            known = tuple(grant_rows(document, {}))
            self._grants.put(written, known, len(written))
        return known
