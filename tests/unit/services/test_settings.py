from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.auth.issuers import Authority
from services.settings import Settings, SettingsInvalid, load_settings, unknown_variables, variable_of


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as scope:
        for name in [variable_of(field) for field in Settings.model_fields]:
            scope.delenv(name, raising=False)
        yield


def test_an_empty_environment_gives_a_service_on_loopback_that_lets_nobody_in() -> None:
    settings = load_settings()
    assert (settings.http_host, settings.http_port, settings.is_private) == ("127.0.0.1", 8080, True)
    assert settings.basic_users == {}
    assert settings.devops_password is None
    assert settings.pre_authentication is False
    assert settings.database_url is None
    assert settings.amqp_is_off is False


def test_every_field_has_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_users_are_read_with_colons_in_their_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_BASIC_USERS", "ada:pass:word, grace:hopper")
    users = load_settings().basic_users
    assert {user: password.get_secret_value() for user, password in users.items()} == {
        "ada": "pass:word",
        "grace": "hopper",
    }


def test_lists_are_comma_separated_and_off_switches_amqp_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_AMQP_SUBJECTS", "amqp:{user_id}, device:{user_id}")
    monkeypatch.setenv("TWINLOG_AMQP_URL", "off")
    settings = load_settings()
    assert settings.amqp_subjects == ("amqp:{user_id}", "device:{user_id}")
    assert settings.amqp_is_off


