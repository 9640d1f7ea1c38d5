"""The one who writes a policy, named without being known: ``{{ request:subjectId }}`` as a subject id.

It stands for the first authenticated subject of the caller and is put in before anything is judged or stored, so that a
revoke on one's own subject cannot be gone around. Source: Ditto documentation, page *basic-placeholders*.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from protocol.errors import PlaceholderNotResolvable
from protocol.signals import Command

_EXPRESSION: Final = re.compile(r"\{\{([^{}]*)\}\}|\$\{([^{}]*)\}")
_NAMES: Final = frozenset({"request:subjectId", "request.subjectId"})
"""The placeholder, and its name of old, which Ditto takes in either pair of braces."""


def substituted(subject_id: str, caller: str) -> str:
    """The subject id with the caller put in; ``PlaceholderNotResolvable`` for any other placeholder."""
    if "{" not in subject_id:
        return subject_id

    def value(match: re.Match[str]) -> str:
        name = (match[1] if match[2] is None else match[2]).strip()
        if name not in _NAMES:
            raise PlaceholderNotResolvable(match[0], "The id of a subject may hold {{ request:subjectId }}.")
        return caller

    return _EXPRESSION.sub(value, subject_id)


def addressed(command: Command, caller: str) -> Command:
    """The command on a policy with the caller put into the path of a subject that is written."""
    path = command.path
    if command.verb != "modify" or len(path) != 4 or path[2] != "subjects":
        return command
    subject_id = substituted(path[3], caller)
    return command if subject_id == path[3] else replace(command, path=(*path[:3], subject_id))
