from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from eventstore import schema
from eventstore.errors import StoreUnavailable
from eventstore.migrations import VERSION_TABLE, migrate

Catalogue = dict[str, list[tuple[object, ...]]]

OURS = ("events", "sole_writer")

CATALOGUE = {
    "columns": """
        select table_name, column_name, ordinal_position, data_type, collation_name, is_nullable, column_default
        from information_schema.columns where table_name = any ($1::text[]) order by 1, 3""",
    "indexes": "select indexdef from pg_indexes where tablename = any ($1::text[]) order by 1",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        from pg_constraint where conrelid::regclass::text = any ($1::text[]) order by 1, 2""",
    "triggers": """
        select tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid)
        from pg_trigger where tgrelid::regclass::text = any ($1::text[]) order by 1, 2""",
    "functions": """
        select proname, pg_get_functiondef(oid) from pg_proc
        where pronamespace = 'public'::regnamespace and $1::text[] is not null
            and proname in ('append_events', 'refuse_change', 'take_sole_writer') order by 1""",
    "comments": """
        select relname, obj_description(oid) from pg_class where relname = any ($1::text[]) and relkind = 'r'
        order by 1""",
}


@pytest.fixture
async def engine(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(empty_database_url), poolclass=NullPool
    )
    yield engine
    await engine.dispose()


async def catalogue(url: str) -> Catalogue:
    connection = await asyncpg.connect(url)
    try:
        return {name: [tuple(row) for row in await connection.fetch(sql, OURS)] for name, sql in CATALOGUE.items()}
    finally:
        await connection.close()


def differences(connection: Connection, metadata: MetaData) -> list[object]:
    def only_ours(thing: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return kind != "table" or name in OURS

    options = {"version_table": VERSION_TABLE, "include_object": only_ours, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_a_schema_from_scratch_equals_a_migrated_one(
    database_url: str, empty_database_url: str, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(schema.create)
    scratch, migrated = await catalogue(empty_database_url), await catalogue(database_url)
    assert all(scratch.values())
    assert scratch == migrated


async def test_the_tables_described_are_the_tables_migrated(empty_database_url: str, engine: AsyncEngine) -> None:
    await migrate(empty_database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences, schema.metadata) == []


async def test_two_processes_may_migrate_at_once(empty_database_url: str) -> None:
    assert not await schema.is_current(empty_database_url)
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert await schema.is_current(empty_database_url)


async def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    before = await catalogue(empty_database_url)
    await migrate(empty_database_url)
    assert await catalogue(empty_database_url) == before


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/none")
