"""Paths in a policy. Unlike in a thing, the last key of some holds slashes: subject ids and resource keys do."""

from __future__ import annotations

from protocol.errors import UnknownPath
from protocol.pointers import Pointer

_REST_IS_ONE_KEY = ("subjects", "resources")


def parse_policy_path(text: str) -> Pointer:
    """The keys of a path such as ``/entries/owner/resources/thing:/features/a``: everything after it is one key.

    ``/imports/<policyId>`` and labels are single segments. Raises ``UnknownPath`` for a path with an empty segment.
    Source: Ditto documentation, page *protocol-specification-policies*.
    """
    if text in {"", "/"}:
        return ()
    segments = text.removeprefix("/").split("/")
    if len(segments) > 3 and segments[0] == "entries" and segments[2] in _REST_IS_ONE_KEY:
        segments[3:] = ["/".join(segments[3:])]
    if "" in segments:
        raise UnknownPath(text)
    return tuple(segments)


def policy_path_text(path: Pointer) -> str:
    """The text of a policy path; inverse of ``parse_policy_path``."""
    return "/" + "/".join(path)
