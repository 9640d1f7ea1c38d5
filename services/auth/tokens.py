"""Reading a JSON Web Token (RFC 7519) that nobody has checked yet, and checking it.

What is strict here is so because two readers of one token must not see two tokens: no claim twice, no padding, no
extension that we do not know, no number that a float cannot hold. Every failure is a 401; Ditto answers some of them
with 400, but a client that is not let in had better hear that it is not.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Final

from jwt import PyJWS, PyJWTError

from protocol import json as strict
from protocol.errors import AuthenticationFailed, JsonInvalid, JwtAudienceInvalid, JwtInvalid
from protocol.json import JsonObject
from services.auth.issuers import Issuer
from services.auth.key_set import KeySet

TOKEN_MAX: Final = 16_384
"""Characters, as many as a header has by default: people in many groups have long tokens."""
LEEWAY_SECONDS: Final = 10
_DEPTH: Final = 16
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999: what lies beyond is no time."""

_COMPACT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
_SIGNATURES: Final = PyJWS(options={"enforce_minimum_key_length": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken:
    """What a token says of itself."""

    text: str
    algorithm: str
    kid: str
    issuer: str
    claims: JsonObject


def read_token(text: str, *, longest: int = TOKEN_MAX) -> UnverifiedToken:
    """The parts of a token in compact form (RFC 7515 section 3.1); ``JwtInvalid`` if it has none or lacks one."""
    match = _COMPACT.fullmatch(text) if len(text) <= longest else None
    if match is None:
        raise JwtInvalid("The token is too long, or it is not written as a signed JSON Web Token.")
    header, claims = _segment(match[1]), _segment(match[2])
    if not header.keys().isdisjoint({"crit", "b64", "zip"}):
        raise JwtInvalid("The token demands an extension that is not known here.")
    algorithm, kid, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if not (isinstance(algorithm, str) and isinstance(kid, str) and isinstance(issuer, str)):
        raise JwtInvalid("The token does not say its algorithm, its key or its issuer.")
    return UnverifiedToken(text=text, algorithm=algorithm, kid=kid, issuer=issuer, claims=claims)


def check_signature(token: UnverifiedToken, issuer: Issuer, keys: KeySet) -> None:
    """``AuthenticationFailed`` unless the issuer's key made the signature, by an algorithm that is allowed."""
    key = keys.key(token.kid, token.algorithm) if token.algorithm in issuer.algorithms else None
    if key is None:
        raise AuthenticationFailed(description="The key that the token names is not for its algorithm.")
    try:
        _SIGNATURES.decode(token.text, key, algorithms=[token.algorithm])
    except PyJWTError:
        raise AuthenticationFailed(description="The signature is not that of the key which the token names.") from None


def check_claims(claims: JsonObject, issuer: Issuer, now: float) -> float:
    """The second since 1970 at which the token ends, if it is for us and its time is now; ``now`` in the same unit."""
    expires = _time(claims, "exp")
    if expires is None:
        raise JwtInvalid("The token does not say when it expires.")
    if now >= expires + LEEWAY_SECONDS:
        raise AuthenticationFailed(description="The token has expired. Get a new one from the issuer.")
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and now < begins - LEEWAY_SECONDS:
            raise AuthenticationFailed(description=f"The token is not valid yet: its '{name}' lies in the future.")
    _check_audience(claims, issuer)
    return expires


def _check_audience(claims: JsonObject, issuer: Issuer) -> None:
    audience = claims.get("aud", [])
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise JwtAudienceInvalid("The audience of the token cannot be read.")
    if issuer.audience and set(issuer.audience).isdisjoint(map(str, named)):
        raise AuthenticationFailed(description="The token is meant for others: none of its 'aud' is this service.")


def _time(claims: JsonObject, name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LATEST:
        raise JwtInvalid(f"The claim '{name}' of the token is no time.")
    return float(value)


def _segment(text: str) -> JsonObject:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        value = strict.parse(data, max_depth=_DEPTH)
        json.loads(data, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except (binascii.Error, ValueError, JsonInvalid):
        raise JwtInvalid("The token cannot be read.") from None
    if not isinstance(value, dict):
        raise JwtInvalid("The token cannot be read.")
    return value


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name is given twice")
