"""The floor of the HTTP path: bare aiohttp handlers, one that answers bytes, one that stores in groups by asyncpg."""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import uvloop
from aiohttp import web

GROUP = 256
TABLE = "create table if not exists floor_puts (position bigserial primary key, body json not null)"
INSERT = "insert into floor_puts (body) select unnest($1::text[])::json"


class GroupedInserts:
    """Stores what is waiting in one statement while the next group gathers."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    def store(self, body: str) -> asyncio.Future[None]:
        """A future that is done when the body is durable."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, stored))
        self._wake.set()
        return stored

    async def run(self) -> None:
        """Store for ever."""
        while True:
            await self._wake.wait()
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            if not self._waiting:
                self._wake.clear()
            await self._pool.execute(INSERT, [body for body, _ in group])
            for _, stored in group:
                if not stored.done():
                    stored.set_result(None)


async def serve(port: int, database_url: str, twin: bytes) -> None:
    """Answer GET with the twin and PUT with 204 after the commit, until killed."""
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=4)
    await pool.execute(TABLE)
    inserts = GroupedInserts(pool)

    async def get(_request: web.Request) -> web.Response:
        return web.Response(body=twin, content_type="application/json")

    async def put(request: web.Request) -> web.Response:
        await inserts.store((await request.read()).decode())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/{tail:.*}", get)
    app.router.add_put("/{tail:.*}", put)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await inserts.run()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3].encode()))
