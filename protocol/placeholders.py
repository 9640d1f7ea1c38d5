"""Templates such as ``integration:{{policy-entry:label}}:{{jwt:aud}}`` and what becomes of them.

A placeholder may have several values (an array in a token); then the template stands for several texts. Functions may
follow it, ``{{ jwt:scope | fn:split(' ') }}``. Source: Ditto documentation, page *basic-placeholders*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from itertools import product
from typing import Final, TypeAlias

from protocol.errors import PlaceholderNotResolvable, PlaceholderTooManyTexts, PlaceholderUnresolved
from protocol.json import JsonValue
from protocol.placeholder_functions import Placeholder, Values, read_pipeline

TEXTS_MAX: Final = 100
"""Most texts that one template may stand for; arrays multiply."""

Resolve: TypeAlias = Callable[[str], Values]
"""Takes the name behind a prefix, ``sub`` of ``jwt:sub``; gives its values, none if there are none."""

_EXPRESSION: Final = re.compile(r"\{\{([^{}]*)\}\}")


def expand(template: str, prefixes: Mapping[str, Resolve]) -> Values:
    """Every text that the template stands for, in order and without doubles.

    Raises what ``check_template`` raises, ``PlaceholderUnresolved`` for an expression that has no value here, and
    ``PlaceholderTooManyTexts``.
    """
    check_template(template, prefixes)

    def resolve(placeholder: Placeholder) -> Values:
        return prefixes[placeholder.prefix](placeholder.name)

    pieces: list[Values] = []
    place, count = 0, 1
    for match in _EXPRESSION.finditer(template):
        values = tuple(dict.fromkeys(read_pipeline(match[1].strip()).values(resolve)))
        if not values:
            raise PlaceholderUnresolved(match[0])
        count *= len(values)
        if count > TEXTS_MAX:
            raise PlaceholderTooManyTexts(template, f"{TEXTS_MAX} texts are the limit.")
        pieces += [(template[place : match.start()],), values]
        place = match.end()
    pieces.append((template[place:],))
    return tuple(dict.fromkeys("".join(texts) for texts in product(*pieces)))


def check_template(template: str, prefixes: Collection[str]) -> None:
    """Return if a template can be read and holds placeholders of these prefixes only.

    Raises ``PlaceholderNotResolvable``, or what ``read_pipeline`` raises about functions.
    """
    if "{{" in _EXPRESSION.sub("", template):
        raise PlaceholderNotResolvable(template)
    for match in _EXPRESSION.finditer(template):
        for placeholder in read_pipeline(match[1].strip()).placeholders:
            if placeholder.prefix not in prefixes:
                raise PlaceholderNotResolvable(match[0])


def names_of(template: str, prefix: str) -> frozenset[str]:
    """The names that a template has behind a prefix; raises what ``check_template`` raises about functions."""
    pipelines = (read_pipeline(match[1].strip()) for match in _EXPRESSION.finditer(template))
    return frozenset(each.name for pipeline in pipelines for each in pipeline.placeholders if each.prefix == prefix)


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
    head, slash, rest = path.removeprefix("/").partition("/")
    if head == path:
        return ()
    return claim_values(claims.get(head), rest) if slash else _texts(claims.get(head))


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
