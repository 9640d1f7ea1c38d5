"""Who still waits for an answer: counts per stream what is on its way, and closes the books on each command once."""

from __future__ import annotations

from collections.abc import Callable

from eventstore.events import StreamName
from protocol.errors import DittoError
from protocol.signals import Response
from services.commanding.pending import DONE, FAILED, REFUSED, WITHDRAWN, Answer, Outcome, Pending
from services.metrics import Metrics


class Ledger:
    """The commands that were taken and not answered yet."""

    def __init__(self, *, metrics: Metrics, time: Callable[[], float]) -> None:
        self.metrics = metrics
        self._time = time
        self._open: set[Pending] = set()
        self._busy: dict[StreamName, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def busy(self, stream: StreamName) -> bool:
        """Whether something about this stream is on its way that may change it."""
        return stream in self._busy

    def enter(self, pending: Pending, *, changing: bool) -> None:
        """A command is on its way; if it may change its entity, others about this entity have to stay behind it."""
        self._open.add(pending)
        if changing:
            pending.changing = True
            self._busy[pending.stream] = self._busy.get(pending.stream, 0) + 1

    def close(self, pending: Pending, answer: Answer, outcome: Outcome = DONE) -> None:
        """Answer a command that was entered; a second time does nothing."""
        if pending in self._open:
            self._leave(pending)
            self.answer(pending, answer, outcome)

    def withdraw(self, pending: Pending) -> None:
        """Nobody waits for the command any more, and it has not been part of an append."""
        if pending in self._open:
            self._leave(pending)
            self.metrics.commands.count(pending.edge, pending.command.verb, WITHDRAWN)

    def answer(self, pending: Pending, answer: Answer, outcome: Outcome = DONE) -> None:
        """Answer and count a command, entered or not."""
        if isinstance(answer, DittoError):
            outcome = REFUSED if answer.status < 500 else FAILED
        self.metrics.commands.count(pending.edge, pending.command.verb, outcome)
        self.metrics.command_seconds.observe(self._time() - pending.since)
        pending.answer(answer)

    def open(self) -> list[Pending]:
        """Every command that waits for its answer."""
        return list(self._open)

    def _leave(self, pending: Pending) -> None:
        self._open.discard(pending)
        if not pending.changing:
            return
        left = self._busy[pending.stream] - 1
        if left:
            self._busy[pending.stream] = left
        else:
            del self._busy[pending.stream]


def placed(response: Response, position: int) -> Response:
    """The response with the log position after which its change can be read."""
    return Response(
        entity_id=response.entity_id,
        verb=response.verb,
        path=response.path,
        status=response.status,
        value=response.value,
        headers=response.headers,
        position=position,
    )
