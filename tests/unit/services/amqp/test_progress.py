"""The checkpoint may only move over what is confirmed without a gap."""

from hypothesis import given
from hypothesis import strategies as st

from services.amqp.progress import Progress


def sent(*positions: int) -> Progress:
    progress = Progress(0, limit=10)
    for tag, position in enumerate(positions, start=1):
        progress.sent(tag, position)
    return progress


def test_a_confirm_behind_an_unconfirmed_one_does_not_move_the_checkpoint() -> None:
    progress = sent(1, 2, 3)
    progress.settled(2, multiple=False)
    assert progress.confirmed == 0
    progress.settled(1, multiple=False)
    assert progress.confirmed == 2


def test_a_bulk_confirm_moves_it_to_its_tag() -> None:
    progress = sent(1, 2, 3)
    progress.settled(2, multiple=True)
    assert (progress.confirmed, progress.in_flight, progress.events) == (2, 1, 2)


def test_events_that_are_not_published_count_with_the_one_before_them() -> None:
    progress = sent(1)
    progress.skipped(2)
    assert progress.confirmed == 0
    progress.settled(1, multiple=False)
    assert progress.confirmed == 2
    progress.skipped(3)
    assert progress.confirmed == 3


@given(st.permutations(range(1, 10)), st.lists(st.booleans(), min_size=9, max_size=9))
def test_whatever_the_order_of_confirms_everything_below_the_checkpoint_is_confirmed(
    order: list[int], bulk: list[bool]
) -> None:
    progress = sent(*range(1, 10))
    confirmed: set[int] = set()
    for tag, multiple in zip(order, bulk, strict=True):
        confirmed |= set(range(1, tag + 1)) if multiple else {tag}
        if not multiple or tag > progress.confirmed:
            progress.settled(tag, multiple=multiple)
        assert set(range(1, progress.confirmed + 1)) <= confirmed
    assert progress.confirmed == 9
    assert progress.in_flight == 0


async def test_room_is_made_by_confirms() -> None:
    progress = sent(*range(1, 11))
    progress.settled(1, multiple=False)
    await progress.room()
    assert await progress.moved() == 1
