"""Serves the search protocol: a client subscribes, asks for pages, and gets as many as it asked for.

What it says goes in by ``submit``; what it is told comes out by ``emit``, which some transport provides (AMQP; a
WebSocket session with an ``InMemoryKeeper``). Any number of these may share a keeper.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

import structlog

from eventstore.errors import StoreError
from protocol.enforcement.auth import AuthContext
from protocol.errors import (
    DittoError,
    GatewayServiceUnavailable,
    SearchOptionInvalid,
    SearchSubscriptionAborted,
    SearchSubscriptionNotFound,
    SearchSubscriptionProtocolError,
    TooManyRequests,
)
from protocol.json import JsonObject
from protocol.signals import (
    CancelSearch,
    Headers,
    RequestPages,
    SearchCompleted,
    SearchCreated,
    SearchEvent,
    SearchFailed,
    SearchPage,
    SearchSignal,
    SubscribeToSearch,
)
from services.commanding.lane import Lane
from services.searching import subscription as steps
from services.searching.indexes import check_namespace
from services.searching.keepers import Keeper
from services.searching.options import read_options
from services.searching.searching import Search
from services.searching.subscription import CLAIM, IDLE, Act, Route, Subscription, Word

AT_ONCE: Final = 4
"""Pages that are looked for at the same time."""
PER_CALLER: Final = 64
"""Subscriptions that one caller may have under way."""
_ID: Final = re.compile(r"[0-9a-f]{32}")

log = structlog.get_logger(__name__)


class Undelivered(Exception):
    """An event cannot be sent now; later it may."""


Emit: TypeAlias = Callable[[SearchEvent, Headers, Route], Awaitable[bool]]
"""Sends an event that the headers caused. False: nobody is there any more. Raises ``Undelivered``, or a ``DittoError``
for a page that cannot be sent at all."""


class FindsPages(Protocol):
    """The part of ``Searching`` that is used here."""

    async def page(self, search: Search) -> JsonObject:
        """See ``Searching.page``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    signal: SearchSignal
    auth: AuthContext
    route: Route
    future: asyncio.Future[None]


