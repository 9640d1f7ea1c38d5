"""Every role at every row of the routing table with every method: who may, who hears what, and who leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Final

import aiohttp
import pytest

from protocol.policies.resources import TABLE as POLICY_TABLE
from protocol.things.resources import TABLE as THING_TABLE
from services.http.app import create_app, routing_table
from services.http.routes import Route
from services.http.server import serve_http
from tests.api.conftest import OPERATORS
from tests.matrix.cell import Cell
from tests.matrix.client import AS_ROLE, OPERATIONS, Client
from tests.matrix.codes import POLICY, THING
from tests.matrix.http import cells
from tests.matrix.model import Oracle
from tests.matrix.roles import ROLES, Role
from tests.matrix.stage import Stage, staged
from tests.matrix.world import made_world

WORLD: Final = made_world()


class Matrix:
    """Asks cells one after the other, and says which came out otherwise than expected."""

    def __init__(self, stage: Stage, ask: Client) -> None:
        self._stage, self._ask = stage, ask

    async def differences(self, role: Role) -> list[str]:
        return [
            f"{cell}: {problem}"
            for cell in cells(table(), Oracle(WORLD, role))
            for problem in await self._problems(role, cell)
        ]

    async def _problems(self, role: Role, cell: Cell) -> list[str]:
        return await self._stage.problems(cell.expected, self._ask(role, cell), cell.touched)


@cache
def table() -> tuple[Route, ...]:
    return routing_table("org.eclipse.ditto", OPERATIONS)


@pytest.fixture
async def matrix() -> AsyncIterator[Matrix]:
    async with staged(WORLD) as stage:
        app = create_app(stage, api=AS_ROLE, operators=OPERATORS, operations_of=OPERATIONS)
        async with serve_http(app, host="127.0.0.1", port=0) as port, aiohttp.ClientSession() as session:
            yield Matrix(stage, Client(session, port))


@pytest.mark.parametrize("role", ROLES, ids=str)
async def test_every_request_is_answered_as_the_slow_model_says(matrix: Matrix, role: Role) -> None:
    found = await matrix.differences(role)
    assert not found, f"{len(found)} cells of {role}:\n" + "\n".join(found[:40])


def test_the_matrix_knows_every_resource() -> None:
    for table_of, known in ((THING_TABLE, THING), (POLICY_TABLE, POLICY)):
        assert {row.pattern.strip("/") for row in table_of} == {row.pattern for row in known}


def test_the_matrix_has_cells_of_every_kind() -> None:
    few = [role for role in ROLES if role.name in {"nobody", "stranger", "owner", "deep-revoked", "executor"}]
    every = [cell for role in few for cell in cells(table(), Oracle(WORLD, role))]
    assert len(every) > 3_000
    assert {(cell.route, cell.method) for cell in every} >= {
        (row.path, name) for row in table() for name in row.methods
    }
    assert {cell.expected.status for cell in every} == {200, 201, 204, 400, 401, 403, 404, 405, 409, 412}
    assert sum(cell.expected.status < 300 for cell in every) > 600
