"""An OpenID Connect issuer of the demonstration's own: a key in its data folder, and tokens signed with it.

The key is made on the first run and never leaves the folder. The service that the demonstration starts is told of the
issuer and of times that are short enough to watch; what the environment says already stays as it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.credentials import keep_credentials
from services.endpoints import write_private
from services.settings import variable_of

PREFIX: Final = "demo"
"""What the subjects of the tokens begin with."""
ISSUER: Final = "https://issuer.demo.invalid"
AUDIENCE: Final = "twinlog-demo"
ALGORITHM: Final = "ES256"
KEY_ID: Final = "demo-1"
KEY_FILE: Final = "issuer.pem"
JWKS_FILE: Final = "issuer.jwks.json"
GRANULE: Final = "1s"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens for applications."""

    key: ec.EllipticCurvePrivateKey

    def token(self, application: str, seconds: int = 600) -> str:
        """A token for the subject ``demo:<application>``."""
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": application, "aud": AUDIENCE, "iat": now, "exp": now + seconds}
        return jwt.encode(claims, self.key, algorithm=ALGORITHM, headers={"kid": KEY_ID})


def keep_issuer(home: Path) -> Issuer:
    """The issuer of a data folder, made if it has none, with its public key beside it."""
    try:
        key = serialization.load_pem_private_key((home / KEY_FILE).read_bytes(), password=None)
    except FileNotFoundError:
        key = ec.generate_private_key(ec.SECP256R1())
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        write_private(home / KEY_FILE, key.private_bytes(encoding, form, serialization.NoEncryption()))
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{home / KEY_FILE} holds no key of this demonstration")
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    write_private(home / JWKS_FILE, orjson.dumps({"keys": [{**public, "kid": KEY_ID, "alg": ALGORITHM}]}))
    return Issuer(key)


def service_environment(home: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of the demonstration's service: it knows the issuer, and seconds instead of hours."""
    keep_issuer(home)
    issuers = orjson.loads(environment.get(variable_of("openid_issuers")) or "{}")
    jwks_file = str((home / JWKS_FILE).absolute())
    issuers[PREFIX] = {"issuer": ISSUER, "jwks_file": jwks_file, "audience": AUDIENCE}
    user = keep_credentials(home, "127.0.0.1")
    usual = {
        variable_of("basic_users"): f"{user.user}:{user.password}",
        variable_of("policy_expiry_granularity"): GRANULE,
        variable_of("policy_announcement_granularity"): GRANULE,
    }
    given = {name: value for name, value in environment.items() if value}
    return {**usual, **given, variable_of("openid_issuers"): orjson.dumps(issuers).decode()}
