"""``like`` and ``ilike`` in PostgreSQL's terms: ``*`` is any run, ``?`` exactly one character, all else itself."""

from __future__ import annotations

import re
from typing import Final

ESCAPE: Final = "\\"
_wild: Final = re.compile(r"[*?]")
_special: Final = re.compile(r"[%_\\]")
_runs: Final = re.compile(r"\*+")


def like(pattern: str) -> str:
    """The pattern for ``LIKE`` with ``ESCAPE``."""
    quoted = literal(_runs.sub("*", pattern))
    return quoted.replace("*", "%").replace("?", "_")


def literal(text: str) -> str:
    """Text that ``LIKE`` takes for itself."""
    return _special.sub(lambda found: ESCAPE + found[0], text)


def prefix(pattern: str) -> str:
    """What every match begins with."""
    found = _wild.search(pattern)
    return pattern if found is None else pattern[: found.start()]


def successor(text: str) -> str | None:
    """The least text above everything that begins with ``text``; none if there is no such."""
    for place in range(len(text) - 1, -1, -1):
        following = ord(text[place]) + 1
        if following <= 0x10FFFF:
            return text[:place] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)
    return None


def ignoring_case(pattern: str) -> str:
    """A regular expression for a whole match whatever the case.

    Both cases are written out, because what ``ILIKE`` knows of letters depends on the database's locale.
    """
    return "^" + "".join(map(_either_case, _runs.sub("*", pattern))) + "$"


def _either_case(character: str) -> str:
    if character == "*":
        return ".*"
    if character == "?":
        return "."
    cases = sorted({case for case in (character, character.lower(), character.upper()) if len(case) == 1})
    if len(cases) > 1:
        return f"[{''.join(cases)}]"
    return character if character.isalnum() or ord(character) > 0x7F else f"\\x{ord(character):04x}"
