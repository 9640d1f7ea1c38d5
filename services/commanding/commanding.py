"""The one door to the twins: signals in, answers out, everything durable in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from eventstore.errors import StoreUnavailable
from eventstore.events import RecordedEvent
from eventstore.store import EventStore
from projections.twins import Twins
from protocol.enforcement.auth import AuthContext
from protocol.entities import EntityState
from protocol.identifiers import ThingId
from protocol.json import JsonValue
from protocol.signals import CheckPermissions, Response, RetrieveThings, Signal
from protocol.streams import entity_of
from services.commanding.checking import Checking, checking
from services.commanding.enforcers import Enforcers
from services.commanding.errors import OutcomeUnknown, Overloaded, Stopping, StoreDown, Withdrawn
from services.commanding.history import is_historical
from services.commanding.lanes import Lanes
from services.commanding.ledger import Ledger
from services.commanding.limits import CommandingLimits
from services.commanding.loading import States
from services.commanding.pending import Pending
from services.commanding.reading import Gathering, combined_response, gathering
from services.commanding.rules import stream_name
from services.commanding.sharing import SharedEntries
from services.commanding.states import StateCache
from services.commanding.trust import Trust
from services.metrics import Metrics

_log = logging.getLogger(__name__)


class Commanding:
    """Executes signals in groups, one append at a time; open it with ``async with``.

    Changes of one entity take effect in the order in which they were submitted to this process, and a read sees those
    submitted before it. A write's future is resolved after its event is durable, never before. Any number of processes
    may run on one log.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        twins: Twins,
        sole_writer: Trust,
        clock: Callable[[], datetime],
        limits: CommandingLimits | None = None,
        metrics: Metrics | None = None,
        appended: Callable[[Sequence[RecordedEvent]], None] = lambda _: None,
    ) -> None:
        """``appended`` is called with every group that this process made durable, before its commands are answered."""
        self._limits = limits = limits or CommandingLimits()
        self.metrics = metrics or Metrics()
        self._twins = twins
        self._loop = asyncio.get_running_loop()
        shared = SharedEntries()
        cache: StateCache[EntityState] = StateCache(
            max_entries=limits.cache_entries, max_bytes=limits.cache_bytes, characters=shared.characters
        )
        states = States(
            twins=twins,
            trust=sole_writer,
            cache=cache,
            store_seconds=limits.store_seconds,
            enforcers=Enforcers(max_entries=limits.enforcers),
            shared=shared,
        )
        self._ledger = Ledger(metrics=self.metrics, time=self._loop.time)
        self._lanes = Lanes(
            store=store, states=states, ledger=self._ledger, clock=clock, limits=limits, appended=appended
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.metrics.commands_waiting.set_function(self._ledger.__len__)
        self.metrics.states_cached.set_function(cache.__len__)

    async def __aenter__(self) -> Self:
        """Start the loops."""
        self._tasks = [self._loop.create_task(work, name=f"commanding-{name}") for name, work in self._lanes.work()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop as ``stop`` does."""
        await self.stop(self._limits.stop_seconds)

    def submit(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        ordered: bool = False,
    ) -> asyncio.Future[Response]:
        """Take a signal; its future is done at once when memory can answer exactly.

        The future fails with the ``DittoError`` to print. Cancelling it withdraws a command that is not yet part of an
        append and otherwise only drops the answer. ``edge`` is a metrics label (``http``, ``amqp``). ``ordered`` is for
        who submits again what could not be executed (503): until the submitter has heard of that, no ordered command
        about the same entity is executed either, so that none overtakes it.
        Raises ``Overloaded`` (503, header ``retry-after``) when too much is waiting, ``Stopping`` during shutdown.
        """
        return self._take(signal, auth, command_id, edge, ordered=ordered).future

    async def execute(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        timeout: float | None = None,  # noqa: ASYNC109 - a Ditto timeout: it withdraws the command, not the waiting
    ) -> Response:
        """Submit and wait, at most ``timeout`` seconds: then 408 ``command.timeout``, and the command has no effect.

        A command that is already part of an append when the time is over is waited for: 408 must not hide a change.
        """
        pending = self._take(signal, auth, command_id, edge)
        if pending.future.done():
            return pending.future.result()
        seconds = self._limits.timeout_seconds if timeout is None else timeout
        timer = self._loop.call_later(seconds, _withdraw, pending, seconds)
        try:
            return await pending.future
        finally:
            timer.cancel()

    async def list_things(
        self,
        auth: AuthContext,
        *,
        namespaces: Sequence[str] | None = None,
        fields: str | None = None,
        after: ThingId | None = None,
        limit: int = 200,
        edge: str = "internal",
    ) -> list[JsonValue]:
        """Things in order of their ids after ``after``: all, or those of some namespaces.

        Which things exist is read from the read model, some milliseconds behind; how they are is exact.
        """
        after_stream = None if after is None else stream_name(after)
        try:
            rows = await self._twins.list_things(namespaces, after_stream=after_stream, limit=limit)
        except StoreUnavailable as error:
            raise StoreDown from error
        thing_ids = tuple(ThingId(entity_of(row.stream)) for row in rows)
        response = await self.execute(RetrieveThings(thing_ids=thing_ids, fields=fields), auth, edge=edge)
        return response.value if isinstance(response.value, list) else []

    async def stop(self, seconds: float) -> None:
        """Refuse new signals, finish what is waiting within the deadline, answer 503 to the rest."""
        self._stopping = True
        if not self._tasks:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._lanes.idle()
        except TimeoutError:
            _log.warning("stopped_with_commands_waiting", extra={"commands": len(self._ledger)})
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for pending in self._ledger.open():
            self._ledger.close(pending, OutcomeUnknown() if pending.taken else Stopping())

    def _take(
        self, signal: Signal, auth: AuthContext, command_id: str | None, edge: str, *, ordered: bool = False
    ) -> Pending:
        if self._stopping:
            raise Stopping
        future: asyncio.Future[Response] = self._loop.create_future()
        if isinstance(signal, RetrieveThings):
            return self._gather(gathering(signal, auth, edge, future, self._loop.time()))
        if isinstance(signal, CheckPermissions):
            return self._check(checking(signal, auth, edge, future, self._loop.time()))
        stream = stream_name(signal.entity_id)
        pending = Pending(signal, auth, command_id, edge, stream, future, self._loop.time())
        pending.ordered = ordered
        if signal.verb != "retrieve" or stream in self._ledger.busy:
            self._enter(pending, changing=True)
            self._lanes.writes.put(pending)
        elif is_historical(signal):
            self._enter(pending, changing=False)
            self._lanes.past.put(pending)
        elif answers := self._lanes.reader.from_memory((pending,)):
            self._ledger.answer(pending, answers[0])
        else:
            self._enter(pending, changing=False)
            self._lanes.reads.put(pending)
        return pending

    def _gather(self, request: Gathering) -> Pending:
        answers = self._lanes.reader.from_memory(request.parts)
        if answers is None:
            self._enter(request.whole, changing=False)
            self._lanes.reads.put(request)
        else:
            self._ledger.answer(request.whole, combined_response(request.signal, answers))
        return request.whole

    def _check(self, request: Checking) -> Pending:
        self._enter(request.whole, changing=False)
        self._lanes.checks.put(request)
        return request.whole

    def _enter(self, pending: Pending, *, changing: bool) -> None:
        """Note a command that has to wait, if there is room for one more."""
        if len(self._ledger) >= self._limits.queue_max:
            raise Overloaded(len(self._ledger))
        self._ledger.enter(pending, changing=changing)


def _withdraw(pending: Pending, seconds: float) -> None:
    if not pending.taken and not pending.future.done():
        pending.future.set_exception(Withdrawn(seconds))
