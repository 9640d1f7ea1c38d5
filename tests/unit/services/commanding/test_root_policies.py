"""What an operator adds to every policy of a namespace counts for commands, answers and events alike, and at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.context import Limits, RootPolicies, roots_of
from protocol.identifiers import PolicyId
from protocol.json import JsonObject
from services.amqp.visibility import Visibility
from services.commanding.limits import CommandingLimits
from tests.unit.services.commanding.stage import ALICE, BOB, PUMP, Stage, create, get, put
from tests.unit.services.commanding.test_policies import OWNED, READER, SHARED, entry, policy, status

ROOT = PolicyId("ops:root")
RULES = Limits(root_policies=(("farm", ROOT),))
GUARD = entry("test:bob", {"thing:/": ["READ"]})
HIDDEN = entry("test:bob", {"thing:/": ["READ"]}, importable="explicit")
EXAMPLES: list[tuple[str, str, bool]] = [
    ("farm", "farm:p", True),
    ("farm", "farm.one:p", False),
    ("farm.*", "farm.one:p", True),
    ("farm.*", "farm.one.two:p", True),
    ("farm.*", "farm:p", False),
    ("farm.*", "farmer.one:p", False),
    ("*", "any.where:p", True),
    ("*", "ops:root", False),
]


@pytest.mark.parametrize(("pattern", "policy_id", "counts"), EXAMPLES)
def test_a_pattern_names_the_namespaces_of_policies(pattern: str, policy_id: str, *, counts: bool) -> None:
    assert roots_of(PolicyId(policy_id), ((pattern, ROOT),)) == ((ROOT,) if counts else ())


def test_a_root_policy_that_two_patterns_name_counts_once() -> None:
    roots: RootPolicies = (("*", ROOT), ("farm", PolicyId("ops:other")), ("farm", ROOT))
    assert roots_of(PolicyId("farm:p"), roots) == (ROOT, "ops:other")


def staged() -> Stage:
    return Stage(limits=replace(CommandingLimits(resolve_seconds=0.2, store_seconds=2), rules=RULES))


def root(**entries: JsonObject) -> JsonObject:
    return {"entries": {**OWNED["entries"], **entries}}  # type: ignore[dict-item]  # an object of ours


async def test_its_implicit_entries_count_for_commands_from_the_next_one_on() -> None:
    stage = staged()
    async with stage.service() as service, stage.service() as other:
        await service.execute(policy("create", "/", OWNED), ALICE)
        await service.execute(create(policyId=SHARED, attributes={"open": 1}), ALICE)
        assert await status(service, get("/attributes"), BOB) == "things:thing.notfound"
        await service.execute(policy("create", "/", root(hidden=HIDDEN), policy_id=ROOT), ALICE)
        assert await status(other, get("/attributes"), BOB) == "things:thing.notfound"
        await service.execute(policy("modify", "/entries/guard", GUARD, policy_id=ROOT), ALICE)
        for process in (service, other):
            assert await status(process, get("/attributes"), BOB) == 200
            assert await status(process, put("open", 2), BOB) == "things:attribute.notmodifiable"
        await other.execute(policy("delete", "/", policy_id=ROOT), ALICE)
        assert await status(service, get("/attributes"), BOB) == "things:thing.notfound"


async def test_the_resolved_view_shows_them_under_their_own_label() -> None:
    stage = staged()
    async with stage.service() as service:
        await service.execute(policy("create", "/", OWNED), ALICE)
        await service.execute(policy("create", "/", root(guard=GUARD, hidden=HIDDEN), policy_id=ROOT), ALICE)
        shown = (await service.execute(policy("retrieve", "/entries", policy_view="resolved"), ALICE)).value
        assert isinstance(shown, dict)
        assert set(shown) == {"owner", "nsimported-ops:root-owner", "nsimported-ops:root-guard"}


async def test_events_are_cut_down_by_them_as_they_were_at_the_time() -> None:
    stage = staged()
    async with stage.service() as service:
        await service.execute(policy("create", "/", OWNED), ALICE)
        await service.execute(create(policyId=SHARED, attributes={"open": 0}), ALICE)
        await service.execute(policy("create", "/", root(user=READER), policy_id=ROOT), ALICE)
        for key in ("open", "closed"):
            await service.execute(put(key, 1), ALICE)
        await service.execute(policy("delete", "/entries/user", policy_id=ROOT), ALICE)
        await service.execute(put("open", 2), ALICE)
    visibility = Visibility(stage.store, ("test:bob",), RULES)
    seen = [await visibility.of(event) async for page in stage.store.read() for event in page]
    told = [(event.path, event.value) for event in seen if event is not None and event.stream == f"thing:{PUMP}"]
    assert told == [("/attributes/open", b"1")]
