"""Where SQL lives: one statement per ``.sql`` file, named for what it does, purpose and parameters on top."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def statement(name: str, *, package: str = "eventstore.sql") -> str:
    """The text of ``<name>.sql`` in ``package``, without the comment on top."""
    text = resources.files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
