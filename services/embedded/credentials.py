"""How clients reach an embedded server: user, password and port, made once and kept beside its data."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from services.embedded.accounts import Account

FILE = "connection.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A server's user and password, and the loopback port it listened on last (None before its first start)."""

    user: str
    password: str
    port: int | None = None

    @classmethod
    def new(cls, user: str) -> Self:
        """Credentials with a fresh password of 192 bits that needs no quoting in a URL."""
        return cls(user=user, password=secrets.token_urlsafe(24))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """What is kept in the folder, None when there is nothing."""
        try:
            return cls(**json.loads((folder / FILE).read_text()))
        except FileNotFoundError:
            return None

    def save(self, folder: Path) -> Self:
        """Keep them in the folder, readable by ourselves alone."""
        write_secret(folder / FILE, json.dumps(asdict(self)), None)
        return self

    def at(self, port: int) -> Self:
        """The same for another port."""
        return replace(self, port=port)


def write_secret(path: Path, text: str, account: Account | None) -> None:
    """Write a file that only its owner (the account, or ourselves) may read, complete or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    if account:
        account.own(draft)
    draft.replace(path)
