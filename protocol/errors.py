"""Everything a client may be told went wrong: one class per error, with code, status and wording.

Source of codes and statuses: the Ditto error catalogue (documentation page *basic-errors* and the exception classes).
"""

from __future__ import annotations

from typing import ClassVar


class DittoError(Exception):
    """The root of the catalogue. Raised inside, printed by the edge that the request came from."""

    code: ClassVar[str] = "internalerror"
    status: int = 500

    def __init__(self, message: str, description: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.description = description
