from __future__ import annotations

import asyncio
import base64
import time

import pytest
from pydantic import SecretStr

from protocol.enforcement.auth import AuthContext
from protocol.errors import AuthenticationFailed, GatewayServiceUnavailable, HeadersTooLarge
from services.auth import basic
from services.auth.authentication import Authentication
from services.auth.basic import BasicUsers
from services.auth.passwords import hash_password
from services.auth.pre_authenticated import PreAuthenticated
from services.auth.setup import api_authentication, operator_authentication
from services.settings import Settings


def basic_header(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def users(**passwords: str) -> BasicUsers:
    return BasicUsers({user: SecretStr(password) for user, password in passwords.items()}, prefix="nginx")


async def ask(authentication: Authentication, headers: dict[str, str]) -> AuthContext:
    verdict = authentication.authenticate(headers)
    return verdict if isinstance(verdict, AuthContext) else await verdict


def only(authenticator: BasicUsers) -> Authentication:
    return Authentication([authenticator], challenge="Basic")


async def test_nobody_is_let_in_by_default() -> None:
    with pytest.raises(AuthenticationFailed):
        await ask(Authentication([], challenge="Basic"), {})


async def test_the_right_password_gives_the_prefixed_subject() -> None:
    assert (await ask(only(users(ada="lovelace")), basic_header("ada", "lovelace"))).subjects == ("nginx:ada",)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer abc"},
        basic_header("ada", "wrong"),
        basic_header("ada", ""),
        basic_header("grace", "lovelace"),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        {"Authorization": "Basic \udcff"},
    ],
)
async def test_anything_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(AuthenticationFailed):
        await ask(only(users(ada="lovelace")), headers)


async def test_verified_credentials_are_known_at_once_the_next_time_and_wrong_ones_never() -> None:
    authenticator = users(ada="lovelace")
    await ask(only(authenticator), basic_header("ada", "lovelace"))
    assert isinstance(authenticator.authenticate(basic_header("ada", "lovelace")), AuthContext)
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            await ask(only(authenticator), basic_header("ada", "wrong"))


async def test_a_crowd_with_the_same_credentials_is_answered_by_one_computation() -> None:
    """The work is what counts, not how long the machine took for it."""
    authentication = only(users(ada="lovelace"))
    started = time.process_time()
    await ask(authentication, basic_header("ada", "lovelace"))
    one = time.process_time() - started
    authentication = only(users(ada="lovelace"))
    started = time.process_time()
    await asyncio.gather(*(ask(authentication, basic_header("ada", "lovelace")) for _ in range(50)))
    assert time.process_time() - started < 25 * one


async def test_too_many_tries_at_once_are_put_off() -> None:
    authentication = only(users(ada="lovelace"))
    tries = [ask(authentication, basic_header("ada", f"wrong{n}")) for n in range(basic.WAITING_MAX + 1)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, GatewayServiceUnavailable) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AuthenticationFailed) for outcome in outcomes) == basic.WAITING_MAX


def test_the_same_password_is_hashed_differently_each_time() -> None:
    one, other = hash_password("x"), hash_password("x")
    assert one.digest != other.digest
    assert one.matches("x")
    assert not one.matches("y")


def test_the_pre_authenticated_header_names_subjects_the_first_being_the_default() -> None:
    context = PreAuthenticated().authenticate({"x-ditto-pre-authenticated": "nginx:ada, device:7,nginx:ada"})
    assert context is not None
    assert context.subjects == ("nginx:ada", "device:7")
    assert PreAuthenticated().authenticate({}) is None


@pytest.mark.parametrize("text", ["", " , ", "a:\udcff", "a:\x07"])
def test_a_pre_authenticated_header_without_usable_subjects_is_refused(text: str) -> None:
    with pytest.raises(AuthenticationFailed):
        PreAuthenticated().authenticate({"x-ditto-pre-authenticated": text})


def test_too_many_pre_authenticated_subjects_are_refused() -> None:
    with pytest.raises(HeadersTooLarge):
        PreAuthenticated().authenticate({"x-ditto-pre-authenticated": ",".join(f"s:{n}" for n in range(101))})


async def test_the_pre_authenticated_header_counts_only_when_switched_on() -> None:
    header = {"x-ditto-pre-authenticated": "nginx:root"}
    with pytest.raises(AuthenticationFailed):
        await ask(api_authentication(Settings()), header)
    assert (await ask(api_authentication(Settings(pre_authentication=True)), header)).subjects == ("nginx:root",)


async def test_the_devops_user_is_an_operator_and_no_user_of_the_api() -> None:
    settings = Settings(devops_password=SecretStr("foo"), basic_users={"ada": SecretStr("lovelace")})
    devops = basic_header("devops", "foo")
    assert (await ask(operator_authentication(settings), devops)).subjects == ("devops:devops",)
    with pytest.raises(AuthenticationFailed):
        await ask(api_authentication(settings), devops)
    with pytest.raises(AuthenticationFailed):
        await ask(operator_authentication(settings), basic_header("ada", "lovelace"))
