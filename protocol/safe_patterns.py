"""Regular expressions from strangers, matched in bounded time.

Ditto lets a merge patch delete members by a regular expression. Python's ``re`` backtracks, so that one short pattern
such as ``(a+)+b`` can hold the process for hours. Bounding lengths does not help against that. What helps is to know
before matching in how many ways a pattern can be laid over a text: here a pattern may not repeat what itself repeats
or branches, and the product of its choices, times the text's length, is the bound of the work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from protocol.errors import MergeInvalid

MAX_PATTERN_LENGTH: Final = 256

MAX_REPEATS: Final = 1000

MAX_STEPS: Final = 100_000_000
"""Less than a tenth of a second for all keys of one object together."""

_token = re.compile(
    r"""(?P<open>\((?:\?:|\?<[a-zA-Z][a-zA-Z0-9]*>)?(?!\?))
    |(?P<close>\))
    |(?P<bar>\|)
    |(?P<repeat>(?:[*+?]|\{(?P<low>\d+)(?P<comma>,(?P<high>\d*))?\})[?+]?)
    |(?P<atom>\\[^0-9a-zA-Z]|\\[dDwWsSbBtnrf]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}
        |\[\^?\]?(?:\\.|[^\]\[\\&|~-]|&(?!&)|\|(?!\|)|~(?!~)|-(?!-))*\]|[^\\\[\](){}|*+?])""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SafePattern:
    """A compiled pattern and what its backtracking can cost."""

    expression: re.Pattern[str]
    ways: int
    """In how many ways alternatives and bounded repeats can be chosen."""
    open_repeats: int
    """How many repeats have no end; together they can be laid over n characters in about n^k / k! ways."""

    def matches(self, texts: Iterable[str]) -> list[str]:
        """Those of the texts that match as a whole; ``MergeInvalid`` when finding out could take too long."""
        candidates = list(texts)
        layings = sum((len(text) + 1) ** self.open_repeats for text in candidates) // math.factorial(self.open_repeats)
        if layings * self.ways * len(self.expression.pattern) > MAX_STEPS:
            raise MergeInvalid(
                f"matching the expression '{self.expression.pattern}' could take too long",
                "Use fewer repetitions (*, +, ?) and alternatives, or name the keys.",
            )
        return [text for text in candidates if self.expression.fullmatch(text)]


@dataclass(slots=True)
class _Group:
    """A group while it is read: ways of its finished branches, of the current branch, and of its last atom."""

    branches: int = 0
    ways: int = 1
    open_repeats: int = 0
    last: tuple[int, int] | None = None
    """Ways and open repeats of the atom that a quantifier would repeat; none at the start and after a quantifier."""

    def take(self, ways: int, open_repeats: int) -> None:
        self.settle()
        self.last = (ways, open_repeats)

    def settle(self) -> None:
        if self.last is not None:
            self.ways *= self.last[0]
            self.open_repeats += self.last[1]
            self.last = None

    def branch(self) -> None:
        self.settle()
        self.branches += self.ways
        self.ways = 1


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> SafePattern:
    r"""The pattern, or ``MergeInvalid`` if it is none, is too long, or uses what cannot be bounded.

    Known are literals, ``.``, character classes, groups, alternatives and quantifiers in the syntax of Java; not known
    are look-around, back references, flags, class intersections and ``\p{...}``.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise MergeInvalid(f"an expression has more than {MAX_PATTERN_LENGTH} characters")
    ways, open_repeats = _choices(pattern)
    try:
        expression = re.compile(pattern.replace("(?<", "(?P<"), re.DOTALL)
    except (re.error, OverflowError) as error:
        raise _unusable(pattern, str(error)) from None
    return SafePattern(expression, ways, open_repeats)


def _choices(pattern: str) -> tuple[int, int]:
    """In how many ways the pattern can match, apart from repeats without an end, and how many of those it has."""
    stack = [_Group()]
    position = 0
    while position < len(pattern):
        match = _token.match(pattern, position)
        if match is None:
            raise _unusable(pattern, f"character {position + 1} begins something that is not supported")
        position = match.end()
        _read(match, stack, pattern)
    if len(stack) != 1:
        raise _unusable(pattern, "a parenthesis is not closed")
    return _close(stack[0])


def _read(match: re.Match[str], stack: list[_Group], pattern: str) -> None:
    group = stack[-1]
    match match.lastgroup:
        case "open":
            group.settle()
            stack.append(_Group())
        case "close" if len(stack) > 1:
            stack.pop()
            stack[-1].take(*_close(group))
        case "bar":
            group.branch()
        case "atom":
            group.take(1, 0)
        case "repeat" if group.last == (1, 0) and int(match["high"] or match["low"] or 0) <= MAX_REPEATS:
            group.last = None
            _repeat(match, group)
        case "repeat":
            raise _unusable(pattern, "it repeats nothing, too often, or what has repeats or alternatives itself")
        case _:
            raise _unusable(pattern, "a parenthesis is closed that was not opened")


def _repeat(match: re.Match[str], group: _Group) -> None:
    """Count the choices of a repeat: two at least, even of ``{3}``, so that what has repeats is never repeated."""
    if match[0][0] in "*+" or (match["comma"] and not match["high"]):
        group.open_repeats += 1
    elif match["high"]:
        group.ways *= max(2, int(match["high"]) - int(match["low"]) + 1)
    else:
        group.ways *= 2


def _close(group: _Group) -> tuple[int, int]:
    group.branch()
    return group.branches, group.open_repeats


def _unusable(pattern: str, reason: str) -> MergeInvalid:
    return MergeInvalid(f"the expression '{pattern}' cannot be used: {reason}")
