"""Stand-ins for the tests of this edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

from eventstore.events import RecordedEvent
from eventstore.store import EventStore, Selection
from protocol.enforcement.auth import AuthContext
from protocol.errors import DittoError
from protocol.signals import Command, Response, Signal
from services.amqp.channels import Delivery
from services.amqp.requests import Request

Answer: TypeAlias = "Callable[[Submission], Response | DittoError | None]"


class Submission:
    """A signal that was submitted, with all that came with it; ``future`` is what the edge waits for."""

    def __init__(self, signal: Signal, auth: AuthContext, command_id: str | None) -> None:
        self.signal = signal
        self.auth = auth
        self.command_id = command_id
        self.future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def succeed(self) -> None:
        """Answer as a modify of an existing resource is answered."""
        self.future.set_result(done(self))


def done(submission: Submission) -> Response:
    """204 for the submission's command."""
    command = submission.signal
    if not isinstance(command, Command):
        raise TypeError("only a command has a plain answer")
    return Response(entity_id=command.entity_id, verb=command.verb, path=command.path, status=204)


class ScriptedCommanding:
    """Commanding that answers as told, and remembers what it was asked.

    ``answer`` gives the response or the error; None leaves the submission waiting until the test resolves it.
    """

    def __init__(self, answer: Answer = done) -> None:
        self.answer: Answer = answer
        self.submissions: list[Submission] = []

    def submit(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        ordered: bool = False,
    ) -> asyncio.Future[Response]:
        """See ``Commanding.submit``."""
        submission = Submission(signal, auth, f"{command_id}" if edge and ordered else None)
        self.submissions.append(submission)
        match self.answer(submission):
            case Response() as response:
                submission.future.set_result(response)
            case DittoError() as error:
                submission.future.set_exception(error)
            case None:
                pass
        return submission.future


class Desk:
    """Where an intake's answers, acknowledgements and dead letters arrive when there is no broker."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.dead_letters: list[DittoError] = []
        self.settled = 0
        self._arrived = asyncio.Event()

    async def settlement(self, tag: int) -> None:
        """Return when the delivery, and all before it, are acknowledged."""
        while self.settled < tag:
            self._arrived.clear()
            await self._arrived.wait()

    def acknowledge(self, delivery_tag: int, *, multiple: bool) -> None:
        """See ``ConsumingChannel.acknowledge``; to be used one delivery at a time."""
        del multiple
        self.settled = max(self.settled, delivery_tag)
        self._arrived.set()

    def send(self, request: Request, address: str, content_type: bytes, body: bytes, sent: Callable[[], None]) -> None:
        """See ``Replies.send``."""
        del request, address, content_type
        self.answers.append(body)
        sent()

    async def put(self, delivery: Delivery, error: DittoError) -> None:
        """See ``DeadLetters.put``."""
        del delivery
        self.dead_letters.append(error)


class RememberedTurn:
    """A place in the log that lives in memory; what was saved outlives the turn, as a checkpoint does."""

    def __init__(self, store: EventStore, position: int = 0) -> None:
        self.position = position
        self.saved: list[int] = []
        self._store = store

    async def batches(self) -> AsyncIterator[Sequence[RecordedEvent]]:
        """See ``publisher.Turn``."""
        async for batch in self._store.subscribe(Selection(after_position=self.position)):
            yield batch

    async def advance(self, position: int) -> None:
        """See ``publisher.Turn``."""
        self.position = position
        self.saved.append(position)
