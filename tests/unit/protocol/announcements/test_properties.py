from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from protocol.announcements.watch import expiry_of
from protocol.json import JsonObject
from protocol.policies.entries import subjects_of
from tests.unit.protocol.announcements.life import START, Life, subject

APPS = ["integration:app-1", "integration:app-2"]
FAR = 40 * 86_400

ACKS: JsonObject = {"labels": ["app:seen"], "timeout": "5s"}


@st.composite
def subjects(draw: st.DrawFn) -> JsonObject:
    asked: JsonObject = {}
    if before := draw(st.sampled_from([None, "30s", "2m"])):
        asked["beforeExpiry"] = before
    if draw(st.booleans()):
        asked["whenDeleted"] = True
    if draw(st.booleans()):
        asked["requestedAcks"] = ACKS
    return subject(draw(st.sampled_from([None, 60, 300, 900])), **asked)


acts = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(["a", "b"]), st.sampled_from(APPS), subjects()),
    st.tuples(st.just("take"), st.sampled_from(["a", "b"]), st.sampled_from(APPS)),
    st.tuples(st.just("wait"), st.integers(1, 400)),
    st.tuples(st.just("ack"), st.sampled_from([200, 404, 408, 503])),
    st.tuples(st.just("broker"), st.sampled_from(["up", "down"])),
    st.tuples(st.just("confirms"), st.booleans()),
    st.tuples(st.just("drop")),
)


class Checked(Life):
    """Looks at every publication as it is made."""

    @override
    def work(self) -> None:
        before = len(self.told)
        super().work()
        present = {} if self.policy is None or self.policy.deleted else self.policy.document
        ids = {subject_id for _, subject_id, _ in subjects_of(present)}
        watches = {watch.announcement_id: watch for watch in self.watching.watches.values()}
        for (at, _), announcement_id in list(zip(self.told, self.ids, strict=True))[before:]:
            watch = watches[announcement_id]
            assert watch.announce_at is not None
            assert watch.announce_at <= at
            if watch.occasion == "deletion":
                assert watch.announcement.when_deleted
                assert watch.subject_id not in ids


def act(life: Life, what: tuple[object, ...]) -> None:
    match what:
        case ("put", str() as label, str() as subject_id, dict() as value):
            if _valid(life, value):
                life.put(value, label=label, subject_id=subject_id)
        case ("take", str() as label, str() as subject_id):
            life.take(label=label, subject_id=subject_id)
        case ("wait", int() as seconds):
            life.until((life.now - START).total_seconds() + seconds, every=7)
        case ("ack", int() as status):
            life.ack(status)
        case ("broker", ("up" | "down" | "lost") as state):
            life.broker = state
        case ("confirms", bool() as confirms):
            life.confirms = confirms
        case ("drop",):
            life.change("deleted", "/")


def _valid(life: Life, value: JsonObject) -> bool:
    """A command with a past expiry is refused before it becomes an event."""
    expiry = expiry_of(value)
    return expiry is None or expiry > life.now


@settings(max_examples=150, deadline=None)
@given(st.lists(acts, max_size=25))
def test_whatever_happens_nothing_is_told_early_and_in_the_end_nothing_is_left_undone(
    what: list[tuple[object, ...]],
) -> None:
    life = Checked(grace=timedelta(minutes=30))
    for each in what:
        act(life, each)
    life.broker, life.confirms = "up", True
    life.until((life.now - START).total_seconds() + 2 * 3_600, every=11)
    life.until((life.now - START).total_seconds() + FAR, every=FAR)
    assert all(watch.stage == "idle" for watch in life.open())
    document = {} if life.policy is None or life.policy.deleted else life.policy.document
    assert all(expiry_of(value) is None for _, _, value in subjects_of(document))


@settings(max_examples=150, deadline=None)
@given(st.lists(acts, max_size=25))
def test_every_removal_that_asks_for_it_is_told_unless_the_subject_lives_on(what: list[tuple[object, ...]]) -> None:
    life = Life(grace=timedelta(days=1))
    for each in what:
        act(life, each)
    life.broker, life.confirms = "up", True
    owed = {watch.announcement_id for watch in life.open() if watch.occasion == "deletion"}
    life.until((life.now - START).total_seconds() + 60)
    assert owed <= set(life.ids)
