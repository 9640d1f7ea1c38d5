from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from services.http.proxies import TrustedProxies, read_address

PROXIES = TrustedProxies((ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")))
PEER = "10.0.0.1"


class _Transport:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: object = None) -> object:
        return (self._peer, 4711) if name == "peername" else default


def client(peer: str, *headers: tuple[str, str], proxies: TrustedProxies = PROXIES) -> str:
    request = make_mocked_request("GET", "/", CIMultiDict(headers), transport=_Transport(peer))
    return proxies.client_of(request)


def x(*hops: str) -> tuple[str, str]:
    return ("X-Forwarded-For", ", ".join(hops))


def forwarded(text: str) -> tuple[str, str]:
    return ("Forwarded", text)


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], PEER),
        ([x("192.0.2.1")], "192.0.2.1"),
        ([x("192.0.2.66", "192.0.2.1")], "192.0.2.1"),
        ([x("192.0.2.1", "10.2.3.4", "10.0.0.9")], "192.0.2.1"),
        ([x("192.0.2.66"), x("192.0.2.1")], "192.0.2.1"),
        ([x("192.0.2.1:5678")], "192.0.2.1"),
        ([x("2001:db8::1")], "2001:db8::1"),
        ([x("[2001:db8::1]:80")], "2001:db8::1"),
        ([x("192.0.2.1", "2001:db8:ffff::2")], "192.0.2.1"),
        ([x("::ffff:192.0.2.1")], "192.0.2.1"),
        ([forwarded("for=192.0.2.1")], "192.0.2.1"),
        ([forwarded('for=192.0.2.66, For="192.0.2.1:80";proto=https;by=10.0.0.2, for=10.0.0.2')], "192.0.2.1"),
        ([forwarded('for="[2001:db8::1]:4711"')], "2001:db8::1"),
        ([forwarded("for=192.0.2.66"), forwarded("for=192.0.2.1")], "192.0.2.1"),
        ([forwarded("for=192.0.2.1"), x("192.0.2.1")], "192.0.2.1"),
    ],
)
def test_the_last_address_that_is_no_proxy_is_the_clients(headers: Sequence[tuple[str, str]], address: str) -> None:
    assert client(PEER, *headers) == address


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([x("")], PEER),
        ([x("unknown")], PEER),
        ([x("192.0.2.66", "")], PEER),
        ([x("192.0.2.66", "nonsense", "10.0.0.9")], "10.0.0.9"),
        ([x("10.0.0.7", "10.0.0.8")], "10.0.0.7"),
        ([x("1" * 100)], PEER),
        ([forwarded("for=unknown")], PEER),
        ([forwarded("for=_hidden")], PEER),
        ([forwarded("proto=https")], PEER),
        ([forwarded('for="192.0.2.66, for="192.0.2.1"')], PEER),
        ([forwarded("for=192.0.2.66"), x("192.0.2.1")], PEER),
        ([x("192.0.2.66"), forwarded("for=192.0.2.1")], PEER),
    ],
)
def test_where_no_proxy_says_who_it_was_the_farthest_proxy_counts(
    headers: Sequence[tuple[str, str]], address: str
) -> None:
    assert client(PEER, *headers) == address


def test_who_is_no_trusted_proxy_is_the_client_whatever_it_says() -> None:
    assert client("192.0.2.5", x("198.51.100.1"), forwarded("for=198.51.100.1")) == "192.0.2.5"
    assert client(PEER, x("198.51.100.1"), proxies=TrustedProxies()) == PEER


def test_a_proxy_is_trusted_by_its_mapped_address_too() -> None:
    assert client("::ffff:10.0.0.1", x("192.0.2.1")) == "192.0.2.1"


@pytest.mark.parametrize("text", ["", "a", "1.2.3", "1.2.3.4.5", "1.2.3.4:5:6", "[1.2.3.4", "[::1", ":1", "%eth0"])
def test_no_text_breaks_the_reading_of_an_address(text: str) -> None:
    assert read_address(text) is None or str(read_address(text)) in {"1.2.3.4", "::1"}