def test_proxies_are_addresses_and_networks_and_bring_in_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,2001:db8::/32")
    settings = load_settings()
    assert [str(each) for each in settings.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
    assert settings.is_private is False


@pytest.mark.parametrize("proxies", ["nginx", "10.0.0.1/8", "0.0.0.0/0", "10.0.0.1,::/0"])
def test_what_is_no_network_or_every_network_is_no_proxy(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    monkeypatch.setenv("TWINLOG_TRUSTED_PROXIES", proxies)
    with pytest.raises(SettingsInvalid, match="TWINLOG_TRUSTED_PROXIES"):
        load_settings()


def test_what_the_command_line_was_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_HTTP_PORT", "9000")
    assert load_settings().http_port == 9000
    assert load_settings(http_port=9001).http_port == 9001


def test_a_bad_environment_is_refused_with_every_problem_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "TWINLOG_HTTP_PORT": "hunter2-port",
        "TWINLOG_DATABASE_URL": "mysql://root:hunter2@db/x",
        "TWINLOG_AMQP_URL": "http://hunter2",
        "TWINLOG_BASIC_USERS": "hunter2",
        "TWINLOG_LOG_LEVEL": "hunter2",
        "TWINLOG_DEFAULT_NAMESPACE": "hunter2!",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert {problem.partition(":")[0] for problem in refused.value.problems} == set(bad)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("users", ["ada:one,ada:two", "devops:x", "ada:", ":x"])
def test_a_user_is_named_once_has_a_password_and_is_not_devops(monkeypatch: pytest.MonkeyPatch, users: str) -> None:
    monkeypatch.setenv("TWINLOG_BASIC_USERS", users)
    with pytest.raises(SettingsInvalid, match="TWINLOG_BASIC_USERS"):
        load_settings()


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_BASIC_USERS", "ada:hunter2")
    monkeypatch.setenv("TWINLOG_DEVOPS_PASSWORD", "hunter2")
    monkeypatch.setenv("TWINLOG_DATABASE_URL", "postgresql://u:hunter2@h/d")
    assert "hunter2" not in repr(load_settings())


def test_a_variable_nobody_reads_is_named() -> None:
    assert unknown_variables({"TWINLOG_HTTP_PROT": "1", "TWINLOG_HTTP_PORT": "1", "HOME": "/"}) == (
        "TWINLOG_HTTP_PROT",
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("15m", 900.0), ("4h", 14_400.0), ("90", 90.0), ("PT2H", 7_200.0)]
)
def test_durations_are_read_as_ditto_or_iso_writes_them(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    monkeypatch.setenv("TWINLOG_POLICY_EXPIRY_GRANULARITY", text)
    assert load_settings().policy_expiry_granularity.total_seconds() == seconds


def test_issuers_are_json_and_say_what_is_wrong_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TWINLOG_OPENID_ISSUERS", '{"kc":{"issuer":"x.org","audience":"a","auth-subjects":["{{jwt:x}}"]}}'
    )
    issuer = load_settings().openid_issuers["kc"]
    assert (issuer.audience, issuer.subjects) == (("a",), ("{{jwt:x}}",))
    assert issuer.authorities == (Authority(names=frozenset({"x.org", "https://x.org"}), url="https://x.org"),)


@pytest.mark.parametrize(
    "given",
    [
        '{"issuer":"x","jwks-uri":"http://k","auth-subjects":"a","prerequisite-conditions":["b"],"audience":"c"}',
        '{"issuers":["x"],"jwksUri":"http://k","authSubjects":["a"],"prerequisiteConditions":"b","audiences":"c"}',
    ],
)
def test_the_members_of_an_issuer_may_be_spelled_as_elsewhere(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    plain = '{"issuer":"x","jwks_uri":"http://k","subjects":["a"],"conditions":["b"],"audience":["c"]}'
    found = []
    for spelled in (plain, given):
        monkeypatch.setenv("TWINLOG_OPENID_ISSUERS", f'{{"p":{spelled}}}')
        found.append(load_settings().openid_issuers)
    assert found[0] == found[1]


def test_an_issuer_may_be_all_that_is_said_of_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_OPENID_ISSUERS", '{"p":"https://x.org/"}')
    assert load_settings().openid_issuers["p"].names == {"https://x.org/"}


def test_one_key_may_stand_for_several_issuers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_OPENID_ISSUERS", '{"a":{"issuers":["x.org/","http://y"]},"b":{"issuer":["z"]}}')
    issuers = load_settings().openid_issuers
    assert [authority.url for authority in issuers["a"].authorities] == ["https://x.org", "http://y"]
    assert issuers["a"].names == {"x.org/", "https://x.org/", "http://y"}
    assert issuers["b"].names == {"z", "https://z"}


@pytest.mark.parametrize(
    "issuers",
    [
        "{",
        "[]",
        '{"a":{}}',
        '{"a:b":{"issuer":"x"}}',
        '{"a":{"issuer":"x?y"}}',
        '{"a":{"issuer":"x","algorithms":["HS256"]}}',
        '{"a":{"issuer":"x","algorithms":[]}}',
        '{"a":{"issuer":"x","subjects":["{{ header:x }}"]}}',
        '{"a":{"issuer":"x","subjects":[]}}',
        '{"a":{"issuer":"x","jwks_file":"/no/such/file"}}',
        '{"a":{"issuer":"x"},"b":{"issuer":"https://x"}}',
        '{"twinlog":{"issuer":"x"}}',
        '{"a":{"issuer":[]}}',
        '{"a":5}',
        '{"a":{"issuer":"x","jwks-uri":"http://k","jwksUri":"http://l"}}',
        '{"a":{"issuer":["x",""]}}',
        '{"a":{"issuer":"x","subjects":["{{ jwt:sub | fn:fly() }}"]}}',
        '{"a":{"issuer":"x","subjects":["{{ jwt:sub | fn:split() }}"]}}',
        '{"a":{"issuer":"x","conditions":["{{ header:x }}"]}}',
        '{"a":{"issuer":"x","jwks_uri":"ftp://x/keys"}}',
        '{"a":{"issuer":"x","jwks_uri":"https://x/keys","jwks_file":"pyproject.toml"}}',
    ],
)
def test_issuers_that_cannot_be_used_stop_the_start(monkeypatch: pytest.MonkeyPatch, issuers: str) -> None:
    monkeypatch.setenv("TWINLOG_OPENID_ISSUERS", issuers)
    with pytest.raises(SettingsInvalid, match="TWINLOG_OPENID_ISSUERS"):
        load_settings()


def test_the_subjects_of_integrations_are_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    template = "hook:{{ header:X-Hook }}:{{ jwt:scope | fn:split(' ') | fn:filter('like','hook-*') }}"
    monkeypatch.setenv("TWINLOG_INTEGRATION_SUBJECT", template)
    assert load_settings().integration_subject == template


@pytest.mark.parametrize(
    "template",
    [
        "nocolon",
        "a:{{ time:now }}",
        "a:{{ jwt:aud | fn:fly() }}",
        "a:{{ header:Authorization }}",
        "a:{{ fn:default(header:cookie) }}",
        "a:{{",
    ],
)
def test_subjects_of_integrations_that_cannot_be_made_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.setenv("TWINLOG_INTEGRATION_SUBJECT", template)
    with pytest.raises(SettingsInvalid, match="TWINLOG_INTEGRATION_SUBJECT"):
        load_settings()


def test_root_policies_are_listed_by_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOG_NAMESPACE_POLICIES", '{"farm.*":["ops:a","ops:b"],"*":["ops:c"]}')
    assert load_settings().root_policies == (("farm.*", "ops:a"), ("farm.*", "ops:b"), ("*", "ops:c"))


@pytest.mark.parametrize("given", ["{", "[]", '{"a b":["x:y"]}', '{"a.**":["x:y"]}', '{"a":["nope"]}', '{"a":"x:y"}'])
def test_root_policies_that_cannot_be_meant_stop_the_start(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("TWINLOG_NAMESPACE_POLICIES", given)
    with pytest.raises(SettingsInvalid, match="TWINLOG_NAMESPACE_POLICIES"):
        load_settings()
