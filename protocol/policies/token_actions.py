"""Lending a right to a token: an integration gets the rights of an entry for as long as the token lives that asked.

A service that lets its users connect something for them has the user's token. With it, it activates the integration:
the entries that the user is in, and allows this to, get a subject made of the token, which ends with the token. To
activate again with a younger token extends it. Who may is asked here and not before, since an action on the whole
policy takes just the entries that allow it. Source: Ditto documentation, page *basic-policy*, section on actions.
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
from protocol.json import JsonObject, JsonValue, Missing
from protocol.placeholders import claim_values, expand
from protocol.pointers import Pointer, assign, resolve, text
from protocol.policies.expiry import announcement, expiry, printed
from protocol.policies.soundness import check_change
from protocol.policies.state import PolicyState
from protocol.policies.values import check_subject_id
from protocol.signals import Command, Event
from protocol.wire.timestamps import iso

ACTIVATE: Final = "activateTokenIntegration"
DEACTIVATE: Final = "deactivateTokenIntegration"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def decide_token_action(command: Command, policy: PolicyState | None, context: Context) -> Decision:
    """The subjects that come or go, one event each; possibly none.

    The path is that of the action: below an entry, or of the whole policy. ``PolicyActionFailed`` without a token
    (400), without EXECUTE (403), or where no entry is fit (404); ``PlaceholderUnresolved`` (400) where the token lacks
    what the subject's name is made of.
    """
    label, action = _action(command.path)
    if context.claims is None:
        raise PolicyActionFailed(action, "it needs a token", status=400)
    if policy is None or policy.deleted:
        raise PolicyNotFound(command.entity_id)
    entries = _fitting(policy, label, action, context)
    named = [(each, subject_id) for each in entries for subject_id in _subject_ids(each, command, context)]
    if action == ACTIVATE:
        events = tuple(_activated(named, policy, _subject(command, context), context))
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


def _fitting(policy: PolicyState, label: str | None, action: str, context: Context) -> list[str]:
    """The labels of the entries that the action applies to."""
    entries = {key: entry for key, entry in _object(policy.document.get("entries")).items() if isinstance(entry, dict)}
    allowed = context.enforcer_of(policy).tree(context.subjects, "EXECUTE", "policy")
    asked = list(entries) if label is None else [label]
    permitted = [each for each in asked if allowed.unrestricted(("entries", each, "actions", action))]
    if not permitted:
        raise context.refusal(PolicyActionFailed(action, "you may not execute it", status=403), policy)
    fitting = [
        each
        for each in permitted
        if each in entries
        and not context.token_subjects.isdisjoint(_object(entries[each].get("subjects")))
        and (action == DEACTIVATE or _grants_reading(entries[each]))
    ]
    if not fitting:
        failed = PolicyActionFailed(action, "no entry that holds your subject fits", status=404)
        raise context.refusal(failed, policy)
    return fitting


def _grants_reading(entry: JsonObject) -> bool:
    return any(
        key.startswith("thing:") and "READ" in _list(rights.get("grant")) and "READ" not in _list(rights.get("revoke"))
        for key, rights in _object(entry.get("resources")).items()
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
    """What is known of the new subjects: where they come from, when they end, how that is to be announced."""
    body = {} if isinstance(command.value, Missing) else command.value
    if not isinstance(body, dict):
        raise JsonFormatInvalid("the request body", "an object, or none")
    granularity = context.limits.granularity
    ends = _end_of_token(context)
    subject: JsonObject = {
        "type": f"{ACTIVATE} at {iso(context.now)}",
        "expiry": printed(expiry(iso(ends), now=context.now, granularity=granularity.expiry)),
    }
    if body.get("announcement") is not None:
        _, subject["announcement"] = announcement(body["announcement"], granularity=granularity.announcement)
    return subject


def _end_of_token(context: Context) -> datetime:
    seconds = {} if context.claims is None else context.claims
    ends = seconds.get("exp")
    if isinstance(ends, bool) or not isinstance(ends, (int, float)):
        raise PlaceholderUnresolved("{{ jwt:exp }}")
    return EPOCH + timedelta(seconds=ends)


def _activated(
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


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
