"""How many requests one caller may send: token buckets (as in RFC 2697, with one bucket) per address and per subject.

The address counts before anything is computed for a request, so that guessing passwords is slow; the subject counts
once it is known, so that one caller with many addresses gets no more. Memory is bounded: of ``CALLERS_MAX`` callers the
one that was quiet the longest is forgotten, whose bucket is the fullest.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

from protocol.errors import TooManyRequests

CALLERS_MAX: Final = 65_536


class Throttle:
    """A bucket per caller: ``rate`` requests per second, and as many at once as come together in ``burst_seconds``."""

    def __init__(
        self,
        rate: float,
        *,
        time: Callable[[], float],
        burst_seconds: float = 2.0,
        callers_max: int = CALLERS_MAX,
    ) -> None:
        """``time`` is a monotonic clock in seconds."""
        self._rate = rate
        self._burst = max(1.0, rate * burst_seconds)
        self._time = time
        self._callers_max = callers_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str) -> None:
        """Count a request; ``TooManyRequests`` with the seconds to wait if the bucket is empty."""
        now = self._time()
        left, at = self._buckets.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        enough = left >= 1.0
        self._buckets[caller] = (left - 1.0 if enough else left, now)
        if len(self._buckets) > self._callers_max:
            self._buckets.popitem(last=False)
        if not enough:
            raise TooManyRequests(
                f"More than {self._rate:g} requests per second came from you.",
                retry_after=math.ceil((1.0 - left) / self._rate),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttles:
    """What is counted; None is not."""

    address: Throttle | None = None
    subject: Throttle | None = None

    def arrived(self, address: str | None) -> None:
        """A request came from this address. Of IPv6 the network counts, since one host has a whole one."""
        if self.address is not None:
            self.address.take(_network(address or ""))

    def identified(self, subject: str) -> None:
        """It is this subject's."""
        if self.subject is not None:
            self.subject.take(subject)


UNTHROTTLED: Final = Throttles()


@lru_cache(maxsize=4_096)
def _network(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Network((parsed, 64), strict=False))
    return str(parsed)
