"""Everything that can be set from outside: one frozen tree, read once from ``TWINLOG_*`` variables.

A bad environment stops the start with every problem listed (``SettingsInvalid``), each with its variable and without
its value, because the value may be a secret. Unknown variables are left alone: an orchestrator puts variables of its
own beside ours (``TWINLOG_SERVICE_HOST`` for a Kubernetes service of this name).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from protocol.durations import parse_duration
from protocol.errors import JsonInvalid, PlaceholderNotResolvable, PolicySubjectIdInvalid, TimeoutInvalid
from protocol.json import parse
from protocol.placeholders import expand
from protocol.policies.values import check_subject_id
from services.auth.issuers import Issuer
from services.searching.solutions import Solution

PREFIX: Final = "TWINLOG_"
DEVOPS_USER: Final = "devops"
AMQP_OFF: Final = "off"
NAMESPACE: Final = r"^[a-zA-Z]\w*([.-][a-zA-Z]\w*)*$"


class SettingsInvalid(Exception):
    """The environment cannot be used; ``problems`` lists everything that is wrong with it, one line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(("The environment is not usable:", *(f"  {problem}" for problem in problems))))
        self.problems = problems


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _users(value: object) -> object:
    """Read ``user:password,user:password``; a password may hold colons but no comma."""
    if not isinstance(value, str):
        return value
    users: dict[str, SecretStr] = {}
    for number, part in enumerate(filter(None, (part.strip() for part in value.split(","))), start=1):
        user, colon, password = part.partition(":")
        if not (user and colon and password):
            raise ValueError(f"user number {number} is not written as user:password")
        if user in users or user == DEVOPS_USER:
            raise ValueError(f"user number {number} has a name that is taken")
        users[user] = SecretStr(password)
    return users


def _url_of(*schemes: str) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        scheme, separator, _ = url.get_secret_value().partition("://")
        if not separator or scheme not in schemes:
            raise ValueError("must begin with " + " or ".join(f"{scheme}://" for scheme in schemes))
        return url

    return AfterValidator(check)


def _amqp_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if text != AMQP_OFF and not text.startswith(("amqp://", "amqps://")):
        raise ValueError("must begin with amqp:// or amqps://, or be the word off")
    return url


def _duration(value: object) -> object:
    """Read ``90``, ``500ms``, ``15m``, ``4h``; anything else is left to be read as ISO 8601."""
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except TimeoutInvalid:
            return value
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta())]
Granule = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(milliseconds=1))]


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except JsonInvalid:
        raise ValueError("is not written as a JSON object") from None


def _different_issuers(issuers: dict[str, Issuer]) -> dict[str, Issuer]:
    if "twinlog" in issuers:
        raise ValueError("the key twinlog is taken: it is how the service names itself")
    names = [name for issuer in issuers.values() for name in issuer.names]
    if len(set(names)) != len(names):
        raise ValueError("an issuer is listed under two keys")
    return issuers


def _integration_subject(template: str) -> str:
    def anything(name: str) -> tuple[str, ...]:
        return (name,)

    try:
        (example,) = expand(template, {"policy-entry": anything, "jwt": anything, "header": anything})
        check_subject_id(example)
    except (PlaceholderNotResolvable, PolicySubjectIdInvalid) as error:
        raise ValueError(
            "must be issuer:subject and may hold policy-entry:label, jwt:<claim>, header:<name>"
        ) from error
    return template


Solutions = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100)], Solution], NoDecode, BeforeValidator(_json_object)
]
Users = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_users)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]
Issuers = Annotated[
    dict[Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$")], Issuer],
    NoDecode,
    BeforeValidator(_json_object),
    AfterValidator(_different_issuers),
]
DatabaseUrl = Annotated[SecretStr, _url_of("postgresql", "postgres")]
AmqpUrl = Annotated[SecretStr, AfterValidator(_amqp_url)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=255)]


