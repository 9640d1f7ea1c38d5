"""``twinlog`` without policies: everybody may do everything, and no policy is looked at for it.

Only a benchmark can want this, to learn what enforcement costs. The product has no way to be without it, so it is
composed here, by putting something else in the place of the two functions that commanding asks.
"""

from __future__ import annotations

from protocol.context import Context
from protocol.entities import EntityState
from protocol.signals import Command
from services.cli.app import main
from services.commanding import deciding, reading, surroundings, writing


def _permitted(command: Command, state: EntityState | None, _: Context) -> tuple[Command, EntityState | None]:
    return command, state


def _ungoverned(_: EntityState) -> None:
    return None


def disarm() -> None:
    """Ask nobody from now on, in this process."""
    vars(deciding)["permitted"] = _permitted
    for module in (reading, surroundings, writing):
        vars(module)["governing_policy"] = _ungoverned


if __name__ == "__main__":
    disarm()
    main()
