"""Deliveries settle in any order; acknowledgements are few and never name a tag twice."""

from hypothesis import given
from hypothesis import strategies as st

from services.amqp.settlement import Settlement


def settled(*tags: int, held: tuple[int, ...] = ()) -> Settlement:
    settlement = Settlement()
    for tag in held:
        settlement.hold(tag)
    for tag in tags:
        settlement.settle(tag)
    return settlement


def test_a_settled_beginning_is_acknowledged_at_once() -> None:
    assert settled(1, 2, 3).acknowledgements() == [(3, True)]


def test_nothing_is_acknowledged_twice() -> None:
    settlement = settled(1, 2)
    settlement.acknowledgements()
    assert settlement.acknowledgements() == []


def test_a_gap_holds_back_what_comes_after_it() -> None:
    settlement = settled(1, 3, 4)
    assert settlement.acknowledgements() == [(1, True)]
    settlement.settle(2)
    assert settlement.acknowledgements() == [(4, True)]


def test_behind_a_held_delivery_the_others_are_acknowledged_one_by_one() -> None:
    settlement = settled(1, 3, 4, held=(2,))
    assert settlement.acknowledgements() == [(1, True), (3, False), (4, False)]
    settlement.settle(2)
    assert settlement.acknowledgements() == [(2, True)]
    settlement.settle(5)
    assert settlement.acknowledgements() == [(5, True)]


@given(st.permutations(range(1, 13)), st.sets(st.integers(1, 12)), st.lists(st.booleans(), min_size=12, max_size=12))
def test_whatever_the_order_each_delivery_is_acknowledged_exactly_once(
    order: list[int], held: set[int], flushes: list[bool]
) -> None:
    settlement = Settlement()
    outstanding = set(range(1, 13))
    settled_so_far: set[int] = set()
    for tag in held:
        settlement.hold(tag)
    for tag, flush in zip(order, [*flushes[:-1], True], strict=True):
        settlement.settle(tag)
        settled_so_far.add(tag)
        for acknowledged, multiple in settlement.acknowledgements() if flush else []:
            assert acknowledged in outstanding, "the broker closes the channel on an unknown tag"
            covered = {each for each in outstanding if each <= acknowledged} if multiple else {acknowledged}
            assert covered <= settled_so_far, "acknowledged means settled"
            outstanding -= covered
    assert not outstanding
