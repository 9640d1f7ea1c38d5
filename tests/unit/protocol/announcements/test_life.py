from __future__ import annotations

from datetime import timedelta

import pytest

from protocol.announcements.watch import watch_id
from protocol.json import JsonObject
from tests.unit.protocol.announcements.life import APP, POLICY, START, Life, subject, with_subject

ACKS: JsonObject = {"labels": ["app:seen"], "timeout": "20s"}


def test_an_expired_subject_is_removed_and_nothing_is_told_if_nothing_was_asked_for() -> None:
    life = with_subject(subject(3_600))
    life.until(3_599)
    assert life.subjects() == [APP]
    life.until(3_601)
    assert life.subjects() == []
    assert life.told == []
    assert life.outcomes == ["expired"]


def test_an_announcement_comes_before_the_expiry_and_once() -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m"))
    life.until(4_000)
    assert life.times() == [3_000]
    assert life.told[0][1] == {"deleteAt": "2026-06-01T11:00:00Z", "subjectIds": [APP]}
    assert life.steps == ["Announced", "Publish", "Remove"]
    assert life.subjects() == []


def test_the_announcement_is_brought_forward_by_chance_within_the_interval() -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m", randomizationInterval="5m"))
    life.until(4_000)
    assert 2_700 <= life.times()[0] <= 3_000


@pytest.mark.parametrize(
    "asked", [{"beforeExpiry": "999999999h"}, {"beforeExpiry": "1s", "randomizationInterval": "2000000y"}]
)
def test_a_moment_before_all_time_is_at_once(asked: JsonObject) -> None:
    life = with_subject(subject(3_600, **asked))
    life.until(1)
    assert life.times()[:1] == [1]


def test_a_grace_beyond_all_time_never_ends() -> None:
    forever = {**subject(beforeExpiry="80000000h", requestedAcks=ACKS), "expiry": "9999-12-31T23:00:00Z"}
    life = with_subject(forever)
    life.until(60)
    assert len(life.told) > 1
    assert life.subjects() == [APP]


def test_without_expiry_nothing_is_announced_before_the_removal() -> None:
    life = with_subject(subject(None, beforeExpiry="10m"))
    life.until(100)
    assert life.open() == []


@pytest.mark.parametrize("status", [200, 204, 400, 404, 409])
def test_an_answered_announcement_is_not_repeated(status: int) -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m", requestedAcks=ACKS))
    life.until(3_005)
    life.ack(status)
    life.until(4_000)
    assert life.times() == [3_000]
    assert life.subjects() == []


@pytest.mark.parametrize("status", [408, 424, 500, 503])
def test_an_answer_that_calls_for_repetition_gets_the_same_announcement_after_a_growing_wait(status: int) -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m", requestedAcks=ACKS))
    life.until(3_000)
    for _ in range(3):
        life.ack(status)
        count = len(life.told)
        while len(life.told) == count:
            life.until((life.now - START).total_seconds() + 0.05, every=0.05)
    waits = [later - earlier for earlier, later in zip(life.times(), life.times()[1:], strict=False)]
    assert waits == pytest.approx([1.75, 1.75**2, 1.75**3], abs=0.15)
    assert len(set(life.ids)) == 1


def test_without_answers_the_subject_lives_until_the_grace_is_over() -> None:
    life = with_subject(subject(600, beforeExpiry="1m", requestedAcks=ACKS), grace=timedelta(minutes=10))
    life.until(1_000)
    assert life.subjects() == [APP]
    life.until(1_400)
    assert life.subjects() == []
    assert len(life.told) > 3


def test_an_answer_to_an_earlier_attempt_counts() -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m", requestedAcks=ACKS))
    life.until(3_021)
    assert life.steps[-1] == "Failed"
    life.ack(200)
    life.until(4_000)
    assert life.times() == [3_000]


def test_all_labels_have_to_answer() -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m", requestedAcks={"labels": ["one", "two"]}))
    life.until(3_000)
    life.ack(200, "one")
    life.until(3_059)
    assert len(life.told) == 1
    life.until(3_063)
    assert len(life.told) == 2
    life.ack(200, "two")
    life.until(3_600)
    assert len(life.told) == 2
    assert life.subjects() == []


def test_an_extension_in_time_keeps_access_and_ends_the_old_watch_in_silence() -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m", whenDeleted=True, requestedAcks=ACKS))
    life.until(3_001)
    life.put(subject(7_200, beforeExpiry="10m", whenDeleted=True))
    life.until(6_000)
    assert life.times() == [3_000]
    assert life.subjects() == [APP]
    life.until(7_300)
    assert life.times() == [3_000, 6_600]
    assert life.subjects() == []


def test_a_removal_is_announced_if_asked_for() -> None:
    life = with_subject(subject(None, whenDeleted=True))
    life.until(100)
    life.take()
    life.until(200)
    assert life.told == [(START + timedelta(seconds=101), {"deleteAt": "2026-06-01T10:01:40Z", "subjectIds": [APP]})]
    assert life.outcomes == ["announced"]


