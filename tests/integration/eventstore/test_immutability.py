from __future__ import annotations

import asyncpg
import pytest

from eventstore.pool import Connection
from eventstore.postgres import PostgresEventStore
from tests.contract.given import PUMP, append, commit, everything


@pytest.mark.parametrize(
    "session_setting", ["set session_replication_role = origin", "set session_replication_role = replica"]
)
@pytest.mark.parametrize(
    "change",
    [
        "update events set type = 'other'",
        "update events set type = 'other' where false",
        "delete from events",
        "truncate events",
        """insert into events select * from events
        on conflict (stream, revision) do update set type = 'other'""",
        """merge into events e using (select 1 as p) s on e.position = s.p when matched then delete""",
    ],
)
async def test_recorded_events_are_never_changed(
    store: PostgresEventStore, session: Connection, change: str, session_setting: str
) -> None:
    events = await append(store, commit(PUMP, 0), commit(PUMP, 1))
    await session.execute(session_setting)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await session.execute(change)
    assert refused.value.sqlstate == "TW001"
    assert tuple(await everything(store)) == events
