from __future__ import annotations

from services.shutdown import ShutdownBudget


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_all_parts_together_get_the_time_of_one() -> None:
    clock = Clock()
    budget = ShutdownBudget(10.0, clock=clock)
    budget.begin()
    spent = []
    for wanted in (4.0, 4.0, 4.0):
        spent.append(min(wanted, budget.left()))
        clock.now += spent[-1]
    assert spent == [4.0, 2.0, 0.0]


def test_time_that_is_over_is_not_negative() -> None:
    clock = Clock()
    budget = ShutdownBudget(10.0, clock=clock)
    budget.begin()
    clock.now += 60
    assert budget.left() == 0.0


def test_closing_fits_beside_the_work() -> None:
    budget = ShutdownBudget(10.0, clock=Clock())
    assert budget.work + budget.closing <= 8.0
