"""Asks cells over HTTP, as the role that a header names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import orjson
from prometheus_client import CollectorRegistry
from yarl import URL

from protocol.enforcement.auth import AuthContext
from services.auth.authentication import Authentication
from services.http.operations import Operations
from tests.api.conftest import DEVOPS
from tests.matrix.cell import Cell
from tests.matrix.model import NOTHING
from tests.matrix.roles import ROLES, Role

OPERATIONS: Final = Operations(version="1", checks={}, metrics=CollectorRegistry())
FORM: Final = "application/x-www-form-urlencoded"


class NamedRoles:
    """Believes the header."""

    def authenticate(self, headers: Mapping[str, str]) -> AuthContext | None:
        role = _BY_NAME.get(headers.get("x-role", ""))
        return None if role is None else role.auth


_BY_NAME: Final = {role.name: role for role in ROLES if role.subjects}
AS_ROLE: Final = Authentication([NamedRoles()], challenge="Role")


class Client:
    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._origin = f"http://127.0.0.1:{port}"

    async def __call__(self, role: Role, cell: Cell, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Status and body; an answer in plain text has none that counts."""
        given = {"x-role": role.name, **cell.headers, **(DEVOPS if cell.operator else {}), **(headers or {})}
        data = None if cell.body is NOTHING else orjson.dumps(cell.body)
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        if cell.form is not None:
            data, given["Content-Type"] = cell.form.encode(), FORM
        url = URL(self._origin + cell.url, encoded=True)
        async with self._session.request(
            cell.method, url, headers=given, data=data, skip_auto_headers=["Content-Type"]
        ) as reply:
            text = await reply.read()
            return reply.status, orjson.loads(text) if text and reply.content_type == "application/json" else {}
