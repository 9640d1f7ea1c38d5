"""What is to be done about a watched subject at a moment: a record, a publication, a removal, or nothing.

The driver (``services.announcer``) asks, does it, and lets what it recorded evolve the watch; then it asks again.
Source: Ditto documentation, page *basic-policy*; the numbers are those of Ditto's configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, assert_never

from protocol.announcements.records import Announced, Failed
from protocol.announcements.watch import Watch

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 3_600.0
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


Broker: TypeAlias = Literal["up", "down", "lost"]
"""Whether the broker takes messages; it is ``lost`` when it has been down for so long that nothing waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a deployment allows: ``grace`` after the expiry (or removal), and the longest wait for acknowledgements."""

    grace: timedelta = timedelta(hours=4)
    longest_ack_timeout: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The circumstances of a decision: ``chance`` gives numbers in [0, 1), ``new_id`` ids that nobody can guess."""

    now: datetime
    rules: Rules
    chance: Callable[[], float]
    new_id: Callable[[], str]
    broker: Broker = "up"


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

    A late announcement is made at once, however late it is: after a restart long past the deadline the subject is
    still announced before it is removed. It is removed without an announcement only if the broker stays lost until the
    grace is over.
    """
    if not watch.is_due(moment.now):
        return None
    match watch.stage:
        case "waiting":
            return _next_attempt(watch, moment) if moment.broker == "up" else _given_up(watch, moment)
        case "announced":
            return Publish(watch) if moment.broker == "up" else _given_up(watch, moment)
        case "published":
            return _retry_or_fail(watch, moment)
        case "expiring":
            return Remove(watch)
        case "idle" | "ended":
            return None
        case _:
            assert_never(watch.stage)


def _next_attempt(watch: Watch, moment: Moment) -> Announced:
    settings = watch.announcement
    longest = moment.rules.longest_ack_timeout
    timeout = longest if settings.ack_timeout is None else min(settings.ack_timeout, longest)
    return Announced(
        watch_id=watch.watch_id,
        subject_id=watch.subject_id,
        announcement_id=watch.announcement_id,
        occasion=watch.occasion,
        attempt=watch.attempt + 1,
        delete_at=watch.delete_at,
        correlation=watch.correlation or moment.new_id(),
        labels=settings.ack_labels,
        timeout=timeout.total_seconds() if settings.ack_labels else 0.0,
    )


def _retry_or_fail(watch: Watch, moment: Moment) -> Failed:
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


def _given_up(watch: Watch, moment: Moment) -> Failed | None:
    if moment.broker != "lost" or moment.now < _end_of_grace(watch, moment):
        return None
    return Failed(watch_id=watch.watch_id, subject_id=watch.subject_id, attempt=watch.attempt)


def _end_of_grace(watch: Watch, moment: Moment) -> datetime:
    since = watch.delete_at or moment.now
    try:
        return since + moment.rules.grace
    except OverflowError:
        return END_OF_TIME
