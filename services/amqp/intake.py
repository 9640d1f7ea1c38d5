"""What happens to deliveries between the broker's channel and the acknowledgement."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import structlog

from eventstore.errors import StoreUnavailable
from protocol.acknowledgements import Outcome
from protocol.enforcement.auth import AuthContext
from protocol.errors import (
    DittoError,
    GatewayServiceUnavailable,
    HeaderInvalid,
    InternalError,
    SignalUnsupported,
)
from protocol.identifiers import ThingId
from protocol.signals import (
    Acknowledgement,
    CancelSearch,
    CheckPermissions,
    Command,
    Incoming,
    RequestPages,
    Response,
    RetrieveThings,
    SearchSignal,
    Signal,
    SubscribeToSearch,
)
from services.amqp.acknowledges import Acknowledges
from services.amqp.aside import Aside
from services.amqp.awaiting import Awaiting
from services.amqp.careful import unreadable
from services.amqp.channels import Delivery
from services.amqp.connection import Backoff
from services.amqp.identity import Identity
from services.amqp.mapper import Mapper
from services.amqp.meters import Meters
from services.amqp.outlets import PutsAside, Sends, Settles
from services.amqp.requests import Request
from services.amqp.searches import Searches
from services.amqp.settlement import Settlement
from services.amqp.verdicts import Verdict, verdict
from services.expectations import Expectation, of_change, of_policy_change, of_query
from services.outcomes import Index

log = structlog.get_logger(__name__)

EDGE: Final = "amqp"
_EXPECTING: Final = frozenset({"requested-acks", "timeout"})
"""Headers that say what is to be waited for; without them it is the change alone."""


class Submits(Protocol):
    """The part of ``services.commanding.Commanding`` that is used here."""

    def submit(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        ordered: bool = False,
    ) -> asyncio.Future[Response]:
        """Take a signal; see ``Commanding.submit``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how fast a command is tried again: ``attempts`` for one that fails by itself, for ever for all."""

    attempts: int = 5
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.05, longest=5.0))


class Intake:
    """Takes the deliveries of one channel: identity, mapping, submission, answer, settlement.

    There is no task per message: a command's future calls back. Nothing is acknowledged before its outcome is durable:
    the commit, or the broker's confirm of the dead letter. Belongs to the event loop; one per channel.
    """

    def __init__(  # noqa: PLR0913 - who takes what, and how patiently
        self,
        *,
        commanding: Submits,
        acknowledging: Acknowledges,
        mapper: Mapper,
        identity: Identity,
        dead_letters: PutsAside,
        meters: Meters,
        patience: Patience,
        name: str,
        searches: Searches | None = None,
        index: Index | None = None,
        held_max: int = 1,
    ) -> None:
        """``index`` is asked for ``search-persisted``; at most ``held_max`` deliveries wait for it unacknowledged."""
        self._commanding = commanding
        self._acknowledging = acknowledging
        self._searches = searches
        self._awaiting = Awaiting(index, self._acknowledged, held_max=held_max)
        self._mapper = mapper
        self._identity = identity
        self._meters = meters
        self._patience = patience
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._settlement = Settlement()
        self._acknowledge: Callable[..., None] = _nothing
        self._replies: Sends | None = None
        self._flushing = False
        self._open = True
        self._waiting: deque[Delivery] = deque()
        self._held: list[Request] = []
        self._resuming: asyncio.TimerHandle | None = None
        self._failures = 0
        self._retries: dict[int, asyncio.TimerHandle] = {}
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._aside = Aside(
            dead_letters, backoff=patience.backoff, meters=meters, settle=self._settle, idle=self._idle.set
        )

    def attach(self, channel: Settles, replies: Sends) -> None:
        """Say where acknowledgements and answers go; before the first delivery."""
        self._acknowledge = channel.acknowledge
        self._replies = replies

    def deliver(self, delivery: Delivery) -> None:
        """Take a delivery, in the order of their tags."""
        if not self._open:
            return
        self._meters.delivered()
        if self._resuming is not None:
            self._waiting.append(delivery)
        else:
            self._start(delivery)

    async def drain(self) -> None:
        """Take nothing more; return when all that was submitted is answered and acknowledged.

        What waits for a retry stays unacknowledged and comes back from the broker another time.
        """
        self._open = False
        self._cancel_timers()
        while self._in_flight or self._aside:
            self._idle.clear()
            await self._idle.wait()
        await self._awaiting.stop()
        self._flush()

    def close(self) -> None:
        """The channel is gone: nothing can be acknowledged any more."""
        self._open = False
        self._acknowledge = _nothing
        self._replies = None
        self._cancel_timers()
        self._awaiting.close()
        self._aside.close()

    def _cancel_timers(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
        for timer in self._retries.values():
            timer.cancel()

    def _start(self, delivery: Delivery) -> None:
        request = Request(delivery, delivery.properties.message_id or f"{self._name}-{delivery.tag}")
        user_id = delivery.properties.user_id
        try:
            _check_properties(delivery)
            signal = self._mapper.read(request)
            request.auth = self._identity.authenticate(user_id)
            self._identity.authorize(user_id, signal)
            if not _EXPECTING.isdisjoint(request.headers):
                self._expect(request, signal)
        except DittoError as error:
            self._refused(request, error)
        except Exception as error:  # the outermost loop of this edge: a bug must not stop the queue
            log.exception("message_not_readable", tag=delivery.tag)
            self._put_aside(request, InternalError(f"The message could not be read: {error!r}"))
        else:
            self._submit(request, signal)

    def _expect(self, request: Request, signal: Incoming) -> None:
        """Note what a change of a thing wants to be waited for; of the rest just a response can be waited for."""
        if request.query:
            if request.reply_address is not None and isinstance(signal, Command | RetrieveThings | CheckPermissions):
                of_query(request.headers)
        elif isinstance(signal, Command) and isinstance(signal.entity_id, ThingId):
            request.expectation = of_change(request.headers)
            request.began = self._loop.time()
        elif isinstance(signal, Command):
            of_policy_change(request.headers)

    def _submit(self, request: Request, signal: Incoming) -> None:
        try:
            future: asyncio.Future[Response] | asyncio.Future[None]
            match signal:
                case Acknowledgement():
                    future = self._acknowledging.submit(signal, request.auth)
                case SubscribeToSearch() | RequestPages() | CancelSearch():
                    future = self._searched(request, signal)
                case _:
                    future = self._commanding.submit(
                        signal, request.auth, command_id=request.command_id, edge=EDGE, ordered=True
                    )
        except DittoError as error:
            self._refused(request, error)
            return
        except Exception as error:  # noqa: BLE001 - the outermost loop of this edge
            self._refused(request, _ditto(error))
            return
        self._in_flight += 1
        future.add_done_callback(partial(self._answered, request))

    def _searched(self, request: Request, signal: SearchSignal) -> asyncio.Future[None]:
        if self._searches is None:
            raise SignalUnsupported(str(request.topic), "searching by messages is not served here")
        return self._searches.submit(request, signal)

    def _again(self, request: Request) -> None:
        self._retries.pop(request.delivery.tag, None)
        if request.signal is not None:
            self._submit(request, request.signal)

    def _answered(self, request: Request, future: asyncio.Future[Response] | asyncio.Future[None]) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()
        if future.cancelled():
            self._settlement.hold(request.delivery.tag)  # withdrawn by a stop: the broker keeps it
            return
        error = future.exception()
        if error is not None:
            self._refused(request, _ditto(error))
            return
        self._failures = 0
        address, response, expectation = request.reply_address, future.result(), request.expectation
        if expectation is not None and response is not None and expectation.foreign_labels:
            self._await(request, response, expectation)
        elif address is None or response is None:
            self._settle(request)
        else:
            self._answer(request, address, response)

    def _await(self, request: Request, response: Response, expectation: Expectation) -> None:
        if self._awaiting.start(request, response, expectation):
            self._settlement.hold(request.delivery.tag)
            self._flush_soon()
        else:
            self._settle(request)

    def _acknowledged(self, request: Request, outcomes: Mapping[str, Outcome], /, *, held: bool) -> None:
        """Answer a command whose acknowledgements are there or missing; its effect has been durable all along."""
        address = request.reply_address
        then = partial(self._settle, request) if held else _done
        if address is None or self._replies is None:
            then()
            return
        body = self._mapper.outcomes(request, outcomes)
        self._meters.replied()
        self._replies.send(request, address, self._mapper.content_type, body, then)

    def _refused(self, request: Request, error: DittoError) -> None:
        address = request.reply_address
        match verdict(error, query=request.query, answerable=address is not None):
            case Verdict.PAUSE:
                self._pause(request, error)
            case Verdict.RETRY if request.signal is not None and request.attempts < self._patience.attempts:
                self._retry(request, error)
            case Verdict.ANSWERED:
                self._refuse(request, address, error, self._settle)
            case _:
                self._refuse(request, address, error, partial(self._put_aside, error=error))

    def _refuse(
        self, request: Request, address: str | None, error: DittoError, then: Callable[[Request], None]
    ) -> None:
        if address is not None and self._replies is not None:
            body = self._mapper.refusal(request, error)
            self._meters.replied()
            self._replies.send(request, address, self._mapper.content_type, body, partial(then, request))
        else:
            then(request)

    def _answer(self, request: Request, address: str, response: Response) -> None:
        if self._replies is None:
            return
        try:
            body = self._mapper.answer(request, response)
        except Exception:  # the outermost loop of this edge: the effect is durable, only the answer fails
            log.exception("response_not_printable", tag=request.delivery.tag)
            self._settle(request)
            return
        self._meters.replied()
        self._replies.send(request, address, self._mapper.content_type, body, partial(self._settle, request))

    def _retry(self, request: Request, error: DittoError) -> None:
        tag = request.delivery.tag
        self._settlement.hold(tag)
        request.attempts += 1
        pause = self._patience.backoff.pause(request.attempts, 0.0)
        log.warning("command_retried", tag=tag, attempt=request.attempts, reason=error.code, retry_in=pause)
        if self._open:
            self._retries[tag] = self._loop.call_later(pause, self._again, request)
        self._flush_soon()

    def _pause(self, request: Request, error: DittoError) -> None:
        self._settlement.hold(request.delivery.tag)
        self._held.append(request)
        self._flush_soon()
        if self._resuming is not None or not self._open:
            return
        self._failures += 1
        pause = self._patience.backoff.pause(self._failures, 0.0)
        log.warning("consuming_paused", reason=error.code, message=error.message, retry_in=pause)
        self._meters.paused()
        self._resuming = self._loop.call_later(pause, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        held = deque(sorted(self._held, key=lambda request: request.delivery.tag))
        self._held = []
        while held and self._resuming is None:
            self._again(held.popleft())
        self._held += held
        while self._waiting and self._resuming is None:
            self._start(self._waiting.popleft())

    def _put_aside(self, request: Request, error: DittoError) -> None:
        if not self._open and self._replies is None:
            return
        self._settlement.hold(request.delivery.tag)
        self._flush_soon()
        self._aside.put(request, error)

    def _settle(self, request: Request) -> None:
        self._settlement.settle(request.delivery.tag)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        for tag, multiple in self._settlement.acknowledgements():
            self._acknowledge(tag, multiple=multiple)


def _check_properties(delivery: Delivery) -> None:
    if unreadable(delivery.properties):
        raise HeaderInvalid("properties", "properties that AMQP 0-9-1 allows")


def _done() -> None:
    """Nothing is left to do for a delivery that has been acknowledged."""


def _nothing(_: int, *, multiple: bool) -> None:
    """Stands for the channel while there is none."""


def _ditto(error: BaseException) -> DittoError:
    if isinstance(error, DittoError):
        return error
    if isinstance(error, StoreUnavailable):
        return GatewayServiceUnavailable(str(error))
    log.error("command_failed", exc_info=error)
    return InternalError("The command could not be executed.")
