"""Who writes a policy may name himself by a placeholder."""

from __future__ import annotations

import pytest

from protocol.context import Context
from protocol.enforcement.enforce import enforce
from protocol.errors import PlaceholderNotResolvable, PolicySubjectNotModifiable
from protocol.json import JsonObject, JsonValue
from protocol.policies.decide import decide_policy
from protocol.policies.state import PolicyState
from protocol.policies.substitution import substitute_caller
from protocol.signals import Command, Event
from tests.unit.protocol.policies.scenario import ALICE, BOB, NOON, P1, entry, given, owned, rights, state_of

ME = "{{ request:subjectId }}"


@pytest.mark.parametrize(
    ("written", "stands_for"),
    [
        (ME, ALICE),
        ("{{request:subjectId}}", ALICE),
        ("{{ request.subjectId }}", ALICE),
        ("${request.subjectId}", ALICE),
        ("integration:{{ request:subjectId }}:x", f"integration:{ALICE}:x"),
        (BOB, BOB),
        ("a:{b}", "a:{b}"),
        ("a:{{", "a:{{"),
    ],
)
def test_the_placeholder_in_all_its_forms_stands_for_the_caller(written: str, stands_for: str) -> None:
    assert substitute_caller(written, ALICE) == stands_for


@pytest.mark.parametrize(
    "written", ["{{ request:other }}", "{{ jwt:sub }}", "{{ request:subjectId | fn:lower() }}", "${x}"]
)
def test_no_other_placeholder_is_known(written: str) -> None:
    with pytest.raises(PlaceholderNotResolvable):
        substitute_caller(written, ALICE)


def test_it_is_put_in_wherever_subjects_are_written() -> None:
    here = given(owned(user=entry()))
    mine: JsonObject = {ME: {"type": "t"}}
    user: JsonObject = {**entry(), "subjects": mine}
    changes: dict[str, JsonValue] = {
        "/": owned(user=user),
        "/entries": owned(user=user)["entries"],
        "/entries/user": user,
        "/entries/user/subjects": mine,
    }
    for path, value in changes.items():
        state = here.when("modify", path, value).then("modified", 204)
        assert state is not None
        assert subjects(state) == {ALICE: {"type": "t"}}
    here.when("modify", "/entries/user/subjects", {"{{ a:b }}": {"type": "t"}}).refused(
        "placeholder:placeholder.notresolvable", 400
    )


def test_who_creates_a_policy_may_become_its_owner_by_it() -> None:
    given().when("create", "/", owned(ME)).then("created", 201, {"policyId": P1, **owned(ALICE)})


def written_by(caller: str, policy: PolicyState) -> tuple[Event, ...]:
    context = Context(now=NOON, subjects=(caller,), policies={P1: policy})
    path = ("entries", "user", "subjects", ME)
    command = Command(entity_id=P1, verb="modify", path=path, value={"type": "t"})
    permitted, state = enforce(command, policy, context)
    assert isinstance(state, PolicyState)
    return decide_policy(permitted, state, context).events


def test_it_may_stand_in_the_path_of_a_subject() -> None:
    (event,) = written_by(ALICE, state_of(owned(user=entry())))
    assert (event.action, event.path) == ("created", ("entries", "user", "subjects", ALICE))


def test_it_is_judged_as_the_subject_that_it_stands_for() -> None:
    resources: JsonObject = {
        "policy:/entries/user": rights("WRITE"),
        f"policy:/entries/user/subjects/{BOB}": rights(revoke=("WRITE",)),
    }
    policy = state_of(owned(user=entry(), guest=entry(BOB, more={"resources": resources})))
    with pytest.raises(PolicySubjectNotModifiable):
        written_by(BOB, policy)


def subjects(state: PolicyState) -> object:
    entries = state.document["entries"]
    assert isinstance(entries, dict)
    user = entries["user"]
    assert isinstance(user, dict)
    return user["subjects"]
