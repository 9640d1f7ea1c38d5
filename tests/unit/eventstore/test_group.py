from __future__ import annotations

from eventstore.events import Commit, StreamAppend
from eventstore.group import plan, record, refused
from tests.contract.given import GATE, NOON, PUMP, RULES, TANK, commit, event


def test_a_group_expects_of_each_stream_what_its_first_commit_does() -> None:
    group = plan([commit(PUMP, 4, event(), event()), commit(TANK, 0), commit(PUMP, 6)])
    assert group.expected == {PUMP: 4, TANK: 0}
    assert group.broken == frozenset()


def test_a_gap_within_a_group_breaks_the_later_commit() -> None:
    assert plan([commit(PUMP, 4), commit(PUMP, 6), commit(PUMP, 5)]).broken == {1, 2}


def test_command_ids_belong_to_the_first_stream() -> None:
    both = Commit(
        appends=tuple(StreamAppend(stream=name, expected_revision=0, events=(event(),)) for name in (PUMP, RULES)),
        command_id="c",
    )
    assert plan([both]).commands == {(PUMP, "c"): 0}


def test_the_fallen_take_along_whoever_builds_on_them_through_any_stream() -> None:
    bridge = Commit(
        appends=tuple(StreamAppend(stream=name, expected_revision=1, events=(event(),)) for name in (PUMP, TANK))
    )
    commits = [commit(PUMP, 0), commit(GATE, 0), bridge, commit(TANK, 2)]
    assert refused(commits, streams=[PUMP], fallen=()) == {0, 2, 3}
    assert refused(commits, streams=(), fallen={1}) == {1}


def test_whoever_only_looked_at_a_stream_takes_nobody_along() -> None:
    looked = Commit(appends=(StreamAppend(stream=PUMP, expected_revision=0, events=()),), command_id="c")
    assert refused([looked, commit(PUMP, 0)], streams=(), fallen={0}) == {0}


def test_a_recorded_group_continues_the_log() -> None:
    events = record([commit(PUMP, 4, event(), event(), command="c"), commit(TANK, 0)], head=10, recorded_at=NOON)
    assert [(e.position, e.stream, e.revision, e.command_id) for e in events] == [
        (11, PUMP, 5, "c"),
        (12, PUMP, 6, None),
        (13, TANK, 1, None),
    ]
