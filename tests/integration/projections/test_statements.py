from __future__ import annotations

from importlib import resources

import pytest

from eventstore.pool import Pool
from projections.statements import statement

NAMES = sorted(
    file.name.removesuffix(".sql") for file in resources.files("projections.sql").iterdir() if ".sql" in file.name
)


@pytest.mark.parametrize("name", NAMES)
async def test_every_statement_fits_the_migrated_schema(pool: Pool, name: str) -> None:
    async with pool.acquire() as connection:
        assert (await connection.prepare(statement(name))).get_query() == statement(name)


def test_a_statement_is_the_same_string_each_time() -> None:
    assert statement("read_twins") is statement("read_twins")
