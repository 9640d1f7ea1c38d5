"""Reading RQL: one recursive descent over the grammar of the Ditto documentation page *basic-rql*.

    query    = expr
    expr     = ("and" | "or" | "not") "(" expr { "," expr } ")"
             | ("exists" | "empty") "(" property ")"
             | ("eq" | "ne" | "gt" | "ge" | "lt" | "le" | "like" | "ilike") "(" property "," value ")"
             | "in" "(" property "," value { "," value } ")"

Blanks may stand around the whole query and around the queries inside ``and``, ``or`` and ``not``, and nowhere else but
in strings. An error says where it is and what was expected there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, get_args

from protocol.errors import RqlExpressionInvalid
from protocol.rql.literals import read_value
from protocol.rql.names import read_property
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query, Relation, Value

MAX_LENGTH: Final = 16_384
MAX_DEPTH: Final = 32

_RELATIONS: Final[dict[str, Relation]] = {name: name for name in get_args(Relation)}
_LOGIC: Final[dict[str, Callable[[tuple[Query, ...]], Query]]] = {"and": And, "or": Or, "not": Not}
_TESTS: Final[dict[str, Callable[[Property], Query]]] = {"exists": Exists, "empty": Empty}
_OPERATORS: Final = (*_LOGIC, *_RELATIONS, "in", *_TESTS)
_name = re.compile(r"[A-Za-z]*")
_blanks = re.compile(r"[ \t\r\n]*")


@lru_cache(maxsize=4_096)
def parse_query(text: str) -> Query:
    """The query that the text spells. Raises ``RqlExpressionInvalid`` (400) with the place and what was expected."""
    if len(text) > MAX_LENGTH:
        raise RqlExpressionInvalid(f"The expression has {len(text)} characters; {MAX_LENGTH} are the limit.")
    reader = _Reader(text)
    query = reader.query(depth=0)
    if reader.at < len(text):
        raise reader.fault("the end of the expression")
    return query


class _Reader:
    """A place in the text, moving forward."""

    def __init__(self, text: str) -> None:
        self.text = text
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
        subject = self._property()
        if name in _TESTS:
            return _TESTS[name](subject)
        self._take(",")
        values = [self._value()]
        if name == "in":
            while self._ahead(","):
                self._take(",")
                values.append(self._value())
            return In(subject, tuple(values))
        if name in {"like", "ilike"} and not isinstance(values[0], str):
            raise self.fault(f"a string as the pattern of {name}, before here")
        return Comparison(_RELATIONS[name], subject, values[0])

    def _property(self) -> Property:
        subject, self.at = read_property(self.text, self.at, self.fault)
        return subject

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
