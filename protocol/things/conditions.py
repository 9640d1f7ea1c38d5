"""Conditions about what a thing holds: ``condition``, ``live-channel-condition`` and ``merge-thing-patch-conditions``.

What ``channel: live`` asks of a device instead of the twin stands here too, since a condition can ask the same.

They are RQL over the thing as it is stored, with ``_revision``, ``_modified``, ``_created``, ``_namespace`` and
``_metadata``, and are read even where they are not evaluated, so that a mistake is always 400. Not evaluated are they
for a creation, nor where there is no thing. Whoever uses a property needs READ on it and on everything below it, for
``features/*`` in whatever feature there may be; else the condition fails like one that is false, so that nobody learns
by asking. The thing's id and namespace stand in the command and need no permission.

Source: Ditto documentation, pages *basic-conditional-requests* and *protocol-specification-things-merge*. The order is
that of Ditto's Java: the condition right after the thing's existence, before entity tags and missing parts.
"""

from __future__ import annotations

from typing import Final

from protocol.context import Context
from protocol.enforcement.tree import PermissionTree
from protocol.errors import (
    CommandHeadersInvalid,
    CommandTimeout,
    ConditionFailed,
    ConditionInvalid,
    HeaderInvalid,
    LiveChannelConditionNotAllowed,
    ThingNotCreatable,
    ThingNotFound,
)
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import Pointer, parse, remove, resolve
from protocol.rql.matching import TooCostly, matches
from protocol.rql.parsing import parse_query
from protocol.rql.tree import Property, Query, properties
from protocol.signals import Command, Headers
from protocol.things.state import ThingState
from protocol.things.views import whole

CONDITION: Final = "condition"
LIVE_CONDITION: Final = "live-channel-condition"
PATCH_CONDITIONS: Final = "merge-thing-patch-conditions"

_CHANNEL: Final = "channel"
_NOBODY_LIVE: Final = (
    "No device listens on the live channel. Let the twin answer: live-channel-timeout-strategy=use-twin."
)
_NOBODY_OBEYS: Final = "No device listens on the live channel. Change the twin: channel=twin."
_LIVE_STRATEGY: Final = "live-channel-timeout-strategy"
_KNOWN_TO_ALL: Final = frozenset({("thingId",), ("_namespace",)})


def is_conditional(command: Command) -> bool:
    """Whether ``check`` has anything to look at; all that a command without conditions pays for them."""
    headers = command.headers
    return CONDITION in headers or LIVE_CONDITION in headers or PATCH_CONDITIONS in headers or _is_live(headers)


def _is_live(headers: Headers) -> bool:
    return headers.get(_CHANNEL) == "live"


def check(command: Command, thing: ThingState | None, context: Context) -> None:
    """Raise if the command's condition is false for the living thing, or one of its conditions cannot be read.

    ``ConditionFailed`` (412), ``RqlExpressionInvalid`` or ``ConditionInvalid`` (400), and 405 for a
    ``live-channel-condition`` on anything but a query. A change that is meant for the device never reaches the twin.
    """
    headers = command.headers
    if LIVE_CONDITION in headers:
        if command.verb != "retrieve":
            raise LiveChannelConditionNotAllowed
        parse_query(str(headers[LIVE_CONDITION]))
    if PATCH_CONDITIONS in headers and command.verb == "merge":
        _patch_conditions(headers[PATCH_CONDITIONS])
    if CONDITION in headers:
        text = str(headers[CONDITION])
        query = parse_query(text)
        if thing is not None and command.verb != "create" and not _Asked(thing, context).holds(query, text):
            raise ConditionFailed(text)
    if _is_live(headers) and command.verb != "retrieve":
        raise _unheard(command, thing)


def _unheard(command: Command, thing: ThingState | None) -> ThingNotCreatable | ThingNotFound | CommandTimeout:
    """Why a change that was sent on the live channel is not answered: nobody can be listening there yet."""
    if command.verb == "create":
        return ThingNotCreatable(command.entity_id, "it is made on the channel 'twin' only", status=405)
    return ThingNotFound(command.entity_id) if thing is None else CommandTimeout(0, _NOBODY_OBEYS)


def check_each_readable(headers: Headers) -> None:
    """Raise if a query of several things has a condition that cannot be read; each thing is judged by itself.

    A condition cannot choose the channel for several things at once.
    """
    if LIVE_CONDITION in headers:
        raise LiveChannelConditionNotAllowed
    if _is_live(headers):
        _fall_back(headers)
    if CONDITION in headers:
        parse_query(str(headers[CONDITION]))


