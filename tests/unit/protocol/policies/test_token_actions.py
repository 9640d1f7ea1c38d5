"""Token integrations: who may activate one, for which entries, as which subjects, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protocol.context import Context, Limits
from protocol.decision import Decision
from protocol.errors import DittoError
from protocol.identifiers import PolicyId
from protocol.json import MISSING, JsonObject, JsonValue
from protocol.policies.decide import decide_policy
from protocol.policies.expiry import Granularity
from protocol.policies.state import PolicyState
from protocol.signals import Command, Event

NOW = datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
POLICY = PolicyId("farm.one:p")
ACTIVATE, DEACTIVATE = "activateTokenIntegration", "deactivateTokenIntegration"
CLAIMS: JsonObject = {"sub": "ada", "aud": ["app", "web"], "exp": int((NOW + timedelta(minutes=90)).timestamp())}
EXPIRY = "2026-05-01T14:00:00Z"


def entry(subjects: list[str], resources: dict[str, list[str]], revoked: dict[str, list[str]] | None = None) -> Any:  # noqa: ANN401 - JSON of a test
    return {
        "subjects": {subject: {"type": "t"} for subject in subjects},
        "resources": {
            key: {"grant": rights, "revoke": (revoked or {}).get(key, [])} for key, rights in resources.items()
        },
    }


def policy(**entries: JsonObject) -> PolicyState:
    owner = entry(["nginx:owner"], {"policy:/": ["READ", "WRITE"]})
    document: JsonObject = {"policyId": POLICY, "entries": {"owner": owner, **entries}}
    return PolicyState(policy_id=POLICY, document=document, revision=1, created=NOW, modified=NOW)


READERS = entry(["farm:ada"], {"thing:/": ["READ"], "policy:/": ["EXECUTE"]})
USUAL = policy(readers=READERS)


def act(
    action: str,
    state: PolicyState | None,
    *,
    label: str | None = None,
    claims: JsonObject | None = CLAIMS,
    body: JsonValue = None,
    template: str | None = None,
    headers: JsonObject | None = None,
) -> Decision:
    limits = Limits(granularity=Granularity(expiry=timedelta(hours=1)))
    limits = limits if template is None else replace(limits, integration_subject=template)
    policies = {} if state is None else {POLICY: state}
    context = Context(now=NOW, subjects=("farm:ada",), claims=claims, policies=policies, limits=limits)
    path = ("actions", action) if label is None else ("entries", label, "actions", action)
    value = MISSING if body is None else body
    command = Command(entity_id=POLICY, verb="execute", path=path, value=value, headers=headers or {})
    return decide_policy(command, state, context)


def refused(*args: Any, **kwargs: Any) -> tuple[int, str]:  # noqa: ANN401 - handed on
    with pytest.raises(DittoError) as error:
        act(*args, **kwargs)
    return error.value.status, error.value.code


def subjects(decision: Decision) -> list[tuple[str, str, str]]:
    return [(event.action, event.path[1], event.path[3]) for event in decision.events]


@pytest.mark.parametrize("label", ["readers", None])
def test_activation_adds_a_subject_per_audience_until_the_token_ends(label: str | None) -> None:
    decision = act(ACTIVATE, USUAL, label=label)
    assert (decision.status, decision.value, decision.tag) == (204, MISSING, "none")
    assert subjects(decision) == [
        ("created", "readers", "integration:readers:app"),
        ("created", "readers", "integration:readers:web"),
    ]
    for event in decision.events:
        assert event.value == {"type": "activateTokenIntegration at 2026-05-01T12:00:01Z", "expiry": EXPIRY}


def test_activation_again_extends() -> None:
    there = entry(["farm:ada"], {"thing:/": ["READ"], "policy:/": ["EXECUTE"]})
    there["subjects"]["integration:readers:app"] = {"type": "t", "expiry": "2026-05-01T13:00:00Z"}
    assert [event.action for event in act(ACTIVATE, policy(readers=there)).events] == ["modified", "created"]


def test_the_announcement_of_the_body_goes_with_the_subject() -> None:
    decision = act(ACTIVATE, USUAL, body={"announcement": {"beforeExpiry": "5m", "whenDeleted": True}})
    assert isinstance(decision.events[0].value, dict)
    assert decision.events[0].value["announcement"] == {"beforeExpiry": "5m", "whenDeleted": True}


@pytest.mark.parametrize("label", ["readers", None])
def test_deactivation_removes_what_activation_added(label: str | None) -> None:
    there = entry(["farm:ada", "integration:readers:web", "integration:other"], {"policy:/": ["EXECUTE"]})
    decision = act(DEACTIVATE, policy(readers=there), label=label)
    assert subjects(decision) == [("deleted", "readers", "integration:readers:web")]
    assert decision.status == 204


def test_deactivation_of_nothing_is_204_and_no_event() -> None:
    assert act(DEACTIVATE, USUAL).events == ()


def test_an_action_on_the_policy_takes_the_entries_that_fit() -> None:
    state = policy(
        yes=entry(["farm:ada"], {"thing:/": ["READ"], "policy:/": ["EXECUTE"]}),
        of_others=entry(["farm:bob"], {"thing:/": ["READ"]}),
        without_reading=entry(["farm:ada"], {"thing:/": ["WRITE"]}),
        reading_revoked=entry(["farm:ada"], {"thing:/x": ["READ"]}, {"thing:/x": ["READ"]}),
        messages_only=entry(["farm:ada"], {"message:/": ["READ"]}),
        below=entry(["farm:ada"], {"thing:/attributes": ["READ"]}),
        not_executable=entry(
            ["farm:ada"],
            {"thing:/": ["READ"], "policy:/entries/not_executable": []},
            {"policy:/entries/not_executable": ["EXECUTE"]},
        ),
    )
    decision = act(ACTIVATE, state, template="i:{{ policy-entry:label }}")
    assert subjects(decision) == [("created", "yes", "i:yes"), ("created", "below", "i:below")]


@pytest.mark.parametrize("action", [ACTIVATE, DEACTIVATE])
@pytest.mark.parametrize("label", ["readers", None])
@pytest.mark.parametrize("state", [USUAL, None])
def test_without_a_token_it_is_400_whatever_is_there(action: str, label: str | None, state: PolicyState | None) -> None:
    assert refused(action, state, label=label, claims=None) == (400, "policies:action.failed")


@pytest.mark.parametrize("action", [ACTIVATE, DEACTIVATE])
@pytest.mark.parametrize("state", [None, replace(USUAL, deleted=True)])
def test_without_a_policy_it_is_404(action: str, state: PolicyState | None) -> None:
    assert refused(action, state) == (404, "policies:policy.notfound")


@pytest.mark.parametrize("label", ["readers", None])
@pytest.mark.parametrize("rights", [{}, {"policy:/": ["READ", "WRITE"]}, {"policy:/entries/owner": ["EXECUTE"]}])
def test_without_execute_it_is_403(label: str | None, rights: dict[str, list[str]]) -> None:
    state = policy(readers=entry(["farm:ada"], {"thing:/": ["READ"], **rights}))
    expected = (404 if label is None and "policy:/entries/owner" in rights else 403, "policies:action.failed")
    assert refused(ACTIVATE, state, label=label) == expected


def test_execute_on_one_action_is_enough_for_that_action() -> None:
    exact = {"policy:/entries/readers/actions/activateTokenIntegration": ["EXECUTE"]}
    state = policy(readers=entry(["farm:ada"], {"thing:/": ["READ"], **exact}))
    assert len(act(ACTIVATE, state, label="readers").events) == 2
    assert refused(DEACTIVATE, state, label="readers") == (403, "policies:action.failed")


@pytest.mark.parametrize("label", ["nowhere", "owner"])
def test_an_entry_that_does_not_fit_is_404(label: str) -> None:
    assert refused(ACTIVATE, USUAL, label=label) == (404, "policies:action.failed")


@pytest.mark.parametrize(
    ("template", "status", "code"),
    [
        ("i:{{ jwt:client }}", 400, "placeholder:unresolved"),
        ("i:{{ header:client }}", 400, "placeholder:unresolved"),
        ("i:{{ policy-entry:colour }}", 400, "placeholder:unresolved"),
        ("i:{{ thing:id }}", 400, "placeholder:placeholder.notresolvable"),
        ("no-issuer", 400, "policies:subjectid.invalid"),
    ],
)
def test_a_template_that_gives_no_subject_is_400(template: str, status: int, code: str) -> None:
    assert refused(ACTIVATE, USUAL, template=template) == (status, code)


def test_a_template_may_take_headers() -> None:
    decision = act(ACTIVATE, USUAL, template="i:{{ header:client }}", headers={"client": "x"})
    assert subjects(decision) == [("created", "readers", "i:x")]


@pytest.mark.parametrize("body", [[], "x", 1])
def test_a_body_that_is_no_object_is_400(body: JsonValue) -> None:
    assert refused(ACTIVATE, USUAL, body=body) == (400, "json.format.invalid")


def test_a_wrong_announcement_is_400() -> None:
    refusal = refused(ACTIVATE, USUAL, body={"announcement": {"beforeExpiry": "1d"}})
    assert refusal == (400, "policies:subjectannouncement.invalid")


def test_activation_cannot_make_the_last_owner_temporary() -> None:
    everything = entry(["farm:ada"], {"thing:/": ["READ"], "policy:/": ["READ", "WRITE", "EXECUTE"]})
    alone = replace(USUAL, document={"policyId": POLICY, "entries": {"readers": everything}})
    assert refused(ACTIVATE, alone, template="farm:ada") == (403, "policies:policy.modificationinvalid")


def test_whoever_expired_is_told_so() -> None:
    state = replace(policy(), expired=("farm:ada",))
    assert refused(ACTIVATE, state) == (401, "gateway:authentication.failed")


def test_events_are_about_the_policy() -> None:
    event = act(ACTIVATE, USUAL).events[0]
    assert isinstance(event, Event)
    assert (event.entity_id, event.cause) == (POLICY, None)