def test_the_end_of_the_policy_is_a_removal() -> None:
    life = with_subject(subject(3_600, whenDeleted=True))
    life.change("deleted", "/")
    life.until(10)
    assert len(life.told) == 1


def test_an_expiry_is_a_removal_that_is_announced_unless_it_was_told_before() -> None:
    untold = with_subject(subject(600, whenDeleted=True))
    untold.until(700)
    assert untold.times() == [600]
    told = with_subject(subject(600, whenDeleted=True, beforeExpiry="1m"))
    told.until(700)
    assert told.times() == [540]


def test_a_removal_is_not_announced_if_nobody_asked() -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m"))
    life.take()
    life.until(4_000)
    assert life.told == []
    assert life.outcomes == ["removed"]


def test_a_removal_without_answer_is_announced_under_one_id_until_the_grace_is_over() -> None:
    life = with_subject(subject(None, whenDeleted=True, requestedAcks=ACKS), grace=timedelta(minutes=5))
    life.take()
    life.until(600)
    assert len(life.told) > 3
    assert len(set(life.ids)) == 1
    assert life.outcomes == ["unanswered"]


def test_a_subject_that_comes_back_is_not_told_that_it_was_removed() -> None:
    life = with_subject(subject(None, whenDeleted=True, requestedAcks=ACKS))
    life.take()
    life.until(1)
    life.put(subject(None, whenDeleted=True, requestedAcks=ACKS))
    life.until(600)
    assert len(life.told) == 1
    assert len(life.open()) == 1


def test_the_same_subject_in_two_entries_is_one_watch_and_leaves_both() -> None:
    life = with_subject(subject(600, beforeExpiry="1m", whenDeleted=True))
    life.put(subject(600, beforeExpiry="1m", whenDeleted=True), label="other")
    assert len(life.open()) == 1
    life.until(700)
    assert life.subjects() == []
    assert len(life.told) == 1


def test_a_subject_that_stays_in_another_entry_ends_in_silence() -> None:
    life = with_subject(subject(600, whenDeleted=True))
    life.put({"type": "for good"}, label="other")
    life.until(700)
    assert life.subjects() == [APP]
    assert life.told == []


def test_a_restart_long_after_the_deadline_tells_and_removes_at_once() -> None:
    life = with_subject(subject(600, beforeExpiry="1m"))
    life.now = START + timedelta(days=3)
    life.work()
    assert life.told == [(life.now, {"deleteAt": "2026-06-01T10:10:00Z", "subjectIds": [APP]})]
    assert life.subjects() == []


def test_what_the_broker_may_not_have_is_sent_again_under_its_id() -> None:
    life = with_subject(subject(600, beforeExpiry="1m"), confirms=False)
    life.until(540)
    life.confirms = True
    life.until(700)
    assert life.times() == [540, 541]
    assert len(set(life.ids)) == 1
    assert life.subjects() == []


def test_a_broker_that_is_away_delays_the_removal_but_not_beyond_the_grace() -> None:
    life = with_subject(subject(600, beforeExpiry="1m"), broker="down", grace=timedelta(minutes=10))
    life.until(900)
    assert life.subjects() == [APP]
    life.broker = "up"
    life.until(902)
    assert len(life.told) == 1
    assert life.subjects() == []

    lost = with_subject(subject(600, beforeExpiry="1m"), broker="lost", grace=timedelta(minutes=10))
    lost.until(1_199)
    assert lost.subjects() == [APP]
    lost.until(1_201)
    assert lost.subjects() == []


def test_a_clock_that_jumps_neither_repeats_nor_skips() -> None:
    life = with_subject(subject(3_600, beforeExpiry="10m"))
    life.until(3_100)
    life.now = START
    life.until(3_500)
    life.now = START + timedelta(days=1)
    life.work()
    assert len(life.told) == 1
    assert life.subjects() == []


def test_watches_of_equal_subjects_differ_by_when_they_came() -> None:
    assert watch_id(POLICY, APP, subject(), 1) != watch_id(POLICY, APP, subject(), 2)


def test_nothing_is_watched_in_a_policy_of_permanent_subjects() -> None:
    assert with_subject({"type": "generated"}).open() == []


def test_the_life_of_a_policy_starts_anew_after_its_deletion() -> None:
    life = with_subject(subject(600))
    life.change("deleted", "/")
    life.put(subject(600))
    assert isinstance(life, Life)
    life.until(700)
    assert life.subjects() == []


def test_a_change_of_one_subject_leaves_the_watches_of_the_others_as_they_are() -> None:
    life = with_subject(subject(3_600))
    for number in range(20):
        life.put(subject(1_800), subject_id=f"integration:other-{number}")
    before = dict(life.watching.watches)
    life.put(subject(7_200))
    left = {name: each for name, each in life.watching.watches.items() if each.subject_id != APP}
    assert len(left) == 20
    assert all(before[name] is each for name, each in left.items())


def test_a_change_of_anything_but_subjects_concerns_no_watch() -> None:
    life = with_subject(subject(3_600))
    before = life.watching.watches
    life.change("modified", "/entries/guest/resources", {})
    assert life.watching.watches is before
