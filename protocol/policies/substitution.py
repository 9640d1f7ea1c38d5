"""The placeholder ``{{ request:subjectId }}`` in subject ids: the caller who writes the policy.

It stands for the caller's default subject and is replaced before anything is authorized or stored, so that it cannot be
used to get around a revoke on the caller's own subject. Source: Ditto documentation, page *basic-placeholders*.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from protocol.errors import PlaceholderNotResolvable
from protocol.signals import Command

_EXPRESSION: Final = re.compile(r"\{\{([^{}]*)\}\}|\$\{([^{}]*)\}")
_NAMES: Final = frozenset({"request:subjectId", "request.subjectId"})
"""The placeholder and its deprecated spelling; Ditto accepts both in either kind of braces."""


def substitute_caller(subject_id: str, caller: str) -> str:
    """The subject id with the caller in place of the placeholder; ``PlaceholderNotResolvable`` for any other one."""
    if "{" not in subject_id:
        return subject_id

    def value(match: re.Match[str]) -> str:
        name = (match[1] if match[2] is None else match[2]).strip()
        if name not in _NAMES:
            raise PlaceholderNotResolvable(match[0], "The id of a subject may hold {{ request:subjectId }}.")
        return caller

    return _EXPRESSION.sub(value, subject_id)


def substitute_caller_in_path(command: Command, caller: str) -> Command:
    """The command with the placeholder replaced in its path, if it writes a single subject."""
    path = command.path
    if command.verb != "modify" or len(path) != 4 or path[2] != "subjects":
        return command
    subject_id = substitute_caller(path[3], caller)
    return command if subject_id == path[3] else replace(command, path=(*path[:3], subject_id))
