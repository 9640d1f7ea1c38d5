"""What policies have in common is kept once."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from eventstore.events import StreamName
from protocol.entities import EntityState
from protocol.identifiers import PolicyId
from protocol.json import JsonObject
from protocol.policies.state import PolicyState, default_policy
from services.commanding.sharing import LONGEST, SharedEntries
from services.commanding.states import OVERHEAD_BYTES, StateCache

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_policy(name: str, subject: str = "nginx:owner", **more: JsonObject) -> PolicyState:
    policy_id = PolicyId(f"farm:{name}")
    # Parsed anew, as every policy is that comes from the log.
    document = orjson.loads(orjson.dumps({**default_policy(policy_id, subject), **more}))
    return PolicyState(policy_id=policy_id, document=document, revision=1, created=NOON, modified=NOON)


def entries(state: EntityState) -> object:
    assert isinstance(state, PolicyState)
    return state.document["entries"]


def test_policies_that_say_the_same_hold_the_same_entries() -> None:
    shared = SharedEntries()
    first, second = shared.share(a_policy("one")), shared.share(a_policy("two"))
    assert entries(first) is entries(second)
    assert second == a_policy("two")


def test_policies_that_differ_are_left_alone() -> None:
    shared = SharedEntries()
    shared.share(a_policy("one"))
    other = a_policy("two", subject="nginx:other")
    assert shared.share(other) is other


def test_entries_too_long_to_be_alike_are_left_alone() -> None:
    shared = SharedEntries()
    first, second = (a_policy(name, subject="x" * LONGEST) for name in ("one", "two"))
    assert shared.share(first) is first
    assert shared.share(second) is second


def test_the_first_policy_bears_the_length_of_what_is_shared() -> None:
    shared = SharedEntries()
    first, second = shared.share(a_policy("one")), shared.share(a_policy("two"))
    assert shared.characters(first.document) == len(orjson.dumps(first.document))
    assert shared.characters(second.document) < 40


def test_what_was_kept_longest_ago_is_shared_no_more() -> None:
    shared = SharedEntries(max_kept=1)
    shared.share(a_policy("one"))
    shared.share(a_policy("two", subject="nginx:other"))
    again = a_policy("three")
    assert shared.share(again) is again


def test_a_cache_holds_more_of_policies_that_are_alike() -> None:
    shared = SharedEntries()
    cache: StateCache[EntityState] = StateCache(max_entries=100, max_bytes=1 << 20, characters=shared.characters)
    cache.put(StreamName("policy:farm:one"), shared.share(a_policy("one")), 1)
    first = cache.weight
    cache.put(StreamName("policy:farm:two"), shared.share(a_policy("two")), 1)
    assert cache.weight - first < OVERHEAD_BYTES + 300 < first
