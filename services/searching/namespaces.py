"""The namespaces that a search names."""

from __future__ import annotations

import re
from typing import Final

from protocol.errors import SearchNamespacesInvalid

_namespace: Final = re.compile(r"[a-zA-Z]\w*(?:[.-][a-zA-Z]\w*)*", re.ASCII)


def check_namespaces(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The names themselves; ``SearchNamespacesInvalid`` if one is no namespace."""
    for name in names or ():
        if _namespace.fullmatch(name) is None:
            raise SearchNamespacesInvalid(f"'{name[:200]}' is not a namespace.")
    return names
