"""Every role with every message that the grammar knows, through the mapper and the intake of the AMQP edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from typing import Any, Final

import orjson
import pytest
from pamqp.commands import Basic

from services.amqp.acknowledges import NobodyAsked
from services.amqp.channels import Delivery
from services.amqp.envelopes import DittoMapper
from services.amqp.fakes import Desk
from services.amqp.identity import Identity
from services.amqp.intake import Intake, Patience
from services.amqp.meters import Meters
from services.metrics import Metrics
from tests.matrix.amqp import Cell, cells
from tests.matrix.model import NOTHING, Oracle
from tests.matrix.roles import ROLES, Role
from tests.matrix.stage import Stage, staged
from tests.matrix.world import made_world

WORLD: Final = made_world()


class Matrix:
    """Delivers cells one after the other, and says which came out otherwise than expected."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._desk, self._tags = stage, Desk(), count(1)
        self._intake = Intake(
            commanding=stage,
            acknowledging=NobodyAsked(),
            mapper=DittoMapper(),
            identity=Identity(known={role.name: role.subjects for role in ROLES}),
            dead_letters=self._desk,
            meters=Meters(Metrics()),
            patience=Patience(attempts=1),
            name="matrix",
        )
        self._intake.attach(self._desk, self._desk)

    async def differences(self, role: Role) -> list[str]:
        return [f"{cell}: {problem}" for cell in cells(_oracle(role)) for problem in await self._problems(role, cell)]

    async def _problems(self, role: Role, cell: Cell) -> list[str]:
        return await self._stage.problems(cell.expected, self._deliver(role, cell), cell.touched)

    async def _deliver(self, role: Role, cell: Cell) -> tuple[int, Any]:
        tag = next(self._tags)
        user_id = role.name if role.subjects else None
        properties = Basic.Properties(user_id=user_id, reply_to="answers")
        body = orjson.dumps(cell.envelope())
        self._intake.deliver(
            Delivery(
                tag=tag,
                redelivered=False,
                exchange="twinlog.commands",
                routing_key="device",
                properties=properties,
                body=body,
            )
        )
        await self._desk.settlement(tag)
        answers, self._desk.answers = self._desk.answers, []
        if not answers:
            return 0, None
        answer = orjson.loads(answers.pop())
        assert not answers
        return answer["status"], answer.get("value", NOTHING)


@pytest.fixture
async def matrix() -> AsyncIterator[Matrix]:
    async with staged(WORLD) as stage:
        yield Matrix(stage)


@pytest.mark.parametrize("role", ROLES, ids=str)
async def test_every_message_is_answered_as_the_slow_model_says(matrix: Matrix, role: Role) -> None:
    found = await matrix.differences(role)
    assert not found, f"{len(found)} cells of {role}:\n" + "\n".join(found[:40])


def test_the_matrix_has_cells_of_every_kind() -> None:
    few = [role for role in ROLES if role.name in {"nobody", "stranger", "owner", "deep-revoked"}]
    every = [cell for role in few for cell in cells(_oracle(role))]
    assert len(every) > 2_000
    assert {cell.expected.status for cell in every} == {0, 200, 201, 204, 400, 401, 403, 404, 405, 409, 412, 422}
    assert sum(cell.expected.status in {200, 201, 204} for cell in every) > 600


def _oracle(role: Role) -> Oracle:
    """What a token says is known to HTTP alone."""
    return Oracle(WORLD, replace(role, token=False))
