"""What commanding itself has to refuse, whatever the command says: too much, too late, no store.

All of them are entries of the catalogue, said with the facts that only commanding knows.
"""

from __future__ import annotations

from typing import Final

from protocol.errors import CommandTimeout, GatewayServiceUnavailable

RETRY_SECONDS: Final = 1
"""When to come back. Groups take milliseconds and a database restart seconds, so soon."""


class Overloaded(GatewayServiceUnavailable):
    """More commands are waiting than may wait."""

    def __init__(self, waiting: int) -> None:
        super().__init__(
            "The service is overloaded.",
            f"{waiting} commands are waiting already. Nothing was changed. Try again in a moment.",
            retry_after=RETRY_SECONDS,
        )


class Stopping(GatewayServiceUnavailable):
    """The service is shutting down and takes no more commands."""

    def __init__(self) -> None:
        super().__init__(
            "The service is shutting down.", "Nothing was changed. Try again in a moment.", retry_after=RETRY_SECONDS
        )


class StoreDown(GatewayServiceUnavailable):
    """The event store cannot be reached."""

    def __init__(self) -> None:
        super().__init__(
            "The event store is not available.",
            "Nothing was changed. Try again in a moment.",
            retry_after=RETRY_SECONDS,
        )


class Contested(GatewayServiceUnavailable):
    """Other writers were faster every time that the command was tried."""

    def __init__(self, entity_id: str, attempts: int) -> None:
        super().__init__(
            f"'{entity_id}' is being changed by others all the time.",
            f"The command was tried {attempts} times and changed nothing. Try again in a moment.",
            retry_after=RETRY_SECONDS,
        )


class HeldBack(GatewayServiceUnavailable):
    """An ordered command about the same entity could not be executed yet, and this one must not overtake it."""

    def __init__(self, entity_id: str) -> None:
        super().__init__(
            f"A command for '{entity_id}' before this one could not be executed yet.",
            "Nothing was changed. Try again in a moment, after that command.",
            retry_after=RETRY_SECONDS,
        )


class OutcomeUnknown(GatewayServiceUnavailable):
    """The store was lost during the append and did not come back in time.

    The only answer that leaves open whether the command took effect. A repeat with the same command id finds out.
    """

    def __init__(self) -> None:
        super().__init__(
            "The event store was lost while it stored the change.",
            "Whether the change is stored is not known. Read it again, or repeat the command with the same message id: "
            "it takes effect at most once.",
            retry_after=RETRY_SECONDS,
        )


class Withdrawn(CommandTimeout):
    """The command waited longer than its timeout; it was withdrawn before it could change anything."""
