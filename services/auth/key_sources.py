"""Where the keys of an issuer are: in a file, or behind the discovery document that the issuer serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import aiohttp

from protocol.errors import DittoError
from protocol.json import parse
from services.auth.issuers import Authority, Issuer

FETCH_SECONDS: Final = 5.0
DOCUMENT_MAX: Final = 262_144
_DEPTH: Final = 16


class KeysUnreachable(Exception):
    """The keys could not be had; the text is for the log."""


class KeySource(Protocol):
    """Gives the text of a key set; raises ``KeysUnreachable``.

    It is asked anew when its answer is ``fresh_seconds`` old, and else once per ``retry_seconds`` in the long run.
    """

    @property
    def fresh_seconds(self) -> float:
        """For how long its answer counts without a doubt."""
        ...

    @property
    def retry_seconds(self) -> float:
        """How much time it is given between two questions."""
        ...

    async def fetch(self) -> bytes:
        """The current text."""
        ...


class KeyFile:
    """A key set in a file, which may be replaced while the service runs. A look is cheap, so there are many."""

    fresh_seconds = 10.0
    retry_seconds = 5.0

    def __init__(self, path: Path) -> None:
        self._path = path

    async def fetch(self) -> bytes:
        """Read the file."""
        try:
            text = await asyncio.to_thread(self._path.read_bytes)
        except OSError as error:
            raise KeysUnreachable(str(error)) from error
        if len(text) > DOCUMENT_MAX:
            raise KeysUnreachable(f"{self._path} is longer than {DOCUMENT_MAX} bytes")
        return text


class DiscoveredKeys:
    """The keys of an OpenID provider (OpenID Connect Discovery 1.0 section 4).

    Fetches are rare (see ``services.auth.keys``), so each has a session of its own. Redirects are not followed: a
    provider says where its keys are, and nobody else does.
    """

    fresh_seconds = 3_600.0
    retry_seconds = 10.0

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def fetch(self) -> bytes:
        """Ask the provider where its keys are, and get them from there."""
        async with _asking() as session:
            text = await _get(session, f"{self._authority.url}/.well-known/openid-configuration")
            return await _get(session, self._keys_url(text))

    def _keys_url(self, text: bytes) -> str:
        """Where the document says that the keys are. One that names another issuer is not ours; it may name none."""
        try:
            document = parse(text, max_depth=_DEPTH)
        except DittoError as error:
            raise KeysUnreachable("the discovery document is no JSON") from error
        if not isinstance(document, dict):
            raise KeysUnreachable("the discovery document is no JSON object")
        if document.get("issuer", self._authority.url) not in [*self._authority.names, self._authority.url]:
            raise KeysUnreachable("the discovery document is that of another issuer")
        url, scheme = document.get("jwks_uri"), self._authority.url.partition("://")[0]
        if not isinstance(url, str) or not url.startswith(("https://", f"{scheme}://")):
            raise KeysUnreachable("the discovery document does not say where the keys are")
        return url


class KeysAt:
    """The keys at a URL that the operator has given."""

    fresh_seconds = DiscoveredKeys.fresh_seconds
    retry_seconds = DiscoveredKeys.retry_seconds

    def __init__(self, url: str) -> None:
        self._url = url

    async def fetch(self) -> bytes:
        """Get them from there."""
        async with _asking() as session:
            return await _get(session, self._url)


def source_of(issuer: Issuer, authority: Authority) -> KeySource:
    """The file or the URL of an issuer that has one, else the discovery document of the authority."""
    if issuer.jwks_file is not None:
        return KeyFile(issuer.jwks_file)
    return DiscoveredKeys(authority) if issuer.jwks_uri is None else KeysAt(str(issuer.jwks_uri))


@asynccontextmanager
async def _asking() -> AsyncIterator[aiohttp.ClientSession]:
    """A session for the short time that is given to a provider; every trouble in it is ``KeysUnreachable``."""
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    try:
        async with asyncio.timeout(FETCH_SECONDS), aiohttp.ClientSession(timeout=timeout) as session:
            yield session
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise KeysUnreachable(f"{type(error).__name__}: {error}") from error


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response:
        if response.status != 200:
            raise KeysUnreachable(f"{url} answers {response.status}")
        text = bytearray()
        async for chunk in response.content.iter_any():
            text += chunk
            if len(text) > DOCUMENT_MAX:
                raise KeysUnreachable(f"{url} is longer than {DOCUMENT_MAX} bytes")
        return bytes(text)