class Settings(BaseSettings):
    """The settings. The variable of a field is ``TWINLOG_`` and the field's name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    home: Path = Field(
        default=Path(".twinlog"), description="Folder for data, private servers and made-up credentials."
    )

    http_host: Name = Field(
        default="127.0.0.1", description="Address the HTTP server binds; only loopback until told otherwise."
    )
    http_port: Port = Field(default=8080, description="Port of the HTTP server; 0 lets the system choose.")
    http_max_body_bytes: Count = Field(
        default=1_048_576, description="Longest request body accepted, in bytes; longer is 413."
    )
    http_max_uri_bytes: Count = Field(
        default=8_192, description="Longest request line accepted, in bytes; longer is 414."
    )
    http_max_header_bytes: Count = Field(
        default=16_384, description="Longest single header accepted, in bytes; longer is 431."
    )
    http_timeout_seconds: Seconds = Field(
        default=60, description="How long an HTTP command waits when it names no timeout."
    )
    http_rate_per_address: Rate | None = Field(
        default=None,
        description="Requests per second of one address before 429; 0 for none; unset: none on loopback, else 2000.",
    )
    http_rate_per_subject: Rate | None = Field(
        default=None,
        description="Requests per second of one subject before 429; 0 for none; unset: none on loopback, else 1000.",
    )
    public_url: str | None = Field(
        default=None,
        description="Scheme and authority for Location headers, when a proxy hides them; else those of the request.",
    )

    database_url: DatabaseUrl | None = Field(
        default=None,
        description="PostgreSQL to use, as postgresql://user:password@host:port/name; unset starts an embedded one.",
    )
    database_pool_size: Count = Field(default=10, description="Most connections held to the database.")

    amqp_url: AmqpUrl | None = Field(
        default=None, description="RabbitMQ to use, or off; unset starts an own broker where RabbitMQ is installed."
    )
    amqp_prefetch: Annotated[int, Field(ge=1, le=65_535)] = Field(
        default=1_000, description="Most messages taken from the broker and not yet acknowledged."
    )
    amqp_commands: Name = Field(
        default="twinlog.commands", description="Topic exchange, and queue of the same name, for commands."
    )
    amqp_events: Name = Field(default="twinlog.events", description="Topic exchange that every event is published on.")
    amqp_announcements: Name = Field(
        default="twinlog.announcements", description="Topic exchange for policy announcements."
    )
    amqp_dead_letters: Name = Field(
        default="twinlog.dead-letters",
        description="Exchange, and queue of the same name, for messages refused for good.",
    )
    amqp_subjects: Names = Field(
        default=("amqp:{user_id}",),
        description="Subjects of a message whose user_id the broker vouches for; comma separated.",
    )
    amqp_default_subjects: Names = Field(
        default=(), description="Subjects of a message without user_id; none means that it is refused."
    )

    amqp_event_subjects: Names = Field(
        default=(),
        description="Publish only what these subjects may READ; none means that the exchange gets every event.",
    )

    basic_users: Users = Field(
        default_factory=dict, description="Users with passwords for HTTP Basic, as user:password,user:password."
    )
    basic_subject_prefix: Name = Field(
        default="nginx", description="Issuer of basic users: the subject is <prefix>:<user>."
    )
    pre_authentication: bool = Field(
        default=False,
        description="Believe the header x-ditto-pre-authenticated; only behind a proxy that sets or removes it.",
    )
    openid_issuers: Issuers = Field(
        default_factory=dict,
        description="OpenID Connect issuers of bearer tokens, as JSON: subject prefix to issuer, audience, subjects.",
    )
    integration_subject: Annotated[str, AfterValidator(_integration_subject)] = Field(
        default="integration:{{policy-entry:label}}:{{jwt:aud}}",
        description="Template of the subjects that token integrations get; may hold policy-entry:label, jwt:, header:.",
    )
    devops_password: SecretStr | None = Field(
        default=None, description="Password of the user devops, who may see status and metrics; unset means nobody may."
    )

    default_namespace: Annotated[str, Field(pattern=NAMESPACE)] = Field(
        default="org.eclipse.ditto", description="Namespace put in front of things created without one."
    )
    thing_max_bytes: Count = Field(
        default=102_400, description="Longest thing accepted, in characters of its JSON; longer is 413."
    )
    policy_max_bytes: Count = Field(default=102_400, description="Longest policy accepted, in characters of its JSON.")
    json_max_depth: Annotated[int, Field(ge=8, le=500)] = Field(
        default=64, description="Deepest nesting of JSON accepted; deeper is 400."
    )

    merge_drop_emptied: bool = Field(
        default=False,
        description="Whether objects that merge-thing-patch-conditions leave empty are taken out of the patch too.",
    )
    policy_expiry_granularity: Granule = Field(
        default=timedelta(hours=1),
        description="The expiry of a subject is rounded up to a multiple, as 1h or ISO 8601.",
    )
    policy_announcement_granularity: Granule = Field(
        default=timedelta(minutes=1), description="How long before the expiry to announce is rounded up to a multiple."
    )
    announcement_grace: Duration = Field(
        default=timedelta(hours=4),
        description="How long after its expiry a subject stays when acknowledgements of its announcement are missing.",
    )
    announcement_randomization: Duration = Field(
        default=timedelta(minutes=5),
        description="How far announcements are spread where the subject asks for no spread of its own.",
    )
    announcement_max_ack_timeout: Granule = Field(
        default=timedelta(seconds=60), description="Longest wait for the acknowledgements of one attempt."
    )

    group_max: Count = Field(default=256, description="Most commands committed in one transaction.")
    queue_max: Count = Field(
        default=10_000, description="Most commands waiting for a transaction; beyond it the answer is 503."
    )
    cache_entries: Count = Field(default=100_000, description="Most thing states held in memory.")

    search_seconds: Seconds = Field(default=10, description="Longest time a search may take that names no timeout.")
    search_pool_size: Count = Field(default=4, description="Most connections held to the database for searches.")
    search_cursor_key: SecretStr | None = Field(
        default=None,
        description="Secret that seals search cursors; the same for all processes. Unset: one of the data folder.",
    )

    solutions: Solutions = Field(
        default_factory=dict,
        description="Customers' accounts, as JSON: name to subjects, namespaces, default-namespace of their searches.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important event logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="Log lines for people or one JSON object each."
    )
    shutdown_seconds: Seconds = Field(default=10, description="Longest time given to commands in flight when stopping.")

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the command line's own values and the environment count; no file is looked for."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    @property
    def amqp_is_off(self) -> bool:
        """Whether AMQP was switched off by hand."""
        return self.amqp_url is not None and self.amqp_url.get_secret_value() == AMQP_OFF

    @property
    def is_loopback(self) -> bool:
        """Whether only processes of this machine can reach the HTTP server."""
        try:
            return ipaddress.ip_address(self.http_host).is_loopback
        except ValueError:
            return self.http_host == "localhost"


def variable_of(field: str) -> str:
    """The environment variable behind a field of ``Settings``, for help texts and problem lists."""
    return PREFIX + field.upper()


def load_settings(**overrides: object) -> Settings:
    """Read the environment; ``overrides`` (what the command line was given) win.

    Raises ``SettingsInvalid`` with every problem found.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them, which is the point
    except ValidationError as invalid:
        raise SettingsInvalid(tuple(_problem(error) for error in invalid.errors(include_input=False))) from None


def unknown_variables(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Variables with our prefix that nothing reads: often a slip of the pen, worth a warning at the start."""
    known = {variable_of(field) for field in Settings.model_fields}
    return tuple(sorted(name for name in environment if name.startswith(PREFIX) and name not in known))


def _problem(error: ErrorDetails) -> str:
    field, *inside = map(str, error["loc"])
    where = f" at {'.'.join(inside)}" if inside else ""
    return f"{variable_of(field)}{where}: {error['msg'].removeprefix('Value error, ')}"
