"""The guide for operators is true: its settings can be read, and tokens become the subjects that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from protocol.placeholder_functions import ARITIES
from services.auth.bearer import BearerTokens
from services.auth.issuers import ALGORITHMS, Issuer
from services.auth.key_sources import DiscoveredKeys, KeyFile
from services.auth.keys import LOOKS_MAX
from services.auth.tokens import TOKEN_MAX
from services.settings import Settings
from tests.provider import NOW, claims, jwk, rsa_key, token
from tests.unit.services.auth.test_tokens import Clock, ask

GUIDE = (Path(__file__).parents[4] / "services" / "auth" / "README.md").read_text()
SHOWN = {
    key: value
    for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    for key, value in json.loads(block).items()
}


def test_every_issuer_of_the_guide_is_one_that_the_service_reads() -> None:
    assert set(SHOWN) == {"keycloak", "auth0", "google", "entra"}
    assert set(Settings(openid_issuers=SHOWN).openid_issuers) == set(SHOWN)


def test_every_member_algorithm_and_function_is_in_the_guide() -> None:
    members = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert members == set(Issuer.model_fields)
    assert all(f"`{algorithm}`" in GUIDE for algorithm in ALGORITHMS)
    assert set(re.findall(r"`fn:([a-z0-9-]+)\(", GUIDE)) == set(ARITIES)


def test_the_figures_of_the_guide_are_those_of_the_service() -> None:
    assert f"{TOKEN_MAX:,}".replace(",", " ") in GUIDE
    assert (LOOKS_MAX, DiscoveredKeys.retry_seconds, KeyFile.retry_seconds) == (3, 10, 5)
    assert (DiscoveredKeys.fresh_seconds, KeyFile.fresh_seconds) == (3600, 10)


@pytest.mark.parametrize(
    ("key", "given", "subjects"),
    [
        (
            "keycloak",
            {
                "aud": ["twinlog", "account"],
                "sub": "6f1c",
                "preferred_username": "ada",
                "realm_access": {"roles": ["gardeners", "offline_access"]},
                "groups": ["/farm/north"],
            },
            ["6f1c", "user:ada", "role:gardeners", "role:offline_access", "group:/farm/north"],
        ),
        ("keycloak", {"aud": "twinlog", "sub": "7a"}, ["7a"]),
        (
            "auth0",
            {
                "aud": ["https://twinlog.example.org", "https://farm.eu.auth0.com/userinfo"],
                "sub": "auth0|5f7c8e",
                "https://example.org/roles": ["gardener"],
                "permissions": ["read:things"],
                "scope": "openid profile",
            },
            ["auth0|5f7c8e", "role:gardener", "may:read:things", "scope:openid", "scope:profile"],
        ),
        ("google", {"sub": "1", "email": "a@b.c", "email_verified": True}, ["1", "a@b.c"]),
        ("google", {"sub": "1", "email": "a@b.c", "email_verified": False}, ["1"]),
        ("entra", {"oid": "o", "roles": ["Farm.Read"]}, ["o", "role:Farm.Read"]),
    ],
)
async def test_a_token_of_the_provider_speaks_for_the_subjects_that_the_guide_names(
    tmp_path: Path, key: str, given: dict[str, object], subjects: list[str]
) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [jwk("one", rsa_key())]}))
    issuer = Issuer.model_validate({**SHOWN[key], "jwks_file": keys})
    (authority,) = issuer.authorities
    now = Clock()
    tokens = BearerTokens({key: issuer}, clock=now, time=now)
    shown = token(claims(**{"iss": authority.url + "/" * (key == "auth0"), "aud": SHOWN[key]["audience"], **given}))
    assert (await ask(tokens, shown)).subjects == tuple(f"{key}:{subject}" for subject in subjects)
    assert now.seconds == NOW
