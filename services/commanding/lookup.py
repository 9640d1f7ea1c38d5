"""Refused commands that may have been executed before: the log is asked before a repeat hears that it is refused.

A create that is repeated meets the thing that it created itself; 409 would be the wrong answer. Refusals are rare, so
they are looked up beside the groups and do not slow them down. The look comes after the decision, hence it sees
whatever the decision saw: if the first execution is what the repeat was refused for, it is found.
"""

from __future__ import annotations

import asyncio

from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore
from services.commanding.draft import Verdict
from services.commanding.errors import StoreDown
from services.commanding.ledger import Ledger
from services.commanding.pending import REPEATED
from services.commanding.records import originator_of, stored_response
from services.commanding.remembered import RememberedCommands


class Lookup:
    """Answers refused commands that bear an id: as the first time if they were executed then, else with the refusal."""

    def __init__(
        self, *, store: EventStore, ledger: Ledger, remembered: RememberedCommands, store_seconds: float
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._remembered = remembered
        self._store_seconds = store_seconds

    async def work(self, group: list[Verdict]) -> None:
        """Ask for all of the group at once; its size bounds the connections that takes."""
        async with asyncio.TaskGroup() as tasks:
            for verdict in group:
                tasks.create_task(self._conclude(verdict))

    async def _conclude(self, verdict: Verdict) -> None:
        pending = verdict.pending
        try:
            async with asyncio.timeout(self._store_seconds):
                event = await self._store.find_command(pending.stream, pending.command_id or "")
        except (StoreUnavailable, TimeoutError):
            self._ledger.close(pending, StoreDown())
            return
        if event is not None:
            self._remembered.add(event)
            if originator_of(event) in pending.auth.subjects:
                self._ledger.close(pending, stored_response(event), REPEATED)
                return
        self._ledger.close(pending, verdict.answer)
