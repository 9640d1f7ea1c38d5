"""Errors of the search."""

from __future__ import annotations

from protocol.errors.base import DittoError


class SearchQueryTimeExceeded(DittoError):
    """The query took longer than its limit."""

    code = "thing-search:query.time.exceeded"
    status = 408
    hint = "Narrow the filter or the namespaces."

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The query took longer than {seconds:g} s.")


class SearchFieldNotIndexed(DittoError):
    """A property that the SearchIndex of a searched namespace does not hold (ours: Ditto finds nothing instead).

    ``namespaces`` must be such that the caller knows of them already.
    """

    code = "thing-search:search.field.notindexed"
    status = 400
    hint = (
        "Leave these namespaces or fields out, or have the operator add the fields to the search index of each: "
        "PUT /api/2/namespaces/<namespace>/search-index."
    )

    def __init__(self, fields: tuple[str, ...], namespaces: tuple[str, ...]) -> None:
        super().__init__(
            f"The search index of the namespaces {_listed(namespaces)} does not hold (yet) all of {_listed(fields)}."
        )
        self.extras = {"fields": list(fields), "namespaces": list(namespaces)}


class SearchIndexInvalid(DittoError):
    """The fields of a SearchIndex that cannot be (ours: Ditto has no such resource)."""

    code = "thing-search:search.index.invalid"
    status = 400
    hint = (
        'Send {"fields": [...]} with pointers such as attributes/room, features/*/properties/temperature, _modified; '
        'or {"fields": "default"}, or {"fields": "all"}.'
    )

    def __init__(self, reason: str) -> None:
        super().__init__(f"The search index cannot be set: {reason}.")


class SearchNamespacesInvalid(DittoError):
    """A namespace that cannot be searched."""

    code = "thing-search:search.namespaces.invalid"
    status = 400
    hint = "Give a comma separated list of namespaces."


class SearchOptionInvalid(DittoError):
    """An unknown or malformed option, a size out of range, or a cursor that does not fit."""

    code = "thing-search:search.option.invalid"
    status = 400
    hint = "Use sort(+path,-path), size(1 to 200) and cursor(...)."

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"The search option '{option[:200]}' cannot be used: {reason}.")


class SearchAggregateInvalid(DittoError):
    """Something to group by or to compute that cannot be understood. Beyond Ditto."""

    code = "thing-search:search.aggregate.invalid"
    status = 400
    hint = "Write for example: group=attributes/state&select=count,avg(features/t/properties/value)"

    def __init__(self, parameter: str, text: str, at: int, expected: str) -> None:
        found = f"'{text[at]}'" if at < len(text) else "the end"
        before = text[max(at - 20, 0) : at]
        super().__init__(
            f"The '{parameter}' does not parse at position {at + 1}: found {found}, expected {expected}.",
            f"The error comes right after: …{before}" if before else None,
        )


class SearchSubscriptionAborted(DittoError):
    """A search subscription failed in the service."""

    code = "thing-search:subscription.aborted"
    status = 500


class SearchSubscriptionNotFound(DittoError):
    """``request`` or ``cancel`` for a search subscription that does not exist."""

    code = "thing-search:subscription.not.found"
    status = 404
    hint = "Subscribe anew; idle subscriptions end by themselves."

    def __init__(self, subscription_id: str) -> None:
        super().__init__(f"There is no search subscription '{subscription_id[:200]}'.")


class SearchSubscriptionProtocolError(DittoError):
    """A rule of the streaming protocol was broken."""

    code = "thing-search:subscription.protocol.error"
    status = 400
    hint = "Request a positive number of pages, and nothing after the end."


class SearchSubscriptionTimeout(DittoError):
    """A search subscription was idle for too long."""

    code = "thing-search:subscription.timeout"
    status = 408
    hint = "Subscribe anew and request pages without long pauses."

    def __init__(self, subscription_id: str) -> None:
        super().__init__(f"The search subscription '{subscription_id[:200]}' was idle for too long.")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name[:200]}'" for name in names)
