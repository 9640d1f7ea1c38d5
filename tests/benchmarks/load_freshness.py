"""Measures how soon a change can be found: a PUT, then a search that waits for the position that the PUT answered."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import uvloop


async def generate(job: dict[str, Any]) -> dict[str, object]:
    """Run one job: ``port, thing_ids, property, authorization, seconds``."""
    ordered = sorted(await measured(job))
    last = len(ordered) - 1
    return {"count": len(ordered), "p50": ordered[last // 2], "p99": ordered[int(last * 0.99)]}


async def measured(job: dict[str, Any]) -> list[float]:
    """Seconds from the answer to a change until the answer of a search that finds it; one at least."""
    times: list[float] = []
    until = time.perf_counter() + job["seconds"]
    headers = {"Authorization": job["authorization"]}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{job['port']}", headers=headers) as session:
        while not times or time.perf_counter() < until:
            thing_id = job["thing_ids"][len(times) % len(job["thing_ids"])]
            times.append(await _seconds_to_found(session, thing_id, job["property"], time.time()))
            await asyncio.sleep(0.01)
    return times


async def _seconds_to_found(session: aiohttp.ClientSession, thing_id: str, path: str, value: float) -> float:
    async with session.put(f"/api/2/things/{thing_id}/{path}", json=value) as response:
        assert response.status in {201, 204}, await response.text()
        position = response.headers["twinlog-position"]
    began = time.perf_counter()
    asked = quote(f'and(eq(thingId,"{thing_id}"),eq({path},{value}))')
    target = f"/api/2/search/things?fields=thingId&filter={asked}"
    async with session.get(target, headers={"twinlog-position": position}) as response:
        assert response.status == 200, await response.text()
        found = await response.json()
    assert found["items"] == [{"thingId": thing_id}], found
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(generate(orjson.loads(sys.stdin.buffer.read())))))
