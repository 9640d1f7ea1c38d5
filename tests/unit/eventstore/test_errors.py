from __future__ import annotations

import asyncpg
import pytest

from eventstore.errors import AppendUnknown, StoreUnavailable, UnstorableEvent, translate_errors

LOST = [
    ConnectionResetError("gone"),
    TimeoutError(),
    asyncpg.ConnectionDoesNotExistError("closed in the middle"),
    asyncpg.AdminShutdownError("terminating"),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.InterfaceError("connection is closed"),
]
REFUSED = [
    asyncpg.TooManyConnectionsError("too many"),
    asyncpg.LockNotAvailableError("lock timeout"),
    asyncpg.QueryCanceledError("cancelled"),
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.ReadOnlySQLTransactionError("a replica"),
    asyncpg.DiskFullError("full"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda e: type(e).__name__)
def test_a_lost_connection_leaves_an_append_unknown(error: Exception) -> None:
    with pytest.raises(AppendUnknown) as raised, translate_errors(appending=True):
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [*LOST, *REFUSED], ids=lambda e: type(e).__name__)
def test_anything_else_that_passes_is_unavailable(error: Exception) -> None:
    with pytest.raises(StoreUnavailable) as raised, translate_errors():
        raise error
    assert not isinstance(raised.value, AppendUnknown)


@pytest.mark.parametrize("error", REFUSED, ids=lambda e: type(e).__name__)
def test_a_refusal_of_the_server_means_that_nothing_was_appended(error: Exception) -> None:
    with pytest.raises(StoreUnavailable) as raised, translate_errors(appending=True):
        raise error
    assert not isinstance(raised.value, AppendUnknown)


def test_a_violated_key_of_the_log_is_told_by_its_name() -> None:
    error = asyncpg.UniqueViolationError("duplicate key")
    error.constraint_name = "events_position_key"
    with pytest.raises(StoreUnavailable, match="past the append function"), translate_errors(appending=True):
        raise error


def test_what_cannot_be_kept_is_told_apart() -> None:
    with pytest.raises(UnstorableEvent), translate_errors(appending=True):
        raise asyncpg.CharacterNotInRepertoireError("0x00")


@pytest.mark.parametrize("bug", [asyncpg.UndefinedTableError("no such table"), ValueError("ours")])
def test_bugs_are_let_through(bug: Exception) -> None:
    with pytest.raises(type(bug)), translate_errors(appending=True):
        raise bug
