"""A sample of the messages through a real broker, to see that nothing is lost or added on the way."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import orjson
import pytest

from services.amqp.identity import Identity
from tests.integration.amqp.harness import Field, field, new_consumer, running, take
from tests.matrix.amqp import Cell, cells
from tests.matrix.model import NOTHING, Oracle
from tests.matrix.roles import ROLES, Role
from tests.matrix.stage import staged
from tests.matrix.world import made_world

NAMES = frozenset({"stranger", "deep-revoked", "partial-writer", "subject-admin", "importer", "drawn-3"})
EVERY = 9


@pytest.mark.parametrize("role", [role for role in ROLES if role.name in NAMES], ids=str)
async def test_messages_through_the_broker_are_answered_as_the_slow_model_says(amqp_url: str, role: Role) -> None:
    world, problems = made_world(), list[str]()
    sample = islice(cells(Oracle(world, replace(role, token=False))), 0, None, EVERY)
    async with staged(world) as stage:
        consumer = new_consumer(amqp_url, stage, identity=Identity(default_subjects=role.subjects))
        async with running(consumer), field(amqp_url) as outside:
            for cell in (cell for cell in sample if cell.expected.status):
                head = await stage.store.head()
                problems += [f"{cell}: {problem}" for problem in cell.expected.problems(*await _ask(outside, cell))]
                appended = await stage.store.head() - head
                if appended != cell.expected.events:
                    problems.append(f"{cell}: {cell.expected.events} events were due, {appended} came")
                if appended:
                    await stage.renew()
    assert not problems, "\n".join(problems[:40])


async def _ask(outside: Field, cell: Cell) -> tuple[int, Any]:
    answers = await outside.queue("answers")
    await outside.send(orjson.dumps(cell.envelope()), reply_to="answers")
    answer = orjson.loads((await take(answers)).body)
    return answer["status"], answer.get("value", NOTHING)
