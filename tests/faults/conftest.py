"""Chance that can be repeated, and a voice that says what happened."""

from __future__ import annotations

import os
import random
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
Tell = Callable[[str], None]


LONGEST_SECONDS = 900
"""Every wait in these tests has a deadline of its own that says what was waited for; this one is behind them all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.get_closest_marker("soak") is None:
            item.add_marker(pytest.mark.timeout(LONGEST_SECONDS))


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Says a line: seen at once under ``make soak``, else with the report of a failure."""

    def say(line: str) -> None:
        sys.stdout.write(f"\n  {request.node.name}: {line}")
        sys.stdout.flush()

    return say


@pytest.fixture
def chance(request: pytest.FixtureRequest, tell: Tell) -> random.Random:
    """Randomness with a seed that is printed: the same one each time, a new one under ``make soak``.

    TWINLOG_FAULTS_SEED repeats one.
    """
    soaking = request.node.get_closest_marker("soak") is not None
    seed = int(os.environ.get("TWINLOG_FAULTS_SEED") or (secrets.randbelow(1_000_000) if soaking else 1))
    tell(f"TWINLOG_FAULTS_SEED={seed}")
    return random.Random(seed)  # noqa: S311  (no secret)


@pytest.fixture
def rounds() -> int:
    """How often a soak repeats its fault: TWINLOG_SOAK_ROUNDS, 25 if not said."""
    return int(os.environ.get("TWINLOG_SOAK_ROUNDS") or 25)
