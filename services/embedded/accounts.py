"""Who an embedded server runs as, and where its folder lies.

An ordinary user runs the servers as himself. Root may not: PostgreSQL refuses to start, and RabbitMQ would listen with
root's rights. So root's servers run as the system user `twinlog`, which is made when it is missing, or as the owner of
the data when an ordinary user created it. That user often cannot enter the place where root keeps his checkout
(`/root` is closed), and opening it would be wrong. Such a folder is kept below `/var/lib/twinlog` instead, and the home
holds a link to it.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYSTEM_USER = "twinlog"
SYSTEM_FOLDER = Path("/var/lib/twinlog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user that servers run as when we are root."""

    uid: int
    gid: int

    def command(self, argv: Sequence[str]) -> list[str]:
        """The same command line, run as this user without any further groups."""
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", *argv]

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may look up names in the folder, parents included."""
        probe = self.command(["test", "-x", str(folder)])
        return subprocess.run(probe, check=False, cwd="/", stderr=subprocess.DEVNULL).returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or folder to this user."""
        os.chown(path, self.uid, self.gid)


def server_folder(home: Path, name: str) -> tuple[Path, Account | None]:
    """The real folder of the server `name` below a home, made if missing, and the account to run it as.

    The folder is mode 0700 and belongs to the account. None means: as ourselves.
    """
    home.mkdir(parents=True, exist_ok=True)
    place = home.resolve() / name
    if os.geteuid() != 0:
        place.mkdir(mode=0o700, exist_ok=True)
        return place.resolve(), None
    if not place.exists():
        account = system_account()
        _make_enterable(place, account)
        return place.resolve(), account
    owner = place.stat()
    account = Account(uid=owner.st_uid, gid=owner.st_gid) if owner.st_uid else system_account()
    if not account.can_enter(place.resolve()):
        message = f"the user with id {account.uid}, who owns {place}, cannot enter it; open its parent folders to him"
        raise PermissionError(message)
    return place.resolve(), account


def remove_server_folder(home: Path, name: str) -> None:
    """Delete everything that the server `name` of this home has kept; it must not be running."""
    place = home / name
    real = place.resolve()
    shutil.rmtree(real, ignore_errors=True)
    if place.is_symlink():
        place.unlink()
        with suppress(OSError):  # other homes have folders there
            SYSTEM_FOLDER.rmdir()


def system_account() -> Account:
    """The system user `twinlog`; made if it is missing, as a package's installation would."""
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        shell = shutil.which("nologin", path="/usr/sbin:/sbin") or "/bin/false"
        # Two processes may get here at once; the loser's complaint that the user exists is no failure.
        made = subprocess.run(
            [
                "useradd",
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                shell,
                SYSTEM_USER,
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            raise PermissionError(f"cannot make the system user {SYSTEM_USER}: {made.stderr.strip()}") from None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _make_enterable(place: Path, account: Account) -> None:
    place.unlink(missing_ok=True)  # a link whose target is gone
    place.mkdir(mode=0o700)
    account.own(place)
    if account.can_enter(place):
        return
    place.rmdir()
    SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=SYSTEM_FOLDER))
    account.own(folder)
    place.symlink_to(folder)
