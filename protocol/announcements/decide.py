"""What is to be done about a watched subject at a moment: a record, a publication, a removal, or nothing.

The driver (``services.announcer``) asks, does it, and lets what it recorded evolve the watch; then it asks again.
Source: Ditto documentation, page *basic-policy*; the numbers are those of Ditto's configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, assert_never

from protocol.announcements.records import Announced, Failed
from protocol.announcements.watch import Watch

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 3_600.0
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a deployment allows: ``grace`` after the expiry (or removal), and the longest wait for acknowledgements."""

    grace: timedelta = timedelta(hours=4)
    longest_ack_timeout: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The circumstances of a decision.

    ``chance`` gives numbers in [0, 1), ``new_id`` names that nobody can guess. ``broker`` is whether anything can be
    published at present: ``up``, ``down``, or ``lost`` when it has been away for so long that only the grace counts.
    """

    now: datetime
    rules: Rules
    chance: Callable[[], float]
    new_id: Callable[[], str]
    broker: str = "up"


@dataclass(frozen=True, slots=True)
class Publish:
    """Hand the present attempt to the broker."""

    watch: Watch


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the subject from its policy: it has expired."""

    watch: Watch


Step: TypeAlias = Announced | Failed | Publish | Remove


def next_step(watch: Watch, moment: Moment) -> Step | None:
    """What to do now; ``None`` if nothing is due or nothing can be done.

    An announcement that is late is made at once, however late it is: a restart long after the deadline still tells
    before it removes. Only when nothing can be published until the grace is over, the subject goes untold.
    """
    if not watch.is_due(moment.now):
        return None
    match watch.stage:
        case "waiting":
            return _announced(watch, moment) if moment.broker == "up" else _hopeless(watch, moment)
        case "announced":
            return Publish(watch) if moment.broker == "up" else _hopeless(watch, moment)
        case "published":
            return _unanswered(watch, moment)
        case "expiring":
            return Remove(watch)
        case "idle" | "ended":
            return None
        case _:
            assert_never(watch.stage)


def _announced(watch: Watch, moment: Moment) -> Announced:
    asked = watch.asked
    longest = moment.rules.longest_ack_timeout
    timeout = longest if asked.ack_timeout is None else min(asked.ack_timeout, longest)
    return Announced(
        watch_id=watch.watch_id,
        subject_id=watch.subject_id,
        announcement_id=watch.announcement_id,
        occasion=watch.occasion,
        attempt=watch.attempt + 1,
        delete_at=watch.delete_at,
        correlation=watch.correlation or moment.new_id(),
        labels=asked.ack_labels,
        timeout=timeout.total_seconds() if asked.ack_labels else 0.0,
    )


def _unanswered(watch: Watch, moment: Moment) -> Failed:
    """Another attempt after a wait that grows by a factor of 1.5 to 2 each time, if it comes before the grace ends."""
    grown = (watch.backoff or FIRST_BACKOFF) * (1.5 + moment.chance() / 2)
    backoff = min(grown, LONGEST_BACKOFF)
    retry_at = moment.now + timedelta(seconds=backoff)
    statuses = {ack.label: ack.status for ack in watch.acks} | dict.fromkeys(watch.missing, 408)
    again = retry_at < _end_of_grace(watch, moment)
    return Failed(
        watch_id=watch.watch_id,
        subject_id=watch.subject_id,
        attempt=watch.attempt,
        statuses=statuses,
        backoff=backoff if again else None,
        retry_at=retry_at if again else None,
    )


def _hopeless(watch: Watch, moment: Moment) -> Failed | None:
    if moment.broker != "lost" or moment.now < _end_of_grace(watch, moment):
        return None
    return Failed(watch_id=watch.watch_id, subject_id=watch.subject_id, attempt=watch.attempt)


def _end_of_grace(watch: Watch, moment: Moment) -> datetime:
    since = watch.delete_at or moment.now
    try:
        return since + moment.rules.grace
    except OverflowError:
        return END_OF_TIME
