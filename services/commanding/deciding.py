"""Authorizes and decides one command on the state of its entity; every failure becomes an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from protocol.context import Context
from protocol.decision import Decision
from protocol.enforcement.enforce import hide_unreadable_tag
from protocol.entities import EntityState, respond
from protocol.errors import DittoError, InternalError, Precondition
from protocol.identifiers import EntityId
from protocol.signals import Command
from services.commanding.pending import Answer
from services.commanding.rules import decide_command, enforce_command

_log = logging.getLogger(__name__)

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def result_or_error(entity_id: EntityId, work: Callable[[*Ts], T], *args: *Ts) -> T | DittoError:
    """The result of ``work``, or the error to answer with: a defect fails this command and not its whole group."""
    try:
        return work(*args)
    except DittoError as error:
        return error
    except Exception:  # noqa: BLE001 - a defect fails this command alone, and goes to the log
        _log.exception("command_failed", extra={"entity_id": entity_id})
        return InternalError("The command could not be executed.")


def enforce_and_decide(
    command: Command, state: EntityState | None, context: Context
) -> tuple[Decision, EntityState | None]:
    """The decision, and the entity as far as the caller may READ it; raises the ``DittoError`` to answer with."""
    command, shown = enforce_command(command, state, context)
    try:
        return decide_command(command, shown, context), shown
    except Precondition as error:
        raise hide_unreadable_tag(error, command, state, context) from None


def unchanged(decision: Decision, state: EntityState | None) -> Answer:
    """The answer to a decision without events; ``state`` is the entity as far as the caller may READ it."""
    if state is None:
        return InternalError("A decision without events needs an entity to answer about.")
    return respond(decision, state)


def read(command: Command, state: EntityState | None, context: Context) -> Answer:
    """The answer to a retrieve."""
    return result_or_error(command.entity_id, _read, command, state, context)


def _read(command: Command, state: EntityState | None, context: Context) -> Answer:
    return unchanged(*enforce_and_decide(command, state, context))
