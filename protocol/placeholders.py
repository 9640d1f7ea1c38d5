"""Templates such as ``integration:{{policy-entry:label}}:{{jwt:aud}}`` and what becomes of them.

A placeholder may have several values (an array in a token); then the template stands for several texts. Source: Ditto
documentation, page *basic-placeholders*. The functions of its pipelines (``fn:``) are not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Final, TypeAlias

from protocol.errors import PlaceholderNotResolvable, PlaceholderUnresolved
from protocol.json import JsonValue

TEXTS_MAX: Final = 100
"""Most texts that one template may stand for; arrays multiply."""

Values: TypeAlias = tuple[str, ...]
Resolve: TypeAlias = Callable[[str], Values]
"""Takes the name behind a prefix, ``sub`` of ``jwt:sub``; gives its values, none if there are none."""

_EXPRESSION: Final = re.compile(r"\{\{([^{}]*)\}\}")


def expand(template: str, prefixes: Mapping[str, Resolve]) -> Values:
    """Every text that the template stands for, in order and without doubles.

    Raises ``PlaceholderNotResolvable`` for a placeholder that does not exist, ``PlaceholderUnresolved`` for one that
    has no value here, or more of them than are good.
    """
    pieces: list[Values] = []
    place = 0
    for match in _EXPRESSION.finditer(template):
        pieces.append((template[place : match.start()],))
        pieces.append(_values(match, prefixes))
        place = match.end()
    pieces.append((template[place:],))
    if "{{" in pieces[-1][0]:
        raise PlaceholderNotResolvable(template)
    count = 1
    for piece in pieces:
        count *= len(piece)
    if count > TEXTS_MAX:
        raise PlaceholderUnresolved(template, f"The template stands for more than {TEXTS_MAX} texts.")
    return tuple(dict.fromkeys("".join(texts) for texts in product(*pieces)))


def claim_values(claims: JsonValue, path: str) -> Values:
    """The values of ``jwt:<path>``: a claim of that name, or one nested as the slashes say; arrays give each element.

    Objects and null have no value.
    """
    if isinstance(claims, list):
        return tuple(value for item in claims for value in claim_values(item, path))
    if not isinstance(claims, dict):
        return ()
    if path in claims:
        return _texts(claims[path])
    head, slash, rest = path.partition("/")
    return claim_values(claims[head], rest) if slash and head in claims else ()


def _texts(value: JsonValue) -> Values:
    match value:
        case str():
            return (value,) if value else ()
        case bool():
            return ("true" if value else "false",)
        case int() | float():
            return (str(value),)
        case list():
            return tuple(text for item in value for text in _texts(item))
        case _:
            return ()


def _values(match: re.Match[str], prefixes: Mapping[str, Resolve]) -> Values:
    prefix, _, name = match[1].strip().partition(":")
    resolve = prefixes.get(prefix)
    if resolve is None or not name or "|" in name:
        raise PlaceholderNotResolvable(match[0])
    values = resolve(name)
    if not values:
        raise PlaceholderUnresolved(match[0])
    return values
