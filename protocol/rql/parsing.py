"""Reading RQL: one recursive descent over the grammar of the Ditto documentation page *basic-rql*.

    query    = expr
    expr     = ("and" | "or" | "not") "(" expr { "," expr } ")"
             | ("exists" | "empty") "(" property ")"
             | ("eq" | "ne" | "gt" | "ge" | "lt" | "le" | "like" | "ilike") "(" property "," value ")"
             | "in" "(" property "," value { "," value } ")"

Blanks may stand around the whole query and around the queries inside ``and``, ``or`` and ``not``, and nowhere else but
in strings and keys. An error says where it is and what was expected there.

Departures from Ditto's Java: ``not`` takes several queries, and then says that none of them holds, as the
documentation of its hosted product writes it; ``namespace`` and ``_namespace`` both work everywhere; ``features`` and
``_metadata`` as a whole may be asked for by ``exists`` and ``empty``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final, TypeAlias, get_args

from protocol.errors import RqlExpressionInvalid
from protocol.rql.literals import Fault, read_value
from protocol.rql.names import check_has_values, read_filter_property, read_property
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query, Relation, Value

MAX_LENGTH: Final = 16_384
"""Characters of one expression."""

MAX_DEPTH: Final = 32
"""Queries inside queries."""

MAX_REMEMBERED: Final = 1_024
"""Longer texts are read anew each time, so that nobody can fill the memory with their trees."""

_RELATIONS: Final[dict[str, Relation]] = {name: name for name in get_args(Relation)}
_LOGIC: Final[dict[str, Callable[[tuple[Query, ...]], Query]]] = {"and": And, "or": Or, "not": Not}
_TESTS: Final[dict[str, Callable[[Property], Query]]] = {"exists": Exists, "empty": Empty}
_OPERATORS: Final = (*_LOGIC, *_RELATIONS, "in", *_TESTS)
ReadProperty: TypeAlias = Callable[[str, int, Fault], tuple[Property, int]]

_name = re.compile(r"[A-Za-z]*")
_blanks = re.compile(r"[ \t\r\n]*")


def parse_query(text: str) -> Query:
    """The query that the text spells. Raises ``RqlExpressionInvalid`` (400) with the place and what was expected."""
    return _remembered(text) if len(text) <= MAX_REMEMBERED else _parsed(text)


def parse_filter(text: str) -> Query:
    """Like ``parse_query``, for filters of events and messages: they may use placeholders such as ``topic:action``.

    To match it, a document has a member of that very name, beside those of a thing.
    """
    return _remembered_filter(text) if len(text) <= MAX_REMEMBERED else _parsed(text, read_filter_property)


def _parsed(text: str, read: ReadProperty = read_property) -> Query:
    if len(text) > MAX_LENGTH:
        raise RqlExpressionInvalid(f"The expression has {len(text)} characters; {MAX_LENGTH} are the limit.")
    reader = _Reader(text, read)
    query = reader.query(depth=0)
    if reader.at < len(text):
        raise reader.fault("the end of the expression")
    return query


_remembered = lru_cache(maxsize=1_024)(_parsed)
_remembered_filter = lru_cache(maxsize=1_024)(partial(_parsed, read=read_filter_property))


class _Reader:
    """A place in the text, moving forward."""

    def __init__(self, text: str, read: ReadProperty) -> None:
        self.text = text
        self.read_property = read
        self.at = 0

    def query(self, depth: int) -> Query:
        """The query that begins here."""
        if depth > MAX_DEPTH:
            raise self.fault(f"at most {MAX_DEPTH} levels of nesting")
        self._skip_blanks()
        start = self.at
        name = self._match(_name)
        if name not in _OPERATORS:
            self.at = start
            raise self.fault("one of " + ", ".join(_OPERATORS))
        self._take("(")
        found = self._logic(name, depth) if name in _LOGIC else self._statement(name)
        self._take(")")
        self._skip_blanks()
        return found

    def _logic(self, name: str, depth: int) -> Query:
        queries = [self.query(depth + 1)]
        while self._ahead(","):
            self._take(",")
            queries.append(self.query(depth + 1))
        return _LOGIC[name](tuple(queries))

    def _statement(self, name: str) -> Query:
        start = self.at
        subject, self.at = self.read_property(self.text, self.at, self.fault)
        if name in _TESTS:
            return _TESTS[name](subject)
        check_has_values(subject, start, self.fault)
        self._take(",")
        start = self.at
        values = [self._value()]
        if name == "in":
            while self._ahead(","):
                self._take(",")
                values.append(self._value())
            return In(subject, tuple(values))
        if name in {"like", "ilike"} and not isinstance(values[0], str):
            raise self.fault(f"a string as the pattern of {name}", start)
        return Comparison(_RELATIONS[name], subject, values[0])

    def _value(self) -> Value:
        value, self.at = read_value(self.text, self.at, self.fault)
        return value

    def _skip_blanks(self) -> None:
        self._match(_blanks)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None  # noqa: S101 - both patterns match the empty string
        self.at = found.end()
        return found[0]

    def _ahead(self, character: str) -> bool:
        return self.text.startswith(character, self.at)

    def _take(self, character: str) -> None:
        if not self._ahead(character):
            raise self.fault(f"'{character}'")
        self.at += 1

    def fault(self, expected: str, at: int | None = None) -> RqlExpressionInvalid:
        """The error for this place, or for ``at``."""
        place = self.at if at is None else at
        found = f"'{self.text[place]}'" if place < len(self.text) else "the end"
        before = self.text[max(place - 20, 0) : place]
        return RqlExpressionInvalid(
            f"The expression does not parse at position {place + 1}: found {found}, expected {expected}.",
            f"The error comes right after: …{before}" if before else None,
        )
