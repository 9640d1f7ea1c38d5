"""What an event or a record makes of a watch; what comes late, twice or for another announcement changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from protocol.announcements.evolve import Watching, after_record
from protocol.announcements.records import Acknowledged, Announced, Published, Record
from protocol.announcements.watch import Occasion, Stage, Watch
from protocol.json import JsonObject
from tests.unit.protocol.announcements.life import APP, START, subject, with_subject

ACKS: JsonObject = {"labels": ["app:seen"], "timeout": "20s"}


def watch(stage: Stage, **facts: object) -> Watch:
    value = subject(3_600, beforeExpiry="10m", whenDeleted=True, requestedAcks=ACKS)
    return Watch(watch_id="w", subject_id=APP, subject=value, since=1, stage=stage, attempt=2).with_(**facts)


def after(before: Watch, *records: Record) -> Watch:
    """The watch after records that came a minute apart."""
    watching = Watching(watches={"w": before})
    for revision, record in enumerate(records, start=1):
        watching = after_record(watching, record, revision=revision, at=START + timedelta(minutes=revision))
    assert watching.told_revision == len(records)
    return watching.watches["w"]


def announced(occasion: Occasion = "expiry") -> Announced:
    return Announced(
        watch_id="w",
        subject_id=APP,
        announcement_id="w",
        occasion=occasion,
        attempt=3,
        delete_at=None,
        correlation="c",
        labels=("app:seen",),
        timeout=20.0,
    )


def published(attempt: int = 2) -> Published:
    return Published(watch_id="w", subject_id=APP, attempt=attempt)


def acknowledged(status: int = 200, announcement_id: str = "w") -> Acknowledged:
    return Acknowledged(
        watch_id="w",
        subject_id=APP,
        announcement_id=announcement_id,
        label="app:seen",
        status=status,
        by="amqp:app",
    )


def test_an_attempt_before_the_expiry_says_nothing_about_the_announcement_of_the_removal() -> None:
    removed = watch("waiting", occasion="deletion", attempt=0)
    assert after(removed, announced("expiry")) == removed
    assert after(removed, announced("deletion")).stage == "announced"


def test_an_answer_to_another_announcement_changes_nothing() -> None:
    before = watch("published")
    assert after(before, acknowledged(announcement_id="w.deleted")) == before
    assert after(before, acknowledged()).told


def test_the_confirm_of_an_earlier_attempt_changes_nothing() -> None:
    before = watch("announced")
    assert after(before, published(attempt=1)) == before
    assert after(before, published()).stage == "published"


def test_a_confirm_that_is_recorded_twice_keeps_its_first_time() -> None:
    assert after(watch("announced"), published(), published()).published_at == START + timedelta(minutes=1)


def test_the_latest_answer_to_a_label_counts() -> None:
    found = after(watch("announced"), acknowledged(503), acknowledged(200))
    assert [ack.status for ack in found.acks] == [200]


@pytest.mark.parametrize("stage", ["expiring", "idle"])
def test_an_answer_after_the_last_attempt_is_kept_and_does_not_count(stage: Stage) -> None:
    found = after(watch(stage), acknowledged())
    assert (found.stage, found.told, [ack.status for ack in found.acks]) == (stage, False, [200])


def test_an_answer_that_asks_for_redelivery_ends_the_waiting_at_once() -> None:
    found = after(watch("published", next_at=START + timedelta(hours=1)), acknowledged(503))
    assert found.stage == "published"
    assert found.is_due(START)


def test_a_watch_that_has_ended_stays_as_it_ended() -> None:
    before = watch("ended", outcome="replaced")
    assert after(before, published(), acknowledged()) == before


def test_a_subject_that_comes_and_goes_again_leaves_the_outcome_of_its_first_watch() -> None:
    life = with_subject(subject(3_600))
    life.take()
    first = life.watching
    life.put({"type": "permanent"})
    life.take()
    assert life.watching.watches == first.watches


def test_a_second_value_of_a_subject_in_another_entry_is_watched_beside_the_first() -> None:
    life = with_subject(subject(3_600))
    life.put(subject(7_200), label="other")
    assert [each.expiry for each in life.open()] == [START + timedelta(hours=1), START + timedelta(hours=2)]


def test_the_subject_of_a_watch_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="subject"):
        watch("waiting").with_(subject={})
    assert replace(watch("waiting"), subject=subject(60)).expiry == START + timedelta(minutes=1)
