"""``twinlog`` without policies: everybody may do everything, and no policy is looked at for it.

Only a benchmark can want this, to learn what enforcement costs. The product has no way to be without it, so it is
composed here, by putting something else in the place of the two functions that commanding asks.
"""

from __future__ import annotations

from typing import Final

from protocol.context import Context
from protocol.entities import EntityState
from protocol.signals import Command
from services.cli.app import main
from services.commanding import checking, deciding, reading, surroundings, writing


def _permitted(command: Command, state: EntityState | None, _: Context) -> tuple[Command, EntityState | None]:
    return command, state


def _ungoverned(_: EntityState) -> None:
    return None


REPLACED: Final = (
    (deciding, "enforce_command", _permitted),
    *((module, "governing_policy", _ungoverned) for module in (checking, reading, surroundings, writing)),
)
"""The modules of commanding, a function that each asks, and what answers instead."""


def disarm() -> None:
    """Ask nobody from now on, in this process."""
    for module, name, instead in REPLACED:
        if name not in vars(module):
            raise AttributeError(f"{module.__name__} has no {name}: it would go on to enforce")
        vars(module)[name] = instead


if __name__ == "__main__":
    disarm()
    main()
