"""The next step for a watched subject, moment by moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from protocol.announcements.decide import Broker, Moment, Publish, Remove, Rules, Step, next_step
from protocol.announcements.envelope import announcement_envelope
from protocol.announcements.records import Announced, Failed
from protocol.announcements.watch import Ack, Stage, Watch
from protocol.json import JsonValue
from tests.unit.protocol.announcements.life import APP, POLICY, START, subject

LABELS: list[JsonValue] = ["app:seen", "app:done"]
HOUR = 3_600


def watch(stage: Stage, *, timeout: str = "20s", **facts: object) -> Watch:
    """One that is due; its subject expires after an hour and asks for two labels."""
    value = subject(HOUR, beforeExpiry="10m", requestedAcks={"labels": LABELS, "timeout": timeout})
    due = Watch(watch_id="w", subject_id=APP, subject=value, since=1, stage=stage, next_at=START)
    return due.with_(**facts)


def step(due: Watch, *, at: float = 0.0, broker: Broker = "up", chance: float = 0.5) -> Step | None:
    now = START + timedelta(seconds=at)
    rules = Rules(grace=timedelta(hours=1), longest_ack_timeout=timedelta(seconds=60))
    return next_step(due, Moment(now=now, rules=rules, chance=lambda: chance, new_id=lambda: "fresh", broker=broker))


def failed(due: Watch, *, at: float = 0.0, broker: Broker = "up", chance: float = 0.5) -> Failed:
    found = step(due, at=at, broker=broker, chance=chance)
    assert isinstance(found, Failed)
    return found


def announced(due: Watch) -> Announced:
    found = step(due)
    assert isinstance(found, Announced)
    return found


def test_each_stage_has_its_step() -> None:
    assert isinstance(step(watch("waiting")), Announced)
    assert isinstance(step(watch("announced")), Publish)
    assert isinstance(step(watch("published")), Failed)
    assert isinstance(step(watch("expiring")), Remove)
    assert step(watch("idle")) is None
    assert step(watch("ended")) is None


def test_nothing_is_done_before_it_is_due() -> None:
    assert step(watch("expiring"), at=-0.001) is None


def test_the_attempts_of_an_announcement_share_the_beginning_of_their_correlation_ids() -> None:
    assert (announced(watch("waiting")).correlation, announced(watch("waiting")).attempt) == ("fresh", 1)
    again = announced(watch("waiting", correlation="first", attempt=3))
    assert (again.correlation, again.attempt) == ("first", 4)


@pytest.mark.parametrize(("asked", "seconds"), [("20s", 20.0), ("1500ms", 1.5), ("5m", 60.0)])
def test_acknowledgements_are_awaited_as_long_as_asked_and_no_longer_than_allowed(asked: str, seconds: float) -> None:
    assert announced(watch("waiting", timeout=asked)).timeout == seconds


@pytest.mark.parametrize(("seconds", "header"), [(20.0, "20s"), (1.5, "1500ms")])
def test_the_message_says_how_long_acknowledgements_are_awaited(seconds: float, header: str) -> None:
    headers = announcement_envelope(POLICY, watch("announced").with_(timeout=seconds)).headers
    assert (headers["timeout"], headers["requested-acks"]) == (header, LABELS)


def test_labels_that_nobody_answered_count_as_timed_out() -> None:
    answered = (Ack(label="app:seen", status=503, by="amqp:app", at=START),)
    assert failed(watch("published", acks=answered)).statuses == {"app:seen": 503, "app:done": 408}


@pytest.mark.parametrize(
    ("last", "chance", "wait"), [(None, 0.0, 1.5), (None, 0.5, 1.75), (4.0, 0.0, 6.0), (3_000.0, 0.9, 3_600.0)]
)
def test_the_wait_grows_by_a_factor_with_chance_up_to_an_hour(last: float | None, chance: float, wait: float) -> None:
    found = failed(watch("published", backoff=last), chance=chance)
    assert found.backoff == pytest.approx(wait)
    assert found.retry_at == START + timedelta(seconds=wait)


def test_an_attempt_that_could_only_come_when_the_grace_ends_is_not_made() -> None:
    end = 2 * HOUR
    assert failed(watch("published"), at=end - 1.76).retry_at == START + timedelta(seconds=end - 0.01)
    last = failed(watch("published"), at=end - 1.75)
    assert (last.retry_at, last.backoff) == (None, None)


@pytest.mark.parametrize("stage", ["waiting", "announced"])
def test_a_broker_that_is_away_is_waited_for_until_the_grace_ends_and_it_counts_as_lost(stage: Stage) -> None:
    assert step(watch(stage), broker="down") is None
    assert step(watch(stage), at=2 * HOUR, broker="down") is None
    assert step(watch(stage), at=2 * HOUR - 0.001, broker="lost") is None
    assert failed(watch(stage), at=2 * HOUR, broker="lost").retry_at is None
