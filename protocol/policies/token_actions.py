"""Token actions: an integration gets the permissions of an entry for as long as the user's token is valid.

A service that holds a user's token activates the integration with it: each entry that contains the user and grants the
action gets a subject made from the token, which expires with the token. To activate again with a newer token extends
it. The action is authorized here and not in ``enforce``, since on a whole policy it applies to just the entries that
grant it. Source: Ditto documentation, page *basic-policy*, section on actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from protocol.context import Context
from protocol.decision import Decision
from protocol.errors import (
    JsonFormatInvalid,
    PlaceholderUnresolved,
    PolicyActionFailed,
    PolicyNotFound,
    UnknownPath,
)
from protocol.json import JsonObject, JsonValue, Missing, as_list, as_object
from protocol.placeholders import claim_values, expand
from protocol.pointers import Pointer, assign, resolve, text
from protocol.policies.entries import entries_of
from protocol.policies.expiry import read_announcement, read_expiry
from protocol.policies.soundness import check_change
from protocol.policies.state import PolicyState
from protocol.policies.values import check_subject_id
from protocol.signals import Command, Event
from protocol.wire.timestamps import iso

ACTIVATE: Final = "activateTokenIntegration"
DEACTIVATE: Final = "deactivateTokenIntegration"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def decide_token_action(command: Command, policy: PolicyState | None, context: Context) -> Decision:
    """One event for each subject that is added, extended or removed; possibly none.

    The command's path is that of the action, below an entry or below the policy. Raises ``PolicyActionFailed`` without
    a token (400), without EXECUTE (403) or if no entry applies (404), ``PolicyNotFound`` (404) also for a caller whom
    the policy does not name, and ``PlaceholderUnresolved`` (400) if the token lacks a claim that the subject id needs.
    """
    label, action = _action(command.path)
    if context.claims is None:
        raise PolicyActionFailed(action, "it needs a token", status=400)
    if policy is None or policy.deleted:
        raise PolicyNotFound(command.entity_id)
    entries = _applicable_entries(policy, label, action, context)
    named = [(each, subject_id) for each in entries for subject_id in _subject_ids(each, command, context)]
    if action == ACTIVATE:
        events = tuple(_activation_events(named, policy, _subject(command, context), context))
    else:
        paths = [_path(each, subject_id) for each, subject_id in named]
        events = tuple(
            Event(entity_id=policy.policy_id, action="deleted", path=path)
            for path in paths
            if not isinstance(resolve(policy.document, path), Missing)
        )
    return Decision(entity_id=policy.policy_id, verb="execute", path=command.path, status=204, events=events)


def _action(path: Pointer) -> tuple[str | None, str]:
    match path:
        case ("actions", ("activateTokenIntegration" | "deactivateTokenIntegration") as action):
            return None, action
        case ("entries", label, "actions", ("activateTokenIntegration" | "deactivateTokenIntegration") as action):
            return label, action
        case _:
            raise UnknownPath(text(path))


def _applicable_entries(policy: PolicyState, label: str | None, action: str, context: Context) -> list[str]:
    """The labels of the entries that the action applies to."""
    entries = entries_of(policy.document)
    enforcer = context.enforcer_of(policy)
    allowed = enforcer.tree(context.subjects, "EXECUTE", "policy")
    asked = list(entries) if label is None else [label]
    permitted = [each for each in asked if allowed.unrestricted(("entries", each, "actions", action))]
    if not permitted:
        if not enforcer.names(context.subjects):
            raise context.refusal(PolicyNotFound(policy.policy_id), policy)
        raise context.refusal(PolicyActionFailed(action, "you may not execute it", status=403), policy)
    fitting = [
        each
        for each in permitted
        if each in entries
        and not context.token_subjects.isdisjoint(as_object(entries[each].get("subjects")))
        and (action == DEACTIVATE or _grants_thing_read(entries[each]))
    ]
    if not fitting:
        failed = PolicyActionFailed(action, "no entry that holds your subject fits", status=404)
        raise context.refusal(failed, policy)
    return fitting


def _grants_thing_read(entry: JsonObject) -> bool:
    return any(
        key.startswith("thing:")
        and "READ" in as_list(rights.get("grant"))
        and "READ" not in as_list(rights.get("revoke"))
        for key, rights in as_object(entry.get("resources")).items()
        if isinstance(rights, dict)
    )


def _subject_ids(label: str, command: Command, context: Context) -> tuple[str, ...]:
    def header(name: str) -> tuple[str, ...]:
        value = command.headers.get(name.lower())
        return (value,) if isinstance(value, str) and value else ()

    prefixes = {
        "policy-entry": lambda name: (label,) if name == "label" else (),
        "jwt": lambda path: claim_values(context.claims, path),
        "header": header,
    }
    return tuple(map(check_subject_id, expand(context.limits.integration_subject, prefixes)))


def _subject(command: Command, context: Context) -> JsonObject:
    """The value of the new subjects: their origin, their expiry, and the announcement that the body asks for."""
    body = {} if isinstance(command.value, Missing) else command.value
    if not isinstance(body, dict):
        raise JsonFormatInvalid("the request body", "an object, or none")
    granularity = context.limits.granularity
    expires = _token_expiry(context)
    subject: JsonObject = {
        "type": f"{ACTIVATE} at {iso(context.now)}",
        "expiry": iso(read_expiry(iso(expires), now=context.now, granularity=granularity.expiry)),
    }
    if body.get("announcement") is not None:
        _, subject["announcement"] = read_announcement(body["announcement"], granularity=granularity.announcement)
    return subject


def _token_expiry(context: Context) -> datetime:
    seconds = None if context.claims is None else context.claims.get("exp")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise PlaceholderUnresolved("{{ jwt:exp }}")
    return EPOCH + timedelta(seconds=seconds)


def _activation_events(
    named: list[tuple[str, str]], policy: PolicyState, subject: JsonObject, context: Context
) -> Iterator[Event]:
    after: JsonValue = policy.document
    for label, subject_id in named:
        path = _path(label, subject_id)
        fresh = isinstance(resolve(policy.document, path), Missing)
        after = assign(after, path, subject)
        yield Event(entity_id=policy.policy_id, action="created" if fresh else "modified", path=path, value=subject)
    check_change(after, path=(), of_entry=False, context=context, before=policy.document)


def _path(label: str, subject_id: str) -> Pointer:
    return ("entries", label, "subjects", subject_id)
