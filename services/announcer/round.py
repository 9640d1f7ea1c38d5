"""What the announcer knows of the policies that it works on for a moment, and what is to be done about them next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from eventstore.events import StreamName
from projections.deadlines import Release
from protocol.announcements.decide import Moment, Publish, Remove, Step, next_step
from protocol.announcements.evolve import Watching
from services.announcer.recording import Recorded

PASSES: Final = 6
"""Steps that one subject takes in a round at most: announced, published, removed, and some to spare."""

FIRST_POLICIES: Final = 8


@dataclass(slots=True, kw_only=True)
class Round:
    """Policies that are claimed: what is watched there, and how each claim will be given back.

    From ``until`` on (by the monotonic clock) somebody else may have the claims. A process that stood still for so long
    must not publish any more: what it meant to tell may be told, and the subject removed.
    """

    watched: dict[StreamName, Watching]
    releases: dict[StreamName, Release]
    until: float
    removed: set[str] = field(default_factory=set)
    taken: dict[str, int] = field(default_factory=dict)

    def due(self, moment: Moment, most: int) -> dict[StreamName, list[Step]]:
        """What is to be done now, at most so many steps.

        A policy's removals come last: they move it on, and a record that was decided on before would be refused.
        """
        found: dict[StreamName, list[Step]] = {}
        for stream, watching in self.watched.items():
            if most <= 0:
                break
            if steps := self._steps(watching, moment, most):
                found[stream] = steps
                most -= len(steps)
                self._take(steps)
        return found

    def _steps(self, watching: Watching, moment: Moment, most: int) -> list[Step]:
        """Asks no further than it has enough: a crowd is due at the same second, and most of it has to wait."""
        removals: list[Step] = []
        others: list[Step] = []
        for name, watch in watching.watches.items():
            if name in self.removed or not watch.is_due(moment.now) or self.taken.get(name, 0) >= PASSES:
                continue
            step = next_step(watch, moment)
            if isinstance(step, Remove):
                removals.append(step)
            elif step is not None:
                others.append(step)
                if len(others) >= most:
                    break
        return others or removals[:most]

    def _take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            name = step.watch.watch_id if isinstance(step, (Publish, Remove)) else step.watch_id
            self.taken[name] = self.taken.get(name, 0) + 1

    def follow(self, recorded: Mapping[StreamName, Recorded]) -> None:
        """Take in what is in the log now."""
        for stream, each in recorded.items():
            self.watched[stream] = each.watching
            self.releases[stream] = Release(position=each.position)

    def leave(self, streams: Iterable[StreamName]) -> None:
        """Nothing more about these in this round."""
        for stream in streams:
            self.watched.pop(stream, None)

    def give_up(self, streams: Iterable[StreamName]) -> None:
        """These are somebody else's now."""
        for stream in streams:
            del self.watched[stream], self.releases[stream]


class Share:
    """How many policies have about as many watched subjects as are worked on at a time, judged by the last ones."""

    def __init__(self, subjects: int) -> None:
        self._subjects = subjects
        self.policies = min(FIRST_POLICIES, subjects)

    def surplus(self, watched: Mapping[StreamName, Watching]) -> list[StreamName]:
        """Those of the claimed policies that are one too many, when they have more subjects than was guessed.

        A claim is short, and a crowd takes long where the machine is busy: of several claimed at once, the last would
        be reached when its claim is over. The guess doubles at most, so that it is never far off.
        """
        found = 0
        surplus: list[StreamName] = []
        for stream, each in watched.items():
            if found >= self._subjects:
                surplus.append(stream)
            found += len(each.watches)
        if watched:
            wanted = self._subjects * len(watched) // max(found, 1)
            self.policies = max(1, min(wanted, self._subjects, 2 * self.policies))
        return surplus
