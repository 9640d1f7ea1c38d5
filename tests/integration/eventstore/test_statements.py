from __future__ import annotations

from importlib import resources
from pathlib import PurePath

import pytest

from eventstore.pool import Connection
from eventstore.statements import statement

NAMES = sorted(
    PurePath(file.name).stem for file in resources.files("eventstore.sql").iterdir() if file.name.endswith(".sql")
)


@pytest.mark.parametrize("name", NAMES)
async def test_every_statement_fits_the_migrated_schema(session: Connection, name: str) -> None:
    await session.prepare(statement(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_what_it_is_for_and_what_it_takes(name: str) -> None:
    text = resources.files("eventstore.sql").joinpath(f"{name}.sql").read_text()
    comment = "".join(line for line in text.splitlines() if line.startswith("--"))
    numbers = [number for number in range(1, 20) if f"${number}" in statement(name)]
    assert comment
    assert all(f"${number}" in comment for number in numbers) or "to $" in comment
    assert numbers or "No parameters" in comment
