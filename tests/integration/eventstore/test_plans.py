from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from eventstore.pool import Connection
from eventstore.statements import statement
from tests.contract.given import NOON

FILL = """
insert into events
select 'thing:farm.one:device-' || (n % 500), n / 500 + 1, n, 'modified', '/a', '1', '{}',
    timestamptz '2026-03-01 12:00Z' + n * interval '1 second', case when n % 2 = 0 then 'c' || n end
from generate_series(1, 20000) n
"""

DEVICE = "thing:farm.one:device-7"

READS: list[tuple[str, tuple[object, ...]]] = [
    ("read_stream", (DEVICE, 5, 2**62)),
    ("read_forwards", (10_000, 11_000, None, None, 1_000)),
    ("read_backwards", (10_000, 11_000, None, None, 1_000)),
    ("read_forwards", (0, 20_000, ["thing:farm.two:"], ["modified"], 100)),
    ("read_stream_forwards", (DEVICE, 0, 0, 20_000, None, 10)),
    ("read_stream_backwards", (DEVICE, 2**62, 0, 20_000, None, 10)),
    ("read_by_stream", (DEVICE, 5, 20_000, 1_000)),
    ("find_command", (DEVICE, "c2007")),
    ("head", ()),
    ("position_at_time", (NOON,)),
]


def nodes(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def plan_of(session: Connection, name: str, arguments: tuple[object, ...]) -> list[str]:
    prepared = await session.prepare(statement(name))
    return list(nodes((await prepared.explain(*arguments))[0]["Plan"]))


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "fresh"])
@pytest.mark.parametrize(("name", "arguments"), READS)
async def test_no_read_scans_the_log(
    session: Connection, name: str, arguments: tuple[object, ...], analyzed: bool, mode: str
) -> None:
    await session.execute(FILL)
    if analyzed:
        await session.execute("analyze events")
    await session.execute(f"set plan_cache_mode = {mode}")
    used = await plan_of(session, name, arguments)
    assert "Seq Scan" not in used
    assert any("Index" in node for node in used), json.dumps(used)


@pytest.mark.parametrize(("name", "arguments"), READS)
async def test_a_plan_made_for_an_empty_log_serves_a_full_one(
    session: Connection, name: str, arguments: tuple[object, ...]
) -> None:
    await session.execute("set plan_cache_mode = force_generic_plan")
    assert "Seq Scan" not in await plan_of(session, name, arguments)
