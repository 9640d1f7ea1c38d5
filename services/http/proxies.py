"""Whose request it is when it comes through proxies: the last address on its way that is no proxy of ours.

Each proxy adds the address that it was reached from at the end of ``Forwarded`` (RFC 7239) or ``X-Forwarded-For``, so
what stands before the entry of a stranger is what the stranger made up. Read from the end, only what a trusted proxy
has written counts.

A proxy that adds to one of the two headers mostly lets the other one through as the client sent it. Which of them is
the proxy's cannot be told from the request: where both are there and disagree, the address is that of the proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from aiohttp.web import BaseRequest

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

X_FORWARDED_FOR: Final = "X-Forwarded-For"
FORWARDED: Final = "Forwarded"
LONGEST: Final = 64
"""Characters of an address with its scope and port, and then some."""


class TrustedProxies:
    """Tells clients from the proxies in front of us."""

    def __init__(self, networks: tuple[Network, ...] = ()) -> None:
        self._networks = networks
        self._trusts = lru_cache(maxsize=1_024)(self._is_trusted)

    def client_of(self, request: BaseRequest) -> str:
        """The address of the client; that of the peer unless it is a trusted proxy that names another."""
        peer = request.remote or ""
        if not self._networks or not self._trusts(peer):
            return peer
        found = {self._last_stranger(peer, entries) for entries in _listed(request) if entries}
        return found.pop() if len(found) == 1 else peer

    def _last_stranger(self, peer: str, entries: list[str]) -> str:
        """Walk back through the proxies; an entry that is no address leaves us with the proxy that wrote it."""
        nearest = peer
        for entry in reversed(entries):
            address = read_address(entry)
            if address is None:
                return nearest
            nearest = str(address)
            if not self._trusts(nearest):
                return nearest
        return nearest

    def _is_trusted(self, text: str) -> bool:
        address = read_address(text)
        return address is not None and any(address in network for network in self._networks)


def read_address(text: str) -> Address | None:
    """The address in ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1`` or ``[2001:db8::1]:80``, the scope left out."""
    text = text.strip()
    if len(text) > LONGEST:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _listed(request: BaseRequest) -> Iterator[list[str]]:
    """The addresses that each header lists, the client's end first."""
    if FORWARDED in request.headers:
        yield [element.get("for", "") for element in request.forwarded]
    if X_FORWARDED_FOR in request.headers:
        yield ",".join(request.headers.getall(X_FORWARDED_FOR)).split(",")
