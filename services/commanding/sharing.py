"""Policies of a fleet say the same: entries are kept once, however many policies have them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final

import orjson

from protocol.entities import EntityState
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.policies.state import PolicyState

KEPT: Final = 1_024
LONGEST: Final = 4_096
"""Entries with more characters than this are rarely those of another policy, and dear to look up."""


class SharedEntries:
    """Entries by what they say, the longest unused dropped first.

    A fleet with a policy for each thing has twice the states of one with a policy for all, but hardly more to
    remember. Documents are never changed in place, so that two policies may hold the very same object.
    """

    def __init__(self, *, max_kept: int = KEPT) -> None:
        self._kept: OrderedDict[bytes, tuple[PolicyId, JsonValue]] = OrderedDict()
        self._max_kept = max_kept

    def share(self, state: EntityState) -> EntityState:
        """The state, made of what others have already, where there is such a thing."""
        if not isinstance(state, PolicyState) or (key := _key(state.document)) is None:
            return state
        kept = self._kept.get(key)
        if kept is None:
            self._kept[key] = state.policy_id, state.document["entries"]
            if len(self._kept) > self._max_kept:
                self._kept.popitem(last=False)
            return state
        self._kept.move_to_end(key)
        _, entries = kept
        if entries is state.document["entries"]:
            return state
        return replace(state, document={**state.document, "entries": entries})

    def characters(self, document: JsonObject) -> int:
        """How long the document is as JSON, without what it shares. The first to say a thing bears its length."""
        key = _key(document)
        kept = None if key is None else self._kept.get(key)
        length = len(orjson.dumps(document))
        if key is None or kept is None or kept[0] == document.get("policyId") or kept[1] is not document["entries"]:
            return length
        return length - len(key)


def _key(document: JsonObject) -> bytes | None:
    """The entries as they are looked up; nothing where there are none worth it."""
    if not document.get("entries"):
        return None
    written = orjson.dumps(document["entries"])
    return written if len(written) <= LONGEST else None
