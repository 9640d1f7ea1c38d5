"""Where RabbitMQ's programs are on this machine: installed from Debian's packages, or unpacked below the home.

Debian's `/usr/sbin/rabbitmq-server` is a wrapper that insists on the user `rabbitmq` and on its own folders. The
scripts it calls, in `sbin` of the release, do neither; they are what we start.
"""

import os
from dataclasses import dataclass
from pathlib import Path

UNPACKED = "rabbitmq-server"
"""Folder below the home into which `provision` unpacks RabbitMQ for an ordinary user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One RabbitMQ release with the Erlang that runs it."""

    scripts: Path
    """The folder of the release's own `rabbitmq-server` and `rabbitmqctl`."""
    erlang: Path
    """The folder of `erl` and `epmd`."""
    libraries: tuple[Path, ...] = ()
    """Folders of shared libraries that the system lacks."""

    def environment(self) -> dict[str, str]:
        """The variables by which the scripts find their Erlang and its libraries."""
        variables = {"PATH": f"{self.erlang}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        if self.libraries:
            variables["LD_LIBRARY_PATH"] = ":".join(map(str, self.libraries))
        return variables


def find_installation(home: Path) -> Installation | None:
    """The system's RabbitMQ, else the one unpacked below the home or the folder that holds it, else None.

    The demonstration's home lies in the data folder below which the set-up unpacks.
    """
    folder = home.resolve()
    places = (Path("/"), folder / UNPACKED, folder.parent / UNPACKED)
    return next((found for place in places if (found := installation_at(place)) is not None), None)


def installation_at(root: Path) -> Installation | None:
    """The RabbitMQ whose packages lie below this root, if it is complete."""
    releases = sorted((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    erlang = root / "usr/lib/erlang/bin"
    if not releases or not (erlang / "erl").exists():
        return None
    folders = () if root == Path("/") else _library_folders(root)
    return Installation(scripts=releases[-1].parent, erlang=erlang, libraries=folders)


def _library_folders(root: Path) -> tuple[Path, ...]:
    triplet = f"{os.uname().machine}-linux-gnu"
    places = [root / top / triplet for top in ("lib", "usr/lib")]
    return tuple(place for place in places if place.is_dir())
