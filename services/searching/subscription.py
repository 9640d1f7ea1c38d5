"""One search by pages as a value, and every step that it can take: the rules of the search protocol, without a clock.

    subscribed ── requested ──> in work ── delivered ──> in work | waiting | ended
                     waiting ── looked at, idle too long ──> in work, to say that it failed
                     any ── cancelled ──> ended ── looked at, after a while ──> forgotten

Whoever is the ``worker`` has the pen: only it sends pages and the end, one after the other, so that nothing follows an
end and nothing overtakes. Its claim lasts until ``due``; when it does not renew it, somebody else goes on. Rules:
Ditto documentation page *protocol-specification-things-search*, and Reactive Streams 1.0.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from protocol.errors import DittoError, SearchSubscriptionProtocolError, SearchSubscriptionTimeout
from protocol.json import JsonObject
from protocol.signals import Headers
from protocol.wire.search import DEMAND_MAX

IDLE: Final = timedelta(seconds=60)
"""How long a subscription waits for a request."""
REMEMBERED: Final = timedelta(seconds=10)
"""How long one that ended is known, so that a late request hears that it ended and not that it never was."""
CLAIM: Final = timedelta(seconds=30)
"""How long a worker has for a page before somebody else goes on."""
PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(seconds=16)
"""Between two tries to go on after trouble; each pause is twice the one before."""
PATIENCE: Final = timedelta(minutes=5)
"""How long trouble may last: longer than a broker or a database takes to start, shorter than a client keeps waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where events go: ``address`` is the client's, the same for all that it says; ``tag`` comes back with events."""

    address: str
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A search by pages. ``headers`` and ``route`` are those of the client's latest word.

    ``place`` is the cursor of the next page, ``demand`` how many pages are owed. At ``due`` somebody has to look at it.
    ``failure`` is an error that the worker has still to tell. So many ``tries`` have failed without a page in between,
    the first at ``troubled``.
    """

    id: str
    subjects: tuple[str, ...]
    route: Route
    due: datetime
    filter: str | None = None
    option: str = ""
    namespaces: tuple[str, ...] | None = None
    fields: str | None = None
    headers: Headers = field(default_factory=dict)
    demand: int = 0
    place: str | None = None
    worker: str | None = None
    failure: JsonObject | None = None
    tries: int = 0
    troubled: datetime | None = None
    ended: bool = False


class Act(enum.Enum):
    """What whoever took a step has to do next."""

    NOTHING = "nothing"
    WORK = "work"
    """It is the worker now."""
    UNKNOWN = "unknown"
    """Say that there is no such subscription."""
    ENDED = "ended"
    """Say that the subscription is at its end."""
    GIVEN_UP = "given up"
    """Nobody could be told anything for so long that it is forgotten."""


Step = Callable[[Subscription | None], tuple[Subscription | None, Act]]
"""What becomes of a subscription (nothing: it is forgotten), and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What every word of a client comes with, and who heard it when."""

    subjects: tuple[str, ...]
    route: Route
    headers: Headers
    worker: str
    now: datetime


def requested(demand: int, word: Word) -> Step:
    """More pages are wanted. A demand that is not positive ends the subscription (rule 3.9)."""

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        if found is None or not _known(found, word):
            return found, Act.UNKNOWN
        if found.ended or found.failure is not None:
            return found, Act.ENDED
        heard = replace(found, headers=word.headers, route=word.route, tries=0, troubled=None)
        if demand <= 0:
            heard = failed(heard, SearchSubscriptionProtocolError(f"The demand {demand} is not positive."))
        else:
            heard = replace(heard, demand=min(heard.demand + demand, DEMAND_MAX))
        return _claimed(heard, word.worker, word.now)

    return step


def cancelled(word: Word) -> Step:
    """No more pages are wanted. To cancel again does nothing (rule 3.7)."""

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        if found is None or not _known(found, word):
            return found, Act.UNKNOWN
        return (found if found.ended else ended(found, word.now)), Act.NOTHING

    return step


def looked_at(worker: str, now: datetime) -> Step:
    """Its time has come: to be forgotten, to be told that it waited too long, or to be gone on with by ``worker``."""

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        if found is None or found.due > now:
            return found, Act.NOTHING
        if found.ended:
            return None, Act.NOTHING
        if not found.demand and found.failure is None:
            found = failed(found, SearchSubscriptionTimeout(found.id))
        return _claimed(found, worker, now)

    return step


def renewed(worker: str, now: datetime) -> Step:
    """The worker goes on if there is something to do, and lets go if not."""

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        if found is None or found.worker != worker or found.ended:
            return found, Act.NOTHING
        if found.demand or found.failure is not None:
            return replace(found, due=now + CLAIM), Act.WORK
        return replace(found, worker=None, due=now + IDLE), Act.NOTHING

    return step


def delivered(worker: str, place: str | None, pages: int, now: datetime) -> Step:
    """So many pages were sent, and ``place`` is where the next one begins; none: that was the last one."""

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        if found is None or found.worker != worker or found.ended:
            return found, Act.NOTHING
        if place is None:
            return ended(found, now), Act.NOTHING
        left = max(found.demand - pages, 0)
        return renewed(worker, now)(replace(found, place=place, demand=left, tries=0, troubled=None))

    return step


def finished(worker: str, now: datetime) -> Step:
    """The end was told."""

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        mine = found is not None and found.worker == worker
        return (ended(found, now) if found is not None and mine else found), Act.NOTHING

    return step


def given_back(worker: str, due: datetime) -> Step:
    """The worker cannot go on now; at ``due`` somebody else may."""

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        if found is None or found.worker != worker or found.ended:
            return found, Act.NOTHING
        return replace(found, worker=None, due=due), Act.NOTHING

    return step


def interrupted(worker: str, error: DittoError, now: datetime) -> Step:
    """Something that passes was in the way.

    When it has lasted too long the search fails, and is forgotten if even that cannot be told.
    """

    def step(found: Subscription | None) -> tuple[Subscription | None, Act]:
        if found is None or found.worker != worker or found.ended:
            return found, Act.NOTHING
        troubled = found.troubled or now
        if now - troubled < PATIENCE:
            pause = min(PAUSE * 2 ** min(found.tries, 10), LONGEST_PAUSE)
            return replace(found, worker=None, due=now + pause, tries=found.tries + 1, troubled=troubled), Act.NOTHING
        if found.failure is not None:
            return None, Act.GIVEN_UP
        return replace(failed(found, error), worker=None, due=now), Act.NOTHING

    return step


def forgotten(found: Subscription | None) -> tuple[Subscription | None, Act]:
    """Nobody is there any more to hear of it."""
    del found
    return None, Act.NOTHING


def failed(found: Subscription, error: DittoError) -> Subscription:
    """It has to be told that it failed."""
    return replace(found, failure=error.to_json(), demand=0)


def ended(found: Subscription, now: datetime) -> Subscription:
    """Over, and remembered for a while."""
    return replace(found, ended=True, worker=None, demand=0, failure=None, place=None, due=now + REMEMBERED)


def _known(found: Subscription, word: Word) -> bool:
    """Whether this is the caller who subscribed; to anybody else there is no such subscription."""
    over = found.ended and found.due <= word.now
    return not over and found.subjects == word.subjects and found.route.address == word.route.address


def _claimed(found: Subscription, worker: str, now: datetime) -> tuple[Subscription, Act]:
    if found.worker is not None and found.due > now:
        return found, Act.NOTHING
    return replace(found, worker=worker, due=now + CLAIM), Act.WORK
