"""The keys of one issuer, fetched as seldom as may be and as often as must be.

A key id that nobody knows may be a rotated key or an attack. Both get the same: a look at the provider, of which there
are ``LOOKS_MAX`` at hand and another one each ``retry_seconds`` of the source, however many such tokens come. So a
rotated key is known with the first token that it signed, and a storm of made-up ids costs the provider next to nothing.
A signature that does not fit a known key is reason for a look, too: the key may have been replaced under its id. Who
waits while another one looks makes do with what that one finds.

Keys that are known go on being used while the provider is out of reach. They are looked at anew every ``fresh_seconds``
of the source, so that a withdrawn key does not count for ever.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

import structlog

from protocol.errors import AuthenticationFailed, DittoError, PublicKeyProviderUnavailable
from services.auth.key_set import KeySet
from services.auth.key_sources import KeySource, KeysUnreachable

LOOKS_MAX: Final = 3

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
        self._looks = float(LOOKS_MAX)
        self._looked_at = time()
        self._look = 0
        self._failed = False
        self._refresh: asyncio.Task[None] | None = None

    @property
    def current(self) -> KeySet | None:
        """The keys at hand; another object than before as soon as they are others.

        When they have become old they are looked at anew beside the work, since most often they are still the same.
        """
        old = self._keys is not None and self._time() - self._fetched_at > self._source.fresh_seconds
        if old and not self._turn.locked() and self._may_look():
            self._refresh = asyncio.get_running_loop().create_task(self._look_in_turn())
        return self._keys

    async def keys_with(self, kid: str) -> KeySet:
        """Keys that hold this id, fetched if need be.

        ``AuthenticationFailed`` if the issuer has no such key, ``PublicKeyProviderUnavailable`` if it cannot be asked.
        """
        keys = self.current
        if keys is None or kid not in keys:
            await self._look_in_turn()
            keys = self._keys
        if keys is not None and kid in keys:
            return keys
        if self._failed:
            raise PublicKeyProviderUnavailable(
                f"The keys of the issuer '{self._name}' cannot be fetched.", retry_after=self._seconds_to_next_look()
            )
        raise AuthenticationFailed(description="The issuer has no key with the id that the token names.")

    async def other_keys_than(self, keys: KeySet) -> KeySet | None:
        """The keys that the issuer has now, if they are others than these; nothing if these are still what it has."""
        if self._keys is keys:
            await self._look_in_turn()
        return None if self._keys is keys else self._keys

    def _may_look(self) -> bool:
        now = self._time()
        self._looks = min(LOOKS_MAX, self._looks + (now - self._looked_at) / self._source.retry_seconds)
        self._looked_at = now
        return self._looks >= 1

    def _seconds_to_next_look(self) -> int:
        return max(1, math.ceil((1 - self._looks) * self._source.retry_seconds))

    async def _look_in_turn(self) -> None:
        seen = self._look
        async with self._turn:
            if seen == self._look and self._may_look():
                self._looks -= 1
                await self._fetch()
                self._look += 1

    async def _fetch(self) -> None:
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