def channel_headers(command: Command, thing: ThingState, context: Context) -> Headers:
    """What the answer to a query says about its channel, if the caller chose one or left the choice to a condition.

    A false condition is answered by the twin. A true one asks for the device itself, over the live channel.
    """
    headers = command.headers
    text = headers.get(LIVE_CONDITION)
    if text is None:
        return _fall_back(headers) if _is_live(headers) else {}
    matched = _Asked(thing, context).holds(parse_query(str(text)), str(text))
    answered = _fall_back(headers) if matched else {_CHANNEL: "twin"}
    return {"live-channel-condition-matched": matched, **answered}


def _fall_back(headers: Headers) -> Headers:
    """That the twin answers for the device.

    Nobody can be listening on the live channel yet, so that there is nothing to wait for: a query times out at once,
    which is a 408 or, as the caller prefers, the twin.
    """
    if headers.get(_LIVE_STRATEGY, "fail") != "use-twin":
        raise CommandTimeout(0, _NOBODY_LIVE)
    return {_CHANNEL: "twin"}


def forbidden_places(command: Command, thing: ThingState, context: Context) -> tuple[Pointer, ...]:
    """The paths that the patch's own conditions exclude from it, relative to the command's path."""
    header = command.headers.get(PATCH_CONDITIONS)
    if header is None:
        return ()
    asked = _Asked(thing, context)
    # All are asked, so that a property that may not be read fails the merge whatever the others say.
    answers = [(pointer, asked.holds(query, text)) for pointer, text, query in _patch_conditions(header)]
    return tuple(pointer for pointer, holds in answers if not holds)


def without_places(patch: JsonValue, places: tuple[Pointer, ...], *, drop_emptied: bool) -> JsonValue | Missing:
    """The patch without these paths; ``MISSING`` if nothing is left of it.

    Objects that lose their last member stay as ``{}``, which still makes an object of what is none, unless they are to
    be dropped too.
    """
    for place in places:
        if isinstance(resolve(patch, place), Missing):
            continue
        left = remove(patch, place)
        while drop_emptied and place and not isinstance(left, Missing) and resolve(left, place[:-1]) == {}:
            place = place[:-1]  # noqa: PLW2901 - climbing
            left = remove(left, place)
        if isinstance(left, Missing):
            return MISSING
        patch = left
    return patch


def check_not_with_json_patch(headers: Headers) -> None:
    """Raise ``CommandHeadersInvalid`` (400) if there are conditions on places that a JSON Patch does not have."""
    if PATCH_CONDITIONS in headers:
        raise CommandHeadersInvalid(PATCH_CONDITIONS, "a JSON Patch has operations instead, and tests of its own")


class _Asked:
    """A thing and who asks about it."""

    def __init__(self, thing: ThingState, context: Context) -> None:
        self._document: JsonObject = whole(thing)
        self._context = context
        self._may = _permissions(thing, context)

    def holds(self, query: Query, text: str) -> bool:
        """Whether the query holds; raises when the caller may not know, or when finding out takes too long."""
        if self._may is not None and not self._may.everything:
            for subject in properties(query):
                if not _readable(subject, self._may):
                    raise ConditionFailed(text)
        try:
            return matches(query, self._document, now=self._context.now)
        except TooCostly:
            raise ConditionInvalid(text, "it would look at too many values of this thing") from None


def _permissions(thing: ThingState, context: Context) -> PermissionTree | None:
    """What the caller may read; ``None`` where permissions are no matter."""
    if context.governing is None:
        return None
    enforcer = context.enforcer(context.governing)
    if enforcer is None:
        return PermissionTree((), "READ")
    return enforcer.thing_tree(context.subjects, "READ", thing.thing_id)


def _readable(subject: Property, may: PermissionTree) -> bool:
    if subject.path in _KNOWN_TO_ALL:
        return True
    if subject.any_feature:
        return may.unrestricted_throughout(subject.path[:1], subject.path[2:])
    return may.unrestricted(subject.path)


def _patch_conditions(header: JsonValue) -> list[tuple[Pointer, str, Query]]:
    if not isinstance(header, dict):
        raise _no_conditions(header)
    found: list[tuple[Pointer, str, Query]] = []
    for pointer, text in header.items():
        if not isinstance(text, str):
            raise _no_conditions(header)
        found.append((parse(pointer), text, parse_query(text)))
    return found


def _no_conditions(header: JsonValue) -> HeaderInvalid:
    return HeaderInvalid(PATCH_CONDITIONS, 'an object such as {"attributes/a":"exists(attributes/a)"}', header)
