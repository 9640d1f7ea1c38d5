"""Conditional commands: ``If-Match``, ``If-None-Match`` and ``if-equal``, the same for things and policies.

| header                 | resource | query | modify, merge, create | delete |
|------------------------|----------|-------|-----------------------|--------|
| ``If-Match: "x"``      | other    | 412   | 412                   | 412    |
| ``If-Match: "x", *``   | missing  | (404) | 412                   | (404)  |
| ``If-None-Match: "x"`` | same     | 304   | 412                   | 412    |
| ``If-None-Match: *``   | exists   | 304   | 412                   | 412    |

Source: Ditto documentation, page *httpapi-concepts*; the answers in brackets are given by the verb itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import HeaderInvalid, Precondition
from protocol.json import JsonValue, Missing, same
from protocol.signals import Command, Headers
from protocol.wire.etags import EntityTags

_WISHES = ("update", "skip", "skip-minimizing-merge")


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The preconditions of one kind of entity, with the two errors that it answers."""

    failed: type[Precondition]
    not_modified: type[Precondition]

    def check(self, command: Command, tag: str | None) -> None:
        """Raise what the table says for the current tag; ``None`` where there is no resource."""
        headers = command.headers
        if "if-match" in headers:
            self._check_if_match(command, str(headers["if-match"]), tag)
        if tag is not None and "if-none-match" in headers:
            self._check_if_none_match(command, str(headers["if-none-match"]), tag)

    def check_equal(self, command: Command, before: JsonValue | Missing, after: JsonValue) -> None:
        """Raise ``failed`` when nothing would change and the sender asked to skip that."""
        if if_equal(command.headers) == "skip" and not isinstance(before, Missing) and same(before, after):
            raise self.failed("if-equal", "skip", None)

    def _check_if_match(self, command: Command, wanted: str, tag: str | None) -> None:
        if tag is None:
            if command.verb not in {"retrieve", "delete"}:
                raise self.failed("if-match", wanted, None)
        elif not EntityTags.parse(wanted).matches(tag):
            raise self.failed("if-match", wanted, tag)

    def _check_if_none_match(self, command: Command, unwanted: str, tag: str) -> None:
        if EntityTags.parse(unwanted, "if-none-match").matches(tag):
            error = self.not_modified if command.verb == "retrieve" else self.failed
            raise error("if-none-match", unwanted, tag)


def if_equal(headers: Headers) -> str:
    """What to do with a change that changes nothing: ``update``, ``skip`` or ``skip-minimizing-merge``."""
    wish = headers.get("if-equal", "update")
    if wish not in _WISHES:
        raise HeaderInvalid("if-equal", "update, skip or skip-minimizing-merge", wish)
    return str(wish)
