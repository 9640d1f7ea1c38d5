"""HTTP Basic (RFC 7617): users with hashed passwords, and a memory of credentials that were found right.

scrypt is slow on purpose and must not run for every request. So credentials that were verified once are remembered by
a digest under a key that only this process knows: a hit costs two microseconds, nothing that could be read out of
memory gives a password away, and a timing of the lookup says nothing because the digest cannot be predicted. Wrong
credentials are never remembered; each try costs its scrypt, one at a time and with a bound on how many wait.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from protocol.enforcement.auth import AuthContext
from protocol.errors import AuthenticationFailed, GatewayServiceUnavailable
from services.auth.authentication import Verdict
from services.auth.passwords import PasswordHash, hash_password

REMEMBERED_MAX: Final = 4_096
WAITING_MAX: Final = 64


class BasicUsers:
    """Authenticates ``Authorization: Basic``; the subject of a user is ``<prefix>:<user>``."""

    def __init__(self, users: Mapping[str, SecretStr], *, prefix: str) -> None:
        self._hashes = {user: hash_password(password.get_secret_value()) for user, password in users.items()}
        self._nobody: PasswordHash = hash_password(os.urandom(16).hex())
        self._prefix = prefix
        self._key = os.urandom(32)
        self._remembered: dict[bytes, AuthContext] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0

    def authenticate(self, headers: Mapping[str, str]) -> Verdict | None:
        """The user; None without Basic credentials; ``AuthenticationFailed`` for wrong ones."""
        credentials = headers.get("Authorization")
        if credentials is None or credentials[:6].lower() != "basic ":
            return None
        token = hashlib.blake2b(credentials.encode("utf-8", "surrogateescape"), key=self._key).digest()
        return self._remembered.get(token) or self._verify(credentials[6:], token)

    async def _verify(self, credentials: str, token: bytes) -> AuthContext:
        user, password = _read(credentials)
        if self._waiting >= WAITING_MAX:
            raise GatewayServiceUnavailable("Too many credentials are being checked.", retry_after=1)
        self._waiting += 1
        try:
            async with self._turn:
                # Many connections of one client come at once with the same credentials: the first one answers for all.
                return self._remembered.get(token) or await self._check(user, password, token)
        finally:
            self._waiting -= 1

    async def _check(self, user: str, password: str, token: bytes) -> AuthContext:
        # An unknown user is compared with a hash that nobody's password has, so that it takes as long as a known one.
        stored = self._hashes.get(user, self._nobody)
        if not await asyncio.to_thread(stored.matches, password) or user not in self._hashes:
            raise AuthenticationFailed
        context = AuthContext(subjects=(f"{self._prefix}:{user}",))
        if len(self._remembered) >= REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = context
        return context


def _read(credentials: str) -> tuple[str, str]:
    try:
        user, colon, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise AuthenticationFailed from None
    if not colon:
        raise AuthenticationFailed
    return user, password
