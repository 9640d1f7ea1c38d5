"""Passwords as salted scrypt hashes (RFC 7914), compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final

_COST: Final = 2**14
_BLOCK: Final = 8
_MEMORY: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHash:
    """What is kept of a password. One comparison takes tens of milliseconds of one core, by intent."""

    salt: bytes
    digest: bytes

    def matches(self, password: str) -> bool:
        """Whether this is the password; the time taken does not depend on the answer."""
        return hmac.compare_digest(_scrypt(password, self.salt), self.digest)


def hash_password(password: str) -> PasswordHash:
    """Hash with a fresh salt."""
    salt = os.urandom(16)
    return PasswordHash(salt=salt, digest=_scrypt(password, salt))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=1, maxmem=_MEMORY, dklen=32)
