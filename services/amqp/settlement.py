"""Which deliveries of a channel are settled, and the fewest acknowledgements that say so."""

from __future__ import annotations


class Settlement:
    """Delivery tags count from 1; they are settled in any order and acknowledged in bulk.

    ``acknowledgements`` gives one bulk acknowledgement for the contiguous settled beginning. Only behind a delivery
    that is ``held`` (it waits for a retry or for its dead letter) are later ones acknowledged one by one, so that a
    crash does not bring back a whole window of settled messages because of one.
    """

    def __init__(self) -> None:
        self._next = 1
        self._settled: set[int] = set()
        self._acknowledged: set[int] = set()
        self._held: set[int] = set()

    def hold(self, tag: int) -> None:
        """This one will take a while."""
        self._held.add(tag)

    def settle(self, tag: int) -> None:
        """This one is dealt with, durably."""
        self._held.discard(tag)
        self._settled.add(tag)

    def acknowledgements(self) -> list[tuple[int, bool]]:
        """Tags to acknowledge now, each with whether it stands for all below it."""
        settled, acknowledged = self._settled, self._acknowledged
        last = 0
        while self._next in settled:
            settled.remove(self._next)
            # A bulk acknowledgement must name a tag that the broker still waits for (else it closes the channel).
            if self._next in acknowledged:
                acknowledged.remove(self._next)
            else:
                last = self._next
            self._next += 1
        answer = [(last, True)] if last else []
        if self._next in self._held:
            single = sorted(settled - acknowledged)
            acknowledged.update(single)
            answer += [(tag, False) for tag in single]
        return answer
