"""The floor of search: asyncpg running statements that are given, on a few connections, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from typing import Any, TypeAlias

import asyncpg
import orjson
import uvloop

Statements: TypeAlias = Iterator[tuple[str, list[object]]]
"""Texts with their arguments, without end."""


async def generate(job: dict[str, Any]) -> dict[str, object]:
    """Run one job: ``database_url, settings, statements`` (texts with their arguments), ``connections, seconds``."""
    statements = itertools.cycle([(text, arguments) for text, arguments in job["statements"]])
    connections = [
        await asyncpg.connect(job["database_url"], server_settings=job["settings"]) for _ in range(job["connections"])
    ]
    for connection in connections:
        await _ask(connection, statements, 0.2)
    cpu, began = time.process_time(), time.perf_counter()
    counts = await asyncio.gather(*(_ask(connection, statements, job["seconds"]) for connection in connections))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    for connection in connections:
        await connection.close()
    return {"rate": sum(counts) / took, "count": sum(counts), "us": cpu / sum(counts) * 1e6}


async def _ask(connection: asyncpg.Connection[Any], statements: Statements, seconds: float) -> int:
    until, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        text, arguments = next(statements)
        await connection.fetch(text, *arguments)
        count += 1
    return count


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(generate(orjson.loads(sys.stdin.buffer.read())))))
