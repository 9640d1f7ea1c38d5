"""The backend app of the demonstration: makes and reads twins over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
import orjson

from services.demo.service import DemoFailedError

AT_ONCE = 32
JSON_TYPE = {"Content-Type": "application/json"}


async def create_twins(
    session: aiohttp.ClientSession, twins: Iterable[tuple[str, bytes]], progress: Callable[[], None]
) -> int:
    """Create every twin that is not there yet and say how many were; safe to repeat after an interruption."""
    waiting = iter(twins)
    created = 0

    async def work() -> None:
        nonlocal created
        for thing_id, twin in waiting:
            created += await _create(session, thing_id, twin)
            progress()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return created


async def _create(session: aiohttp.ClientSession, thing_id: str, twin: bytes) -> bool:
    headers = JSON_TYPE | {"If-None-Match": "*"}
    async with session.put(f"/api/2/things/{thing_id}", data=twin, headers=headers) as response:
        if response.status not in {201, 412}:
            raise DemoFailedError(f"PUT of {thing_id} was answered {response.status}: {await response.text()}")
        return response.status == 201


async def read_twin(session: aiohttp.ClientSession, thing_id: str) -> dict[str, Any]:
    """The twin with its revision and times."""
    fields = "thingId,policyId,attributes,features,_revision,_created,_modified"
    async with session.get(f"/api/2/things/{thing_id}", params={"fields": fields}) as response:
        if response.status != 200:
            raise DemoFailedError(f"GET of {thing_id} was answered {response.status}: {await response.text()}")
        twin: dict[str, Any] = orjson.loads(await response.read())
        return twin
