"""What one command comes to on the state of its entity, whatever happens on the way to the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from protocol.context import Context
from protocol.decision import Decision
from protocol.enforcement.enforce import as_told
from protocol.entities import EntityState, respond
from protocol.errors import DittoError, InternalError, Precondition
from protocol.identifiers import EntityId
from protocol.signals import Command
from services.commanding.pending import Answer
from services.commanding.rules import decided, permitted

_log = logging.getLogger(__name__)

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def guarded(entity_id: EntityId, work: Callable[[*Ts], T], *args: *Ts) -> T | DittoError:
    """The result, or the error to answer with: a defect of ours must not take the rest of a group along."""
    try:
        return work(*args)
    except DittoError as error:
        return error
    except Exception:  # noqa: BLE001 - any defect is this one command's trouble alone, and goes to the log
        _log.exception("command_failed", extra={"entity_id": entity_id})
        return InternalError("The command could not be executed.")


def considered(command: Command, state: EntityState | None, context: Context) -> tuple[Decision, EntityState | None]:
    """The decision on what the caller may do, and the entity as the caller may see it; raises what refuses it."""
    command, shown = permitted(command, state, context)
    try:
        return decided(command, shown, context), shown
    except Precondition as error:
        raise as_told(error, command, state, context) from None


def unchanged(decision: Decision, state: EntityState | None) -> Answer:
    """The answer to what changes nothing; ``state`` is the entity as the caller may see it."""
    if state is None:
        return InternalError("A decision on nothing that changes nothing.")
    return respond(decision, state)


def read(command: Command, state: EntityState | None, context: Context) -> Answer:
    """The answer to a retrieve."""
    return guarded(command.entity_id, _read, command, state, context)


def _read(command: Command, state: EntityState | None, context: Context) -> Answer:
    return unchanged(*considered(command, state, context))
