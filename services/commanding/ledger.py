"""Who still waits for an answer: counts per stream what is on its way, and closes the books on each command once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from eventstore.events import StreamName
from protocol.errors import DittoError
from protocol.signals import Response
from services.commanding.pending import DONE, FAILED, REFUSED, WITHDRAWN, Answer, Outcome, Pending
from services.metrics import Metrics

EVERYTHING: Final = sys.maxsize


class Ledger:
    """The commands that were taken and not answered yet.

    Also keeps ordered commands in order when one of them fails and will come again: whatever of the same entity was
    taken behind it must not take effect before it (``fail``, ``is_cut_off``).
    """

    def __init__(self, *, metrics: Metrics, time: Callable[[], float]) -> None:
        self.metrics = metrics
        self._time = time
        self._open: set[Pending] = set()
        self.busy: dict[StreamName, int] = {}
        """The streams about which something is on its way that may change them, with how many such commands."""
        self._serial = 0
        self._cut: dict[StreamName, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, pending: Pending, *, changing: bool) -> None:
        """A command is on its way; if it may change its entity, others about this entity have to stay behind it."""
        self._open.add(pending)
        self._serial += 1
        pending.serial = self._serial
        if changing:
            pending.changing = True
            self.busy[pending.stream] = self.busy.get(pending.stream, 0) + 1

    def close(self, pending: Pending, answer: Answer, outcome: Outcome = DONE) -> None:
        """Answer a command that was entered; a second time does nothing."""
        if pending in self._open:
            self._leave(pending)
            self.answer(pending, answer, outcome)

    def fail(self, pending: Pending, trouble: DittoError) -> None:
        """Answer a command that could not be executed now, for no fault of its own.

        An ordered one cuts off the ordered ones behind it, up to those that are taken before its submitter hears of the
        failure: callbacks of a future run in the order in which they were scheduled, and what is scheduled here runs
        after them.
        """
        if pending not in self._open:
            return
        self.close(pending, trouble)
        if pending.ordered:
            self._cut[pending.stream] = EVERYTHING
            asyncio.get_running_loop().call_soon(self._end_cut, pending.stream)

    def is_cut_off(self, pending: Pending) -> bool:
        """Whether an ordered command before this one failed, so that it has to fail, too."""
        return pending.ordered and pending.serial <= self._cut.get(pending.stream, 0)

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
        left = self.busy[pending.stream] - 1
        if left:
            self.busy[pending.stream] = left
        else:
            del self.busy[pending.stream]
            if self._cut and self._cut.get(pending.stream) != EVERYTHING:
                self._cut.pop(pending.stream, None)

    def _end_cut(self, stream: StreamName) -> None:
        if stream in self.busy:
            self._cut[stream] = self._serial
        else:
            self._cut.pop(stream, None)


def with_position(response: Response, position: int) -> Response:
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
