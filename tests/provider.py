"""An OpenID Connect provider for tests: keys, tokens signed with them, and a server that tells where the keys are."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeAlias

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ISSUER = "https://login.example.org/farm"
NOW = 1_800_000_000


def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return _rsa_key(number, bits)


@cache
def _rsa_key(number: int, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def jwk(kid: str, key: PrivateKey, **members: object) -> dict[str, object]:
    """The public half as a JSON Web Key."""
    match key:
        case rsa.RSAPrivateKey():
            found = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            found = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case _:
            found = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": kid, **members}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def claims(**given: object) -> dict[str, object]:
    """The claims of a good token at ``NOW``; None leaves one out."""
    usual: dict[str, object] = {"iss": ISSUER, "sub": "ada", "aud": "twinlog", "exp": NOW + 600, "iat": NOW}
    return {name: value for name, value in {**usual, **given}.items() if value is not None}


def token(
    payload: dict[str, object] | bytes,
    *,
    key: Any = None,  # noqa: ANN401 - what the algorithm takes
    algorithm: str = "RS256",
    kid: str | None = "one",
    header: dict[str, object] | bytes | None = None,
) -> str:
    """A token signed with the key; bytes stand for themselves, however wrong they are."""
    named: dict[str, object] = {"alg": algorithm, "typ": "JWT", **({} if kid is None else {"kid": kid})}
    first = header if isinstance(header, bytes) else json.dumps({**named, **(header or {})}).encode()
    second = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signing_input = f"{encoded(first)}.{encoded(second)}"
    signer = get_default_algorithms()[algorithm]
    signature = signer.sign(signing_input.encode(), signer.prepare_key(rsa_key() if key is None else key))
    return f"{signing_input}.{encoded(signature)}"


class Provider:
    """What the server tells; ``asked`` counts the fetches of the key set."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[dict[str, object]] = [jwk("one", rsa_key())]
        self.asked = 0
        self.status = 200
        self.discovery: dict[str, object] | None = None
        self.padding = b""

    async def configuration(self, _: web.Request) -> web.Response:
        found = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} if self.discovery is None else self.discovery
        return web.Response(status=self.status, body=json.dumps(found).encode())

    async def key_set(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=self.status, body=json.dumps({"keys": self.keys}).encode() + self.padding)


@asynccontextmanager
async def serving_provider() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.configuration)
    app.router.add_get("/keys", provider.key_set)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield provider
    finally:
        await runner.cleanup()
