from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from eventstore.events import StreamName
from projections.deadlines import Release
from protocol.announcements.decide import Moment, Remove, Rules, Step
from protocol.announcements.evolve import Watching
from protocol.announcements.watch import Stage, Watch
from services.announcer.round import PASSES, Round, Share

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
MOMENT = Moment(now=NOW, rules=Rules(), chance=lambda: 0.5, new_id=lambda: "c")


def watch(name: str, stage: Stage = "expiring", seconds: float = 0.0) -> Watch:
    at = NOW + timedelta(seconds=seconds)
    return Watch(watch_id=name, subject_id=f"integration:{name}", subject={}, since=1, stage=stage, next_at=at)


def round_of(**policies: list[Watch]) -> Round:
    watched = {
        StreamName(f"policy:farm.one:{name}"): Watching(watches={each.watch_id: each for each in watches})
        for name, watches in policies.items()
    }
    return Round(watched=watched, releases={}, until=0.0)


def names(found: dict[StreamName, list[Step]]) -> dict[str, list[str]]:
    return {
        stream.rpartition(":")[2]: [
            each.watch.watch_id if isinstance(each, Remove) else each.watch_id  # type: ignore[union-attr]  # no others
            for each in steps
        ]
        for stream, steps in found.items()
    }


def test_no_more_is_done_at_a_time_than_was_asked_for() -> None:
    found = round_of(a=[watch("a1"), watch("a2")], b=[watch("b1"), watch("b2")], c=[watch("c1")]).due(MOMENT, 3)
    assert names(found) == {"a": ["a1", "a2"], "b": ["b1"]}


def test_what_has_to_wait_costs_nothing_yet() -> None:
    ids = map(str, count())
    moment = replace(MOMENT, new_id=lambda: next(ids))
    found = round_of(a=[watch(f"a{number}", "waiting") for number in range(9)]).due(moment, 2)
    assert names(found) == {"a": ["a0", "a1"]}
    assert next(ids) == "2"


def test_what_is_not_due_is_left_alone() -> None:
    found = round_of(a=[watch("a1", seconds=1), watch("a2")], b=[watch("b1", seconds=1)]).due(MOMENT, 9)
    assert names(found) == {"a": ["a2"]}


def test_a_policy_is_told_about_everything_before_anything_is_removed_from_it() -> None:
    found = round_of(a=[watch("a1"), watch("a2", "waiting")], b=[watch("b1")]).due(MOMENT, 9)
    assert names(found) == {"a": ["a2"], "b": ["b1"]}


def test_what_was_removed_is_not_removed_again() -> None:
    round_ = round_of(a=[watch("a1"), watch("a2")])
    round_.removed.add("a1")
    assert names(round_.due(MOMENT, 9)) == {"a": ["a2"]}


def test_a_step_that_does_not_help_is_given_up_for_this_round() -> None:
    round_ = round_of(a=[watch("a1", "waiting")])
    for _ in range(PASSES):
        assert round_.due(MOMENT, 9)
    assert not round_.due(MOMENT, 9)


def policies(count: int, subjects: int) -> dict[StreamName, Watching]:
    each = Watching(watches={str(number): watch(str(number)) for number in range(subjects)})
    return {StreamName(f"policy:farm.one:{number}"): each for number in range(count)}


def test_as_many_policies_are_claimed_as_hold_about_the_subjects_that_are_wanted() -> None:
    share = Share(64)
    for _ in range(9):
        assert share.surplus(policies(share.policies, 1)) == []
    assert share.policies == 64
    share.surplus(policies(64, 500))
    assert share.policies == 1
    assert share.surplus({}) == []
    assert share.policies == 1


def test_of_crowds_that_were_claimed_together_only_the_first_is_kept() -> None:
    crowds = policies(4, 500)
    assert Share(64).surplus(crowds) == list(crowds)[1:]


def test_policies_are_kept_until_they_hold_the_subjects_that_are_wanted() -> None:
    pairs = policies(8, 30)
    assert Share(64).surplus(pairs) == list(pairs)[3:]


def test_what_is_given_up_is_neither_worked_on_nor_released_again() -> None:
    round_ = round_of(a=[watch("a1")], b=[watch("b1")])
    a, b = round_.watched
    round_.releases = {a: Release(), b: Release()}
    round_.give_up([b])
    assert names(round_.due(MOMENT, 9)) == {"a": ["a1"]}
    assert list(round_.releases) == [a]
