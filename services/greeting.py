"""What ``twinlog serve`` says when it is ready: where it is, the credentials once, four commands to paste."""

from __future__ import annotations

from pathlib import Path

from services.application import Application
from services.credentials import NETRC_NAME

THING = "org.example:pump-7"


def greeting(application: Application) -> str:
    """The words; without passwords except on the start that made them up."""
    parts = [_where(application)]
    credentials = application.credentials
    if credentials is not None and credentials.fresh:
        parts.append(
            "Credentials were made up and are kept in the data folder. They are shown this once:\n"
            f"  API user {credentials.user}, password {credentials.password}\n"
            f"  operator devops, password {credentials.devops_password}"
        )
    if application.servers.amqp_off:
        parts.append(application.servers.amqp_off)
    if application.http_url is not None:
        parts.append(_commands(application.http_url, application.settings.home, made_up=credentials is not None))
    return "\n\n".join(parts)


def _where(application: Application) -> str:
    roles = ", ".join(sorted(application.roles))
    http = f" at {application.http_url}" if application.http_url else ""
    return f"Twinlog is ready{http} ({roles}). Stop it with Ctrl-C."


def _commands(url: str, home: Path, *, made_up: bool) -> str:
    login = f"--netrc-file {home / NETRC_NAME}" if made_up else "-u USER:PASSWORD"
    thing = f"{url}/api/2/things/{THING}"
    body = '{"attributes":{"room":"k1"},"features":{"motor":{"properties":{"rpm":0}}}}'
    return "\n".join(
        (
            "Try it from another terminal:",
            f"  curl {login} -X PUT {thing} -H 'Content-Type: application/json' -d '{body}'",
            f"  curl {login} -X PUT {thing}/features/motor/properties/rpm -H 'Content-Type: application/json' -d 900",
            f"  curl {login} {thing}",
            f"  {_program()} events list --entity {THING}",
        )
    )


def _program() -> str:
    local = Path(".venv/bin/twinlog")
    return str(local) if local.exists() else "twinlog"
