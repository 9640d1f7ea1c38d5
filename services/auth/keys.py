"""The keys of one issuer, fetched as seldom as may be and as often as must be.

A key id that nobody knows may be a rotated key or an attack. Both get the same: one look at the provider, and no other
for ``RETRY_SECONDS``, however many such tokens come. Keys that are known go on being used while the provider is out of
reach. They are looked at anew every ``FRESH_SECONDS``, so that a withdrawn key does not count for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from protocol.errors import AuthenticationFailed, DittoError, PublicKeyProviderUnavailable
from services.auth.key_set import KeySet
from services.auth.key_sources import KeySource, KeysUnreachable

RETRY_SECONDS: Final = 30.0
FRESH_SECONDS: Final = 3_600.0

log = structlog.get_logger(__name__)


class IssuerKeys:
    """The key ring of one issuer; ``time`` is a monotonic clock in seconds."""

    def __init__(self, source: KeySource, *, name: str, time: Callable[[], float]) -> None:
        self._source = source
        self._name = name
        self._time = time
        self._turn = asyncio.Lock()
        self._text: bytes | None = None
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self._failed = False
        self._refresh: asyncio.Task[None] | None = None

    @property
    def current(self) -> KeySet | None:
        """The keys at hand; another object than before as soon as they are others.

        When they have become old they are looked at anew beside the work, since most often they are still the same.
        """
        old = self._keys is not None and self._time() - self._fetched_at > FRESH_SECONDS
        if old and self._may_try() and not self._turn.locked():
            self._refresh = asyncio.get_running_loop().create_task(self._fetch_in_turn(None))
        return self._keys

    async def having(self, kid: str) -> KeySet:
        """Keys that hold this id, fetched if need be.

        ``AuthenticationFailed`` if the issuer has no such key, ``PublicKeyProviderUnavailable`` if it cannot be asked.
        """
        if self._keys is None or kid not in self._keys:
            await self._fetch_in_turn(kid)
        if self._keys is not None and kid in self._keys:
            return self._keys
        if self._failed:
            raise PublicKeyProviderUnavailable(
                f"The keys of the issuer '{self._name}' cannot be fetched.", retry_after=int(RETRY_SECONDS)
            )
        raise AuthenticationFailed

    def _may_try(self) -> bool:
        return self._tried_at is None or self._time() - self._tried_at >= RETRY_SECONDS

    async def _fetch_in_turn(self, kid: str | None) -> None:
        async with self._turn:
            found = kid is not None and self._keys is not None and kid in self._keys
            if not found and self._may_try():
                await self._fetch()

    async def _fetch(self) -> None:
        self._tried_at = self._time()
        self._failed = True
        try:
            text = await self._source.fetch()
            if text != self._text:
                self._keys, self._text = KeySet(text), text
        except KeysUnreachable as error:
            log.warning("issuer_keys_unreachable", issuer=self._name, reason=str(error))
        except DittoError as error:
            log.warning("issuer_keys_invalid", issuer=self._name, reason=error.message)
        else:
            self._failed = False
            self._fetched_at = self._time()
