"""Answers that have no error code: what Ditto's HTTP layer refuses in plain text before any signal exists."""

from __future__ import annotations

from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = {}


class PlainRefusal(Exception):
    """A refusal by status and one line of text, as Ditto's gateway answers before a request becomes a signal."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def unknown_route() -> PlainRefusal:
    """Nothing is at this path."""
    return PlainRefusal(404, "The requested resource could not be found.")


def wrong_method(method: str, allowed: str) -> PlainRefusal:
    """Something is there, but not for this method; ``allowed`` goes into ``Allow`` (RFC 9110 section 15.5.6)."""
    return PlainRefusal(405, f"The method {method[:40]} cannot be used here, but {allowed} can.", {"Allow": allowed})


def bad_uri(reason: str) -> PlainRefusal:
    """The URI itself cannot be read."""
    return PlainRefusal(400, f"The request URI is not valid: {reason}.")


def body_too_large(limit: int) -> PlainRefusal:
    """The request body is longer than accepted; ``limit`` in bytes."""
    return PlainRefusal(413, f"The request body is longer than {limit} bytes.")
