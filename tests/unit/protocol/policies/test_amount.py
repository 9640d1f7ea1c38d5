"""Policies that bring in more than can be worked off: refused where they are made, harmless where they have grown."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from protocol.context import Context, documents, enforcer_of_state
from protocol.errors import PolicyImportInvalid
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.policies.decide import decide_policy
from protocol.policies.resolve import (
    MAX_IMPORTED_ENTRIES,
    MAX_IMPORTS_FOLLOWED,
    MAX_SOURCES,
    exceeds_import_limits,
    policies_imported,
    resolved_view,
    sources_of,
)
from protocol.policies.state import PolicyState
from protocol.signals import Command
from tests.unit.protocol.policies.scenario import ALICE, ALONE, BOB, entry, owned, rights, state_of

READS: JsonObject = {"thing:/": rights("READ")}
SECONDS = 2.0
"""Far more than it takes, and far less than a walk of every way would."""

States = dict[PolicyId, PolicyState | None]


def name(number: int) -> PolicyId:
    return PolicyId(f"farm.one:p{number}")


def importing(*numbers: int, transitive: bool = True, but: int | None = None) -> JsonObject:
    wanted = [str(name(number)) for number in range(12) if number != but] if transitive else []
    return {str(name(number)): {"entries": [], "transitiveImports": [*wanted]} for number in numbers}


def policy(number: int, imports: JsonObject, **entries: JsonValue) -> PolicyState:
    return state_of({**owned(ALICE, **entries), "imports": imports}, name(number))


def lattice() -> States:
    """Eleven policies, each of which imports all the others: about ten to the power of seven ways."""
    reader = entry(BOB, more={"resources": READS})
    return {
        name(number): policy(number, importing(*(other for other in range(11) if other != number)), reader=reader)
        for number in range(11)
    }


def chain(length: int, entries: int) -> States:
    many: JsonObject = {f"e{number}": entry(BOB, more={"resources": READS}) for number in range(entries)}
    found: States = {name(number): policy(number, importing(number + 1), **many) for number in range(length)}
    found[name(length)] = policy(length, {}, **many)
    return found


def root(states: States) -> PolicyState:
    state = states[name(0)]
    assert state is not None
    return state


def may(states: States, subject: str, kind: str = "thing") -> bool:
    enforcer = enforcer_of_state(root(states), states, ())
    return enforcer.tree((subject,), "READ", kind, None).allowed(())  # type: ignore[arg-type]  # thing or policy


def test_a_lattice_is_worked_off_in_no_time_and_counts_only_for_itself() -> None:
    states = lattice()
    began = time.process_time()
    assert exceeds_import_limits(root(states).document, documents(states))
    assert not may(states, BOB)
    assert not may(states, ALICE)
    assert may(states, ALICE, "policy")
    assert set(resolved_view(root(states).document, documents(states))["entries"]) == {"owner", "reader"}  # type: ignore[arg-type]  # an object
    assert time.process_time() - began < SECONDS


def test_no_more_policies_are_asked_for_than_can_count() -> None:
    ring = [[(number * 10 + offset) % 3_000 for offset in range(1, 11)] for number in range(3_000)]
    everything = [str(name(number)) for number in range(3_000)]
    states: States = {}
    document = {"policyId": "farm.one:root", "imports": {str(name(number)): {} for number in ring[0]}}
    for setting in document["imports"].values():  # type: ignore[attr-defined]  # an object, as above
        setting["transitiveImports"] = everything
    while missing := policies_imported(document, documents(states)):  # type: ignore[arg-type]  # JSON
        for each in missing:
            number = int(each.rpartition("p")[2])
            imports: JsonObject = {str(name(other)): {"transitiveImports": [*everything]} for other in ring[number]}
            states[each] = state_of({**owned(), "imports": imports}, each)
    assert len(states) <= 2 * MAX_IMPORTS_FOLLOWED


def test_who_may_read_is_asked_of_the_nearest_policies_only() -> None:
    below: dict[int, JsonObject] = {
        number: {str(name(number + more)): {} for more in (10, 20)} for number in range(1, 11)
    }
    document: JsonObject = {
        "policyId": str(name(0)),
        "imports": {str(name(number)): {"transitiveImports": [*named]} for number, named in below.items()},
    }
    states: States = {name(number): policy(number, imports) for number, imports in below.items()}
    found = sources_of(document, documents(states), roots=(name(99),))
    assert found[:11] == (name(99), *(name(number) for number in range(1, 11)))
    assert len(found) == MAX_SOURCES


def test_a_chain_within_the_bounds_counts_as_it_always_did() -> None:
    states = chain(9, 2)
    assert may(states, BOB)
    assert len(resolved_view(root(states).document, documents(states))["entries"]) == 10 * 3  # type: ignore[arg-type]  # an object


def test_entries_are_counted_too() -> None:
    states = chain(9, MAX_IMPORTED_ENTRIES // 40)
    assert exceeds_import_limits(root(states).document, documents(states))
    assert not may(states, BOB)


def test_references_to_large_entries_are_counted_too() -> None:
    large = entry(BOB, more={"resources": {f"thing:/attributes/a{number}": rights("READ") for number in range(1_000)}})
    users: JsonObject = {
        f"u{number}": entry(f"x:{number}", more={"references": [{"entry": "large"}]}) for number in range(1_000)
    }
    document: JsonObject = {"policyId": str(name(0)), **owned(ALICE, large=large, **users)}
    began = time.process_time()
    assert exceeds_import_limits(document, {})
    states: States = {name(0): state_of(document, name(0))}
    assert not may(states, "x:1")
    assert time.process_time() - began < SECONDS


def put_imports(states: States, imports: JsonObject) -> None:
    command = Command(entity_id=name(0), verb="modify", path=("imports",), value=imports)
    decide_policy(command, root(states), replace_policies(states))


def replace_policies(states: States) -> Context:
    return replace(ALONE, policies=states)


def test_a_change_that_brings_in_too_much_is_refused_with_the_bounds() -> None:
    states = lattice()
    states[name(0)] = policy(0, {})
    with pytest.raises(PolicyImportInvalid, match=f"more than {MAX_IMPORTS_FOLLOWED} imports"):
        put_imports(states, importing(*range(1, 11), but=0))
    put_imports(states, importing(*range(1, 11), transitive=False))


def test_what_has_become_too_much_can_still_be_changed() -> None:
    states = lattice()
    put_imports(states, importing(*range(1, 10)))
    put_imports(states, importing(1, transitive=False))
