from __future__ import annotations

import pytest

from protocol.errors import TooManyRequests
from services.http.throttle import UNTHROTTLED, Throttle, Throttles


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def wait_told(throttle: Throttle, caller: str) -> object:
    with pytest.raises(TooManyRequests) as refused:
        throttle.take(caller)
    return refused.value.headers["retry-after"]


def test_a_burst_goes_through_and_then_so_many_per_second(clock: Clock) -> None:
    throttle = Throttle(10, time=clock, burst_seconds=2)
    for _ in range(20):
        throttle.take("a")
    assert wait_told(throttle, "a") == 1
    clock.seconds += 0.5
    for _ in range(5):
        throttle.take("a")
    assert wait_told(throttle, "a") == 1


def test_who_was_away_for_long_has_a_burst_and_no_more(clock: Clock) -> None:
    throttle = Throttle(10, time=clock, burst_seconds=2)
    throttle.take("a")
    clock.seconds += 3_600
    for _ in range(20):
        throttle.take("a")
    assert wait_told(throttle, "a") == 1


def test_a_slow_rate_says_how_long_to_wait(clock: Clock) -> None:
    throttle = Throttle(0.1, time=clock)
    throttle.take("a")
    assert wait_told(throttle, "a") == 10
    clock.seconds += 4
    assert wait_told(throttle, "a") == 6
    clock.seconds += 6
    throttle.take("a")


def test_to_be_refused_costs_nothing_more(clock: Clock) -> None:
    throttle = Throttle(1, time=clock, burst_seconds=1)
    throttle.take("a")
    for _ in range(50):
        wait_told(throttle, "a")
    clock.seconds += 1
    throttle.take("a")


def test_callers_do_not_pay_for_each_other_and_the_quietest_is_forgotten(clock: Clock) -> None:
    throttle = Throttle(1, time=clock, burst_seconds=1, callers_max=2)
    for caller in "ab":
        throttle.take(caller)
    wait_told(throttle, "a")
    throttle.take("c")
    wait_told(throttle, "a")
    throttle.take("b")
    assert len(throttle) == 2


def test_ipv6_counts_by_network_and_ipv4_by_host(clock: Clock) -> None:
    throttles = Throttles(address=Throttle(1, time=clock, burst_seconds=1))
    throttles.arrived("2001:db8::1")
    for same in ("2001:db8::2", "2001:db8::ffff:1%eth0"):
        with pytest.raises(TooManyRequests):
            throttles.arrived(same)
    for other in ("2001:db8:0:1::1", "10.0.0.1", "10.0.0.2", "::ffff:10.0.0.3", None, "no address"):
        throttles.arrived(other)


def test_what_is_not_throttled_is_not_counted() -> None:
    for _ in range(1_000):
        UNTHROTTLED.arrived("10.0.0.1")
        UNTHROTTLED.identified("a:b")
