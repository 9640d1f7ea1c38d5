"""Benchmarks measure what they say."""

from __future__ import annotations

from tests.benchmarks.unenforced import REPLACED


def test_what_enforcement_is_measured_against_replaces_functions_that_are_there() -> None:
    for module, name, _ in REPLACED:
        assert callable(vars(module).get(name)), (module.__name__, name)
