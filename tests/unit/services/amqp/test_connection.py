"""How long a link waits before it tries again."""

from services.amqp.connection import Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first=0.1, longest=1.0)
    assert [backoff.pause(failures, 0.0) for failures in (1, 2, 3, 4, 5, 500)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_chance_shortens_a_wait_by_up_to_half() -> None:
    assert Backoff(first=1.0).pause(1, 0.999) > 0.5
