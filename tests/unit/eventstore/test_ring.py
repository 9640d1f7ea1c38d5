from __future__ import annotations

from eventstore.events import RecordedEvent
from eventstore.feed import Ring
from eventstore.group import record
from tests.contract.given import NOON, PUMP, commit, event, positions


def events(first: int, last: int) -> tuple[RecordedEvent, ...]:
    return record([commit(PUMP, first - 1, *[event()] * (last - first + 1))], head=first - 1, recorded_at=NOON)


def ring(*, start: int = 0, end: int = 0, capacity: int = 100) -> Ring:
    held = Ring(capacity)
    held.restart(start)
    assert held.extend(events(start + 1, end))
    return held


def test_a_ring_goes_on_where_it_ends() -> None:
    held = ring(start=10, end=12)
    assert held.extend(events(13, 14))
    assert positions(held.after(10, 99) or ()) == [11, 12, 13, 14]


def test_a_ring_takes_only_what_is_new() -> None:
    held = ring(end=3)
    assert held.extend(events(2, 5))
    assert held.extend(events(1, 4))
    assert positions(held.after(0, 99) or ()) == [1, 2, 3, 4, 5]


def test_a_ring_refuses_a_hole() -> None:
    held = ring(end=3)
    assert not held.extend(events(5, 6))
    assert held.end == 3


def test_a_ring_knows_what_it_no_longer_holds() -> None:
    held = ring(start=10, end=12)
    assert held.after(9, 99) is None
    assert held.after(12, 99) == []
    assert held.after(15, 99) == []
    assert positions(held.after(10, 1) or ()) == [11]


def test_a_full_ring_forgets_its_oldest_events() -> None:
    held = ring(capacity=3)
    for position in range(1, 50):
        assert held.extend(events(position, position))
        assert held.end - held.start <= 6
    assert held.end == 49
    assert positions(held.after(held.start, 99) or ())[-1] == 49


def test_a_ring_can_begin_elsewhere() -> None:
    held = ring(end=3)
    held.restart(100)
    assert held.after(99, 1) is None
    assert held.extend(events(101, 102))
    assert held.end == 102
