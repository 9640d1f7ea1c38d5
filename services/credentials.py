"""The first start's credentials: made up, kept privately in the data folder, told once, never a default.

``credentials.json`` holds them for us; ``netrc`` says the same to ``curl --netrc-file``, so that the commands that are
printed can be pasted without a password in them.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from services.endpoints import write_private

FILE_NAME = "credentials.json"
NETRC_NAME = "netrc"
USER = "twinlog"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpCredentials:
    """A user of the API and the password of ``devops``. ``fresh`` on the start that made them up."""

    user: str
    password: str
    devops_password: str
    fresh: bool = False


def keep_credentials(home: Path, host: str) -> MadeUpCredentials:
    """The credentials of this data folder, made up if it has none."""
    path = home / FILE_NAME
    try:
        return MadeUpCredentials(**orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        made_up = MadeUpCredentials(
            user=USER, password=secrets.token_urlsafe(18), devops_password=secrets.token_urlsafe(18)
        )
    write_private(home / NETRC_NAME, f"machine {host} login {USER} password {made_up.password}\n".encode())
    write_private(path, orjson.dumps(asdict(made_up)))
    return MadeUpCredentials(**{**asdict(made_up), "fresh": True})
