from __future__ import annotations

from pathlib import Path

import jwt
import orjson

from services.demo.issuer import AUDIENCE, ISSUER, JWKS_FILE, keep_issuer, service_environment


def test_the_issuer_of_a_folder_stays_the_same_and_its_tokens_are_good(tmp_path: Path) -> None:
    token = keep_issuer(tmp_path).token("surveyor")
    keep_issuer(tmp_path)
    (key,) = jwt.PyJWKSet.from_json((tmp_path / JWKS_FILE).read_text()).keys
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert claims["sub"] == "surveyor"
    assert b"PRIVATE" not in (tmp_path / JWKS_FILE).read_bytes()


def test_the_service_knows_the_issuer_beside_those_of_the_environment(tmp_path: Path) -> None:
    given = {
        "TWINLOG_OPENID_ISSUERS": '{"kc":{"issuer":"x.org"}}',
        "TWINLOG_POLICY_EXPIRY_GRANULARITY": "5s",
        "TWINLOG_BASIC_USERS": "",
        "PATH": "/bin",
    }
    found = service_environment(tmp_path, given)
    assert orjson.loads(found["TWINLOG_OPENID_ISSUERS"]).keys() == {"kc", "demo"}
    assert found["TWINLOG_POLICY_EXPIRY_GRANULARITY"] == "5s"
    assert found["TWINLOG_POLICY_ANNOUNCEMENT_GRANULARITY"] == "1s"
    assert found["TWINLOG_BASIC_USERS"].startswith("twinlog:")
    assert found["PATH"] == "/bin"
