"""What all errors share: code, status, wording, the JSON they become, and the four shapes that many of them have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Self

from protocol.json_types import JsonObject, JsonValue

NOTHING: Final[Mapping[str, JsonValue]] = {}


class DittoError(Exception):
    """The root of the catalogue. Raised inside, printed by the edge that the request came from.

    ``hint`` is the description unless one is given. ``headers`` belong to the answer (the entity tag of a 412, the
    ``retry-after`` of a 503), ``extras`` are members that only this error's body has. Codes that occur with several
    statuses set ``status`` on the instance.
    """

    code: ClassVar[str] = "internalerror"
    status: int = 500
    hint: ClassVar[str | None] = "This is a fault of the service. Try again; if it stays, tell the operator."
    href: ClassVar[str | None] = None
    headers: Mapping[str, JsonValue] = NOTHING
    extras: Mapping[str, JsonValue] = NOTHING

    def __init__(self, message: str, description: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.description = self.hint if description is None else description

    def to_json(self) -> JsonObject:
        """The error body of the Ditto documentation page *basic-errors*; absent members are left out, never null."""
        body: JsonObject = {"status": self.status, "error": self.code, "message": self.message}
        if self.description is not None:
            body["description"] = self.description
        if self.href is not None:
            body["href"] = self.href
        return body | dict(self.extras)


class NotFound(DittoError):
    """A part of an entity is missing, or hidden from who asks; the two look the same on purpose."""

    status = 404
    hint = "Check the identifier and the path, and that your subject may READ it."
    what: ClassVar[str]

    def __init__(self, entity_id: str, path: str = "/", *, description: str | None = None) -> None:
        super().__init__(f"The {self.what} was not found: '{_place(entity_id, path)}'.", description)
        self.entity_id = entity_id
        self.path = path


class NotModifiable(DittoError):
    """A part of an entity may be read but not written by who asks."""

    status = 403
    hint = "Ask an owner of the policy for WRITE on this resource and everything below it."
    what: ClassVar[str]

    def __init__(self, entity_id: str, path: str = "/", *, description: str | None = None) -> None:
        super().__init__(f"You may not modify the {self.what} '{_place(entity_id, path)}'.", description)
        self.entity_id = entity_id
        self.path = path


class Precondition(DittoError):
    """A conditional header decided the outcome; the answer carries the current entity tag when there is one."""

    hint = "Read the resource again, take its current ETag, and decide anew."

    def __init__(self, header: str, expected: str, actual: str | None) -> None:
        self._decided = f"The precondition {header}: {expected} decided the request"
        found = "the resource does not exist" if actual is None else f"the current entity tag is {actual}"
        super().__init__(f"{self._decided}: {found}.")
        if actual is not None:
            self.headers = {"etag": actual}

    def without_tag(self) -> Self:
        """The same for a caller who may not read what the tag is of: it would let him try which value it could be."""
        if "etag" in self.headers:
            self.message = f"{self._decided}."
            self.headers = {}
        return self


class TooLarge(DittoError):
    """Something exceeds its size limit; sizes are in the unit that the limit is defined in."""

    status = 413
    what: ClassVar[str]

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The {self.what} would have a size of {size}, but {limit} is the limit.",
            "Send less, or split the content over several entities.",
        )
        self.size = size
        self.limit = limit


class Unavailable(DittoError):
    """Something is out of reach for the moment; ``retry_after`` is in seconds."""

    status = 503
    hint = "Nothing was changed unless you were told so before. Try again after a moment."

    def __init__(self, message: str, description: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(message, description)
        if retry_after is not None:
            self.headers = {"retry-after": retry_after}


def _place(entity_id: str, path: str) -> str:
    return entity_id if path == "/" else entity_id + path
