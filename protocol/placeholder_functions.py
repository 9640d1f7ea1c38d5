"""What may stand behind a placeholder: ``{{ jwt:scope | fn:split(' ') | fn:filter('like','farm-*') | fn:lower() }}``.

Each function takes the values that the one before gave, and gives values in turn; none where there is none to give. Its
arguments are texts in quotes or placeholders. ``fn:format`` is not among them. Source: Ditto documentation, page
*basic-placeholders*.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote_plus, unquote_plus

from protocol.errors import (
    PlaceholderFunctionSignatureInvalid,
    PlaceholderFunctionTooComplex,
    PlaceholderFunctionUnknown,
    PlaceholderNotResolvable,
)
from protocol.rql.patterns import is_like

FUNCTIONS_MAX: Final = 10

Values: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``prefix:name``."""

    prefix: str
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What stands between double braces: a placeholder, and the functions that its values go through."""

    start: Placeholder | None
    calls: tuple[Call, ...]

    @property
    def placeholders(self) -> list[Placeholder]:
        """All of them, those in arguments included."""
        inside = [argument for call in self.calls for argument in call.arguments if isinstance(argument, Placeholder)]
        return inside if self.start is None else [self.start, *inside]

    def values(self, resolve: Callable[[Placeholder], Values]) -> Values:
        """What comes out in the end."""
        values = () if self.start is None else resolve(self.start)
        for call in self.calls:
            if call.name == "delete":
                return ()
            given = [_only(resolve(each)) if isinstance(each, Placeholder) else each for each in call.arguments]
            values = tuple(filter(None, _FUNCTIONS[call.name](values, given)))
        return values


_PIECE: Final = r"""(?:[^|,'"]|'[^']*'|"[^"]*")"""
_STAGES: Final = re.compile(rf"(?:{_PIECE}|,)+")
_ARGUMENTS: Final = re.compile(rf"{_PIECE}+")
_CALL: Final = re.compile(r"fn:([a-z0-9-]+)\s*\((.*)\)", re.DOTALL)
_TEXT: Final = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_PLACEHOLDER: Final = re.compile(r"([a-z-]+):\s*([^\s'\"|,()][^'\"|,()]*)")

_Given: TypeAlias = list[str | None]
_Function: TypeAlias = Callable[[Values, _Given], Values]


@lru_cache(maxsize=1_024)
def read_pipeline(text: str) -> Pipeline:
    """The pipeline that a text stands for.

    Raises ``PlaceholderNotResolvable`` for what is none, ``PlaceholderFunctionUnknown``, for wrong arguments
    ``PlaceholderFunctionSignatureInvalid``, for too many functions ``PlaceholderFunctionTooComplex``.
    """
    stages = _parts(_STAGES, "|", text)
    if not stages or not stages[0]:
        raise PlaceholderNotResolvable(text)
    first = None if stages[0].startswith("fn:") else _placeholder(stages[0])
    calls = stages if first is None else stages[1:]
    if len(calls) > FUNCTIONS_MAX:
        raise PlaceholderFunctionTooComplex(text)
    return Pipeline(first, tuple(map(_call, calls)))


def _parts(pattern: re.Pattern[str], separator: str, text: str) -> list[str] | None:
    """The parts between separators outside quotes, None if a quote is left open."""
    found = pattern.findall(text)
    return [part.strip() for part in found] if separator.join(found) == text else None


def _placeholder(text: str) -> Placeholder:
    found = _PLACEHOLDER.fullmatch(text)
    if found is None:
        raise PlaceholderNotResolvable(text)
    return Placeholder(found[1], found[2])


def _call(text: str) -> Call:
    found = _CALL.fullmatch(text)
    if found is None or found[1] not in ARITIES:
        raise PlaceholderFunctionUnknown(text)
    name, inside = found[1], found[2].strip()
    arguments = _parts(_ARGUMENTS, ",", inside) if inside else []
    if arguments is None or len(arguments) not in ARITIES[name]:
        raise PlaceholderFunctionSignatureInvalid(text)
    call = Call(name, tuple(map(_argument, arguments)))
    if (name == "split" and call.arguments == ("",)) or (
        name == "filter" and _comparison(list(call.arguments)) is None
    ):
        raise PlaceholderFunctionSignatureInvalid(text)
    return call


def _argument(text: str) -> str | Placeholder:
    found = _TEXT.fullmatch(text)
    return _placeholder(text) if found is None else found[1] or found[2] or ""


def _only(values: Values) -> str | None:
    return values[0] if values else None


def _each(change: Callable[..., str | None]) -> _Function:
    def function(values: Values, given: _Given) -> Values:
        return () if None in given else tuple(changed for value in values if (changed := change(value, *given)))

    return function


def _before(value: str, mark: str) -> str | None:
    return value.partition(mark)[0] if mark and mark in value else None


def _after(value: str, mark: str) -> str | None:
    return value.partition(mark)[2] if mark and mark in value else None


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _decoded(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _split(values: Values, given: _Given) -> Values:
    (separator,) = given
    return tuple(part for value in values for part in value.split(separator)) if separator else ()


def _join(values: Values, given: _Given) -> Values:
    (delimiter,) = given
    return (delimiter.join(values),) if delimiter is not None else ()


def _default(values: Values, given: _Given) -> Values:
    (fallback,) = given
    return values or (() if fallback is None else (fallback,))


def _filter(values: Values, given: _Given) -> Values:
    comparison = _comparison(given)
    if comparison is None:
        return ()
    of_value, operator, other = comparison
    if of_value:
        return values if _holds(given[0], operator, other) else ()
    return tuple(value for value in values if _holds(value, operator, other))


def _comparison(given: list[str | Placeholder] | _Given) -> tuple[bool, str, str | Placeholder | None] | None:
    """Whether a value is given to compare, the operator, and what to compare with; None for no comparison."""
    for place in (0, 1):
        operator, rest = given[place] if place < len(given) else None, given[place + 1 :]
        if operator == "exists" and len(rest) <= 1:
            return bool(place), "exists", rest[0] if rest else "true"
        if operator in {"eq", "ne", "like"} and len(rest) == 1:
            return bool(place), str(operator), rest[0]
    return None


def _holds(value: str | None, operator: str, other: str | Placeholder | None) -> bool:
    wanted = other if isinstance(other, str) else None
    match operator:
        case "exists":
            return (value is not None) == (wanted != "false")
        case "eq":
            return value is not None and value == wanted
        case "ne":
            return value != wanted
        case _:
            return value is not None and any(is_like(pattern, value) for pattern in (wanted or "").split("|"))


_FUNCTIONS: Final[dict[str, _Function]] = {
    "lower": _each(str.lower),
    "upper": _each(str.upper),
    "trim": _each(str.strip),
    "url-encode": _each(quote_plus),
    "url-decode": _each(unquote_plus),
    "base64-encode": _each(_encoded),
    "base64-decode": _each(_decoded),
    "substring-before": _each(_before),
    "substring-after": _each(_after),
    "replace": _each(str.replace),
    "split": _split,
    "join": _join,
    "default": _default,
    "filter": _filter,
}

ARITIES: Final[dict[str, range]] = {
    **dict.fromkeys(("lower", "upper", "trim", "url-encode", "url-decode", "delete"), range(1)),
    **dict.fromkeys(("base64-encode", "base64-decode"), range(1)),
    **dict.fromkeys(("substring-before", "substring-after", "split", "join", "default"), range(1, 2)),
    "replace": range(2, 3),
    "filter": range(1, 4),
}
"""How many arguments each function takes."""
