"""Each test has a database and a virtual host of its own."""

import aio_pika
import asyncpg
import pytest

from eventstore.migrations import is_current


@pytest.mark.parametrize("turn", range(3))
async def test_a_test_gets_a_database_without_the_tables_of_others(empty_database_url: str, turn: int) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE mine (turn integer)")
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


async def test_a_test_gets_a_migrated_database(database_url: str) -> None:
    assert await is_current(database_url)


@pytest.mark.parametrize("turn", range(3))
async def test_a_test_gets_a_virtual_host_without_the_queues_of_others(amqp_url: str, turn: int) -> None:
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("mine", durable=True)
        assert queue.declaration_result.message_count == 0
        await channel.default_exchange.publish(aio_pika.Message(b"left behind"), "mine")
