"""The lanes on which signals wait, and who works off each of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from typing import Final

from eventstore.events import RecordedEvent
from eventstore.store import EventStore
from protocol.errors import InternalError
from services.commanding.appending import Appender
from services.commanding.checking import Checker, Checking
from services.commanding.draft import Verdict
from services.commanding.errors import OutcomeUnknown
from services.commanding.history import History
from services.commanding.lane import Lane
from services.commanding.ledger import Ledger
from services.commanding.limits import CommandingLimits
from services.commanding.loading import States
from services.commanding.lookup import Lookup
from services.commanding.pending import Pending
from services.commanding.reading import Gathering, Reader
from services.commanding.remembered import RememberedCommands
from services.commanding.writing import Writer

LOOKUPS: Final = 4
"""Connections that refused repeats may take at once."""


class Lanes:
    """The lanes of commanding, each worked off by itself, so that no kind of signal waits for another.

    ``writes`` go in groups; ``reads`` are those that memory cannot answer, ``lookups`` refused repeats, ``past`` reads
    of history, ``checks`` those of permissions.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        states: States,
        ledger: Ledger,
        clock: Callable[[], datetime],
        limits: CommandingLimits,
        appended: Callable[[Sequence[RecordedEvent]], None],
    ) -> None:
        """``appended`` hears of every durable group before its commands are answered."""
        self._states = states
        self._ledger = ledger
        remembered = RememberedCommands(max_entries=limits.remembered_commands, max_bytes=limits.remembered_bytes)
        lookup = Lookup(store=store, ledger=ledger, remembered=remembered, store_seconds=limits.store_seconds)
        self.lookups = Lane[Verdict](lookup.work, group_max=LOOKUPS, failed=self._failed_verdicts)
        appender = Appender(
            store, store_seconds=limits.store_seconds, resolve_seconds=limits.resolve_seconds, doubt=states.doubt
        )
        writer = Writer(
            states=states,
            appender=appender,
            ledger=ledger,
            remembered=remembered,
            clock=clock,
            limits=limits,
            appended=appended,
            doubtful=self.lookups.put,
        )
        self.writes = Lane[Pending](writer.work, group_max=limits.group_max, failed=self._failed)
        self.reader = Reader(states=states, ledger=ledger, clock=clock, limits=limits)
        self.reads = Lane[Pending | Gathering](self.reader.work, group_max=limits.group_max, failed=self._failed)
        history = History(store=store, states=states, ledger=ledger, clock=clock, limits=limits.rules)
        self.past = Lane[Pending](history.work, group_max=1, failed=self._failed)
        checker = Checker(states=states, ledger=ledger, clock=clock, limits=limits.rules)
        self.checks = Lane[Checking](checker.work, group_max=1, failed=self._failed)

    def work(self) -> Iterator[tuple[str, Coroutine[object, object, None]]]:
        """What has to run for as long as signals are taken, by name."""
        yield "writes", self.writes.run()
        yield "reads", self.reads.run()
        yield "lookups", self.lookups.run()
        yield "past", self.past.run()
        yield "checks", self.checks.run()

    async def idle(self) -> None:
        """Return when all that was taken has been worked off; refused writes go on as lookups."""
        for idle in (self.writes.idle, self.lookups.idle, self.reads.idle, self.past.idle, self.checks.idle):
            await idle()

    def _failed(self, group: Sequence[Pending | Gathering | Checking]) -> None:
        """A defect of ours stopped a group in the middle: answer it, and believe nothing that memory holds."""
        self._states.clear()
        for item in group:
            pending = item if isinstance(item, Pending) else item.whole
            unknown = pending.taken and not pending.future.done()
            self._ledger.close(
                pending, OutcomeUnknown() if unknown else InternalError("The command could not be executed.")
            )

    def _failed_verdicts(self, group: Sequence[Verdict]) -> None:
        self._failed([verdict.pending for verdict in group])
