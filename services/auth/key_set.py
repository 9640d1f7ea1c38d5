"""JSON Web Key Sets (RFC 7517): the public keys of an issuer by their id, and which algorithm each may be used with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from jwt import PyJWK, PyJWKError
from jwt.exceptions import InvalidKeyError

from protocol.errors import JwkInvalid
from protocol.json import JsonObject, JsonValue, parse

KEYS_MAX: Final = 100
_RSA_BITS_MAX: Final = 8_192
_DEPTH: Final = 8

_PUBLIC: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}
"""The members that make up a public key, by type; others, a private key among them, are never looked at."""

_FITS: Final[Mapping[str, tuple[tuple[str, str | None], ...]]] = {
    **{f"{family}{bits}": (("RSA", None),) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": (("EC", "P-256"),),
    "ES384": (("EC", "P-384"),),
    "ES512": (("EC", "P-521"),),
    "EdDSA": (("OKP", "Ed25519"), ("OKP", "Ed448")),
}
"""Key type and curve that an algorithm needs (RFC 7518 section 3.1, RFC 8037 section 3.1)."""


class KeySet:
    """The signing keys of an issuer at one time. Keys without an id, and kinds that nothing here uses, are left out."""

    def __init__(self, text: bytes) -> None:
        """Raises ``JwkInvalid`` (or ``JsonInvalid``) for text that is no key set."""
        document = parse(text, max_depth=_DEPTH)
        listed = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(listed, list) or len(listed) > KEYS_MAX:
            raise JwkInvalid("The key set has no member 'keys' with a fitting number of keys.")
        self._keys = {str(key["kid"]): key for key in map(_signing_key, listed) if key is not None}
        self.key = lru_cache(maxsize=KEYS_MAX * 2)(self._key)

    def __contains__(self, kid: str) -> bool:
        """Whether there is a key of this id."""
        return kid in self._keys

    def _key(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key, made for this algorithm; None if there is none, or it is for something else."""
        jwk = self._keys.get(kid)
        if jwk is None or jwk.get("alg", algorithm) != algorithm:
            return None
        kind = str(jwk["kty"])
        if (kind, jwk.get("crv") if kind != "RSA" else None) not in _FITS.get(algorithm, ()):
            return None
        try:
            return PyJWK({name: jwk[name] for name in _PUBLIC[kind] if name in jwk}, algorithm)
        except (InvalidKeyError, PyJWKError, ValueError, TypeError):
            return None


def _signing_key(jwk: JsonValue) -> JsonObject | None:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("kty") not in [*_PUBLIC]:
        return None
    operations = jwk.get("key_ops", ["verify"])
    usable = jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    # A modulus of many thousand bits would make every signature an attack on the processor.
    short = len(str(jwk.get("n", ""))) <= _RSA_BITS_MAX // 6 + 4
    return jwk if usable and short else None
