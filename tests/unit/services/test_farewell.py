from __future__ import annotations

from services.farewell import Farewell


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_all_parts_together_get_the_time_of_one() -> None:
    clock = Clock()
    farewell = Farewell(10.0, clock=clock)
    farewell.begin()
    spent = []
    for wanted in (4.0, 4.0, 4.0):
        spent.append(min(wanted, farewell.left()))
        clock.now += spent[-1]
    assert spent == [4.0, 2.0, 0.0]


def test_time_that_is_over_is_not_negative() -> None:
    clock = Clock()
    farewell = Farewell(10.0, clock=clock)
    farewell.begin()
    clock.now += 60
    assert farewell.left() == 0.0


def test_closing_fits_beside_the_work() -> None:
    farewell = Farewell(10.0, clock=Clock())
    assert farewell.work + farewell.parting <= 8.0
