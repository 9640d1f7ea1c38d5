"""The embedded PostgreSQL keeps its data over every kind of end, lets nobody in without the password, and is alone."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from services.embedded.postgres import EmbeddedPostgres, running_url
from services.embedded.processes import ServerFailed
from tests.keeper import PROJECT
from tests.waiting import DEADLINE

OWNER = """
import asyncio, sys
from pathlib import Path
from services.embedded.postgres import EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]))
    await server.start()
    sys.stdout.write(server.url + "\\n")
    sys.stdout.flush()
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def refused(url: str) -> None:
    """Wait until nobody serves this address any more."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await run(url, "SELECT 1")
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
                if isinstance(error, ConnectionRefusedError):
                    return


async def given_a_row(server: EmbeddedPostgres) -> None:
    await run(server.url, "CREATE TABLE kept AS SELECT 1 AS number")


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_data_and_address_survive_the_end_of_the_server(home: Path, end: str) -> None:
    async with EmbeddedPostgres(home) as server:
        await given_a_row(server)
        before = server.url
        await getattr(server, end)()
        await server.start()
        assert server.url == before
        assert await run(server.url, "SELECT number FROM kept") == 1


async def test_a_later_owner_of_the_home_finds_the_data(home: Path) -> None:
    async with EmbeddedPostgres(home) as server:
        await given_a_row(server)
    async with EmbeddedPostgres(home) as later:
        assert await run(later.url, "SELECT number FROM kept") == 1


async def test_a_commit_is_durable_by_default(home: Path) -> None:
    async with EmbeddedPostgres(home) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await run(server.url, f"SHOW {setting}") == "on"


async def test_nobody_gets_in_without_the_password(home: Path) -> None:
    async with EmbeddedPostgres(home) as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await run(server.url.replace("twinlog:", "twinlog:wrong"), "SELECT 1")


async def test_the_server_listens_on_loopback_only_and_not_as_root(home: Path) -> None:
    async with EmbeddedPostgres(home) as server:
        pid = int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        listening = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert process.uids().effective != 0


async def test_two_homes_have_two_servers_at_once(home: Path) -> None:
    async with EmbeddedPostgres(home / "one") as one, EmbeddedPostgres(home / "two") as two:
        await given_a_row(one)
        assert await run(two.url, "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'") == 0


async def test_one_home_has_one_server_and_others_learn_its_address(home: Path) -> None:
    assert running_url(home) is None
    async with EmbeddedPostgres(home) as server:
        with pytest.raises(ServerFailed, match="another process runs"):
            await EmbeddedPostgres(home).start()
        assert running_url(home) == server.url
    assert running_url(home) is None


async def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    server = EmbeddedPostgres(home, settings={"shared_buffers": "nonsense"})
    with pytest.raises(ServerFailed, match="shared_buffers"):
        await server.start()


async def test_the_server_ends_with_its_killed_owner_and_the_next_one_starts(home: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, home, cwd=PROJECT, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    url = (await owner.stdout.readline()).decode().strip()
    await run(url, "CREATE TABLE kept AS SELECT 1 AS number")
    owner.kill()
    await owner.wait()
    await refused(url)
    async with EmbeddedPostgres(home) as server:
        assert await run(server.url, "SELECT number FROM kept") == 1


async def test_a_pid_file_left_by_a_crash_does_not_stop_the_next_start(home: Path) -> None:
    async with EmbeddedPostgres(home) as server:
        await given_a_row(server)
        await server.kill()
        lines = (server.folder / "data" / "postmaster.pid").read_text().splitlines()
        (server.folder / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
        await server.start()
        assert await run(server.url, "SELECT number FROM kept") == 1