class SearchSession:
    """Takes the words of clients in their order, and works off what they ask for, a few pages at a time.

    The next page of a search is looked for when the last one has been sent, so one page per search is in memory.
    ``run`` lasts until it is cancelled; what is unfinished then is gone on with by another process, or after the next
    start.
    """

    def __init__(
        self,
        *,
        searching: FindsPages,
        keeper: Keeper,
        emit: Emit,
        clock: Callable[[], datetime],
        edge: str,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        per_caller: int = PER_CALLER,
        look_seconds: float = 1.0,
    ) -> None:
        """``new_id`` makes ids of 32 hexadecimal digits that nobody can guess."""
        self._searching = searching
        self._keeper = keeper
        self._emit = emit
        self._clock = clock
        self._edge = edge
        self._new_id = new_id
        self._per_caller = per_caller
        self._look_seconds = look_seconds
        self._worker = uuid.uuid4().hex
        self._lane = Lane[_Said](self._hear, group_max=1, failed=_unheard)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, signal: SearchSignal, auth: AuthContext, route: Route) -> asyncio.Future[None]:
        """Hear a client; done when that is kept, fails with a ``DittoError`` (503) when it could not be.

        How many may be under way is the caller's to bound.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lane.put(_Said(signal, auth, route, future))
        return future

    async def run(self) -> None:
        """Listen, and look after what nobody else does, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lane.run())
                group.create_task(self._look())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hear(self, group: list[_Said]) -> None:
        for said in group:
            try:
                await self._heard(said)
            except StoreError as error:
                _answer(said, GatewayServiceUnavailable(str(error)))
            else:
                _answer(said, None)

    async def _heard(self, said: _Said) -> None:
        word = Word(
            subjects=said.auth.subjects,
            route=said.route,
            headers=said.signal.headers,
            worker=self._worker,
            now=self._clock(),
        )
        match said.signal:
            case SubscribeToSearch() as wanted:
                await self._subscribe(wanted, word)
            case RequestPages(subscription_id=name, demand=demand):
                await self._change(name, steps.requested(demand, word), word)
            case CancelSearch(subscription_id=name):
                await self._change(name, steps.cancelled(word), word)

    async def _subscribe(self, wanted: SubscribeToSearch, word: Word) -> None:
        made = Subscription(
            id=self._new_id(),
            subjects=word.subjects,
            route=word.route,
            due=word.now + IDLE,
            filter=wanted.filter,
            option=wanted.option,
            namespaces=wanted.namespaces,
            fields=wanted.fields,
            headers=wanted.headers,
        )
        events: list[SearchEvent] = [SearchCreated(subscription_id=made.id)]
        if not await self._keeper.add(made, most=self._per_caller):
            # Reactive Streams 1.9 wants the beginning before the end also where there is nothing in between.
            refusal = TooManyRequests(f"There are {self._per_caller} searches of yours under way.", _CANCEL)
            events.append(SearchFailed(subscription_id=made.id, error=refusal.to_json()))
        self._start(self._tell(made.id, events, word))

    async def _change(self, name: str, step: steps.Step, word: Word) -> None:
        found, act = await self._keeper.change(name, step) if _ID.fullmatch(name) else (None, Act.UNKNOWN)
        match act:
            case Act.WORK if found is not None:
                self._start(self._work(found))
            case Act.UNKNOWN:
                self._start(self._tell(name, [_failure(name, SearchSubscriptionNotFound(name))], word))
            case Act.ENDED:
                late = SearchSubscriptionProtocolError("The search is at its end.")
                self._start(self._tell(name, [_failure(name, late)], word))
            case _:
                pass

    async def _tell(self, name: str, events: list[SearchEvent], word: Word) -> None:
        """Say something that does not depend on the subscription; one that nobody hears of is forgotten."""
        try:
            for event in events:
                if not await self._emit(event, word.headers, word.route) and isinstance(event, SearchCreated):
                    await self._keeper.change(name, steps.forgotten)
        except (Undelivered, StoreError) as trouble:
            log.warning("search_event_lost", reason=str(trouble))

    async def _look(self) -> None:
        """Take up what is due: idle searches, and those whose worker is gone."""
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                for name in await self._keeper.due(self._clock()):
                    found, act = await self._keeper.change(name, steps.looked_at(self._worker, self._clock()))
                    if act is Act.WORK and found is not None:
                        self._start(self._work(found))
            except StoreError as trouble:
                log.warning("searches_not_looked_at", reason=str(trouble))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("search_work_failed", exc_info=task.exception())

    async def _work(self, found: Subscription) -> None:
        """Serve a subscription that this process has the pen of, until nothing is owed or somebody takes it away."""
        try:
            present: Subscription | None = found
            while present is not None:
                async with self._slots:
                    present = await self._turn(present)
        except (Undelivered, StoreError) as trouble:
            log.warning("search_interrupted", subscription=found.id, reason=str(trouble))
            given_up = SearchSubscriptionAborted("Pages could not be found or sent for too long.")
            act = await self._let_go(found.id, steps.interrupted(self._worker, given_up, self._clock()))
            if act is Act.GIVEN_UP:
                log.warning("search_given_up", subscription=found.id, address=found.route.address, reason=str(trouble))
        except asyncio.CancelledError:
            await self._let_go(found.id, steps.given_back(self._worker, self._clock()))
            raise

    async def _turn(self, present: Subscription) -> Subscription | None:
        """Send one page or the end; the subscription as it then is, if there is more to do."""
        if self._clock() > present.due - CLAIM / 2:  # it had to wait for its turn, and the claim has to outlast a page
            renewed, act = await self._keeper.change(present.id, steps.renewed(self._worker, self._clock()))
            if renewed is None or act is not Act.WORK:
                return None
            present = renewed
        found = present.failure or await self._page_or_failure(present)
        if "items" in found:
            return await self._deliver(present, found)
        await self._emit(SearchFailed(subscription_id=present.id, error=found), present.headers, present.route)
        await self._keeper.change(present.id, steps.finished(self._worker, self._clock()))
        return None

    async def _page_or_failure(self, present: Subscription) -> JsonObject:
        """The next page, which has ``items``, or the error that ends the search. What passes is ``Undelivered``."""
        try:
            return await self._page(present)
        except DittoError as error:
            if error.status == GatewayServiceUnavailable.status:
                raise Undelivered(error.message) from error
            return error.to_json()
        except Exception:  # the outermost loop of this search: a bug must not stop the others
            log.exception("search_aborted")
            return SearchSubscriptionAborted("The search was aborted by a failure.").to_json()

    async def _deliver(self, present: Subscription, page: JsonObject) -> Subscription | None:
        """Send a page and note it. One that is empty because its hits went away meanwhile is not sent."""
        items, cursor = page["items"], page.get("cursor")
        place = cursor if isinstance(cursor, str) else None
        events: list[SearchEvent] = []
        if isinstance(items, list) and items:
            events.append(SearchPage(subscription_id=present.id, items=items))
        if place is None:
            events.append(SearchCompleted(subscription_id=present.id))
        try:
            for event in events:
                if not await self._emit(event, present.headers, present.route):
                    await self._keeper.change(present.id, steps.forgotten)
                    return None
        except DittoError as error:
            return steps.failed(present, error)
        step = steps.delivered(self._worker, place, len(events), self._clock())
        after, act = await self._keeper.change(present.id, step)
        return after if act is Act.WORK else None

    async def _page(self, present: Subscription) -> JsonObject:
        options = read_options(present.option)
        if options.cursor is not None or options.offset is not None:
            raise SearchOptionInvalid(present.option, "pages are asked for by demand")
        for namespace in present.namespaces or ():
            check_namespace(namespace)
        option = f"size({options.page_size})"
        if present.place is not None:
            option += f",cursor({present.place})"
        elif options.sort_text:
            option += f",sort({options.sort_text})"
        return await self._searching.page(
            Search(
                auth=AuthContext(subjects=present.subjects),
                filters=(present.filter,) if present.filter and present.filter.strip() else (),
                namespaces=present.namespaces,
                option=option,
                fields=present.fields,
                edge=self._edge,
            )
        )

    async def _let_go(self, name: str, step: steps.Step) -> Act:
        try:
            return (await self._keeper.change(name, step))[1]
        except StoreError as trouble:
            log.warning("search_not_given_back", reason=str(trouble))
            return Act.NOTHING


_CANCEL: Final = "Cancel those that you do not need; idle ones end by themselves."


def _failure(name: str, error: DittoError) -> SearchFailed:
    return SearchFailed(subscription_id=name, error=error.to_json())


def _answer(said: _Said, error: DittoError | None) -> None:
    if said.future.done():
        return
    if error is None:
        said.future.set_result(None)
    else:
        said.future.set_exception(error)


def _unheard(group: list[_Said]) -> None:
    """A defect of ours stopped the hearing in the middle."""
    for said in group:
        _answer(said, SearchSubscriptionAborted("The search was aborted by a failure."))
