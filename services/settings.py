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

from pydantic import Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from protocol.context import RootPolicies
from protocol.identifiers import PolicyId
from services.setting_values import (
    AMQP_OFF,
    AmqpUrl,
    Count,
    DatabaseUrl,
    Duration,
    Granule,
    Issuers,
    Name,
    Names,
    Namespace,
    NamespacePolicies,
    Networks,
    Port,
    Rate,
    Seconds,
    Solutions,
    SubjectTemplate,
    Users,
)

PREFIX: Final = "TWINLOG_"


class SettingsInvalid(Exception):
    """The environment cannot be used; ``problems`` lists everything that is wrong with it, one line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(("The environment is not usable:", *(f"  {problem}" for problem in problems))))
        self.problems = problems


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
        description="Requests per second of one address before 429; 0 for none; unset: 2000, on loopback none.",
    )
    http_rate_per_subject: Rate | None = Field(
        default=None,
        description="Requests per second of one subject before 429; 0 for none; unset: 1000, on loopback none.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description=(
            "Addresses or networks of proxies in front, comma separated: the last other address in Forwarded or"
            " X-Forwarded-For is the client's, and loopback is open to strangers."
        ),
    )
    public_url: str | None = Field(
        default=None,
        description="Scheme and authority for Location headers, when a proxy hides them; else those of the request.",
    )

    database_url: DatabaseUrl | None = Field(
        default=None,
        description="PostgreSQL to use, as postgresql://user:password@host:port/name; unset starts an embedded one.",
    )
    database_pool_size: Annotated[int, Field(ge=2)] = Field(
        default=10, description="Most connections held to the database, 2 at least."
    )

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
    openid_max_token_bytes: Count = Field(
        default=16_384,
        description=(
            "Longest bearer token accepted; longer is 401. Its header is bounded by TWINLOG_HTTP_MAX_HEADER_BYTES, too."
        ),
    )
    integration_subject: SubjectTemplate = Field(
        default="integration:{{policy-entry:label}}:{{jwt:aud}}",
        description="Template of the subjects that token integrations get; may hold policy-entry:label, jwt:, header:.",
    )
    devops_password: SecretStr | None = Field(
        default=None, description="Password of the user devops, who may see status and metrics; unset means nobody may."
    )

    default_namespace: Namespace = Field(
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
    namespace_policies: NamespacePolicies = Field(
        default_factory=dict,
        description=(
            "Root policies, as JSON: namespace (also a.b.* or *) to ids of policies whose implicit entries are added to"
            " every policy in it. Changed: rebuild search."
        ),
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

    @property
    def root_policies(self) -> RootPolicies:
        """``namespace_policies`` as the rules want them."""
        return tuple((pattern, PolicyId(each)) for pattern, ids in self.namespace_policies.items() for each in ids)

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
    def is_private(self) -> bool:
        """Whether only processes of this machine can reach the HTTP server, and no proxy brings in others."""
        return self._is_loopback and not self.trusted_proxies

    @property
    def _is_loopback(self) -> bool:
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
