"""Get RabbitMQ onto this machine: `python -m services.embedded.provision`, called by the Makefile's set-up.

Root installs Debian's package, without letting it start the system-wide broker that would take the usual port. An
ordinary user cannot install, but can fetch the same packages from the same sources with an apt state of his own, and
unpack them below the data folder.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.embedded.installations import UNPACKED, Installation, find_installation
from services.embedded.processes import ServerFailed

PACKAGE = "rabbitmq-server"
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# twinlog: RabbitMQ is being installed and must not be started\nexit 101\n"
NEEDED = ("rabbitmq-", "erlang-", "lib")
"""What the node needs of the package's dependencies; the rest (adduser, logrotate ...) serves the system-wide one."""

PATIENT = ("-o", "Acquire::Retries=5", "-o", "DPkg::Lock::Timeout=300")
"""A mirror that stumbles is asked again, and another apt that is at work is waited for."""

HOOKLESS = "".join(
    f"#clear {hook};\n"
    for hook in ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success")
)
ERLANG_ROOT = "ROOTDIR=/usr/lib/erlang\n"
ERLANG_ROOT_FOUND = 'ROOTDIR="$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)"\n'


def provision(home: Path) -> Installation:
    """The RabbitMQ to use, installed or unpacked if there is none yet; `ServerFailed` says what to do otherwise."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "provision.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := find_installation(home)) is not None:
            return found
        if not shutil.which("apt-get"):
            raise ServerFailed("RabbitMQ is not installed, and this is not a Debian on which we could get it")
        _say("RabbitMQ is missing; getting Debian's package (once)")
        if os.geteuid() == 0:
            _install()
        else:
            _unpack(home.resolve())
        if (found := find_installation(home)) is not None:
            return found
        raise ServerFailed("RabbitMQ's packages came without the programs we start")


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_starts():
        _run(["apt-get", *PATIENT, "update", "-qq"], environment)
        _run(["apt-get", *PATIENT, "install", "-qq", "-y", "--no-install-recommends", PACKAGE], environment)
    if Path("/run/systemd/system").exists():
        _run(["systemctl", "disable", "--quiet", PACKAGE], environment)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's own switch (policy-rc.d) against starting a service on installation; what was there comes back."""
    saved = POLICY.with_name("policy-rc.d.before-twinlog")
    if POLICY.exists() and POLICY.read_text() != POLICY_TEXT:
        POLICY.replace(saved)
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if saved.exists():
            saved.replace(POLICY)


def _unpack(home: Path) -> None:
    state, draft = home / "apt", home / f"{UNPACKED}-draft"
    for folder in (state, draft):
        shutil.rmtree(folder, ignore_errors=True)
    for part in ("lists/partial", "archives/partial", "debs"):
        (state / part).mkdir(parents=True)
    (state / "nothing-installed").touch()
    (state / "apt.conf").write_text(HOOKLESS)
    apt = _private_apt(state, Path("/var/lib/dpkg/status"))
    _run([*apt, "update"])
    missing = _would_install(apt)
    complete = _would_install(_private_apt(state, state / "nothing-installed"))
    # Parts of Erlang that the system has do not help: all of it must lie below one root.
    wanted = missing | {name for name in complete if name.startswith(("rabbitmq-", "erlang-"))}
    _run([*apt, "download", *sorted(wanted)], folder=state / "debs")
    for package in sorted((state / "debs").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(draft)])
    _repair_erlang(draft / "usr/lib/erlang/bin/erl")
    shutil.rmtree(home / UNPACKED, ignore_errors=True)
    draft.rename(home / UNPACKED)
    shutil.rmtree(state)


def _private_apt(state: Path, status: Path) -> list[str]:
    options = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": status,
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
    }
    pairs = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["apt-get", "-qq", "-c", str(state / "apt.conf"), *PATIENT, *pairs]


def _would_install(apt: Sequence[str]) -> set[str]:
    plan = _run([*apt, "--simulate", "--no-install-recommends", "install", PACKAGE])
    names = {line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")}
    return {name for name in names if name.startswith(NEEDED)}


def _repair_erlang(script: Path) -> None:
    """Let `erl` find its root from where it lies; Debian's build has the path written in."""
    text = script.read_text()
    if ERLANG_ROOT not in text:
        raise ServerFailed(f"{script} does not name its root the way we know")
    script.write_text(text.replace(ERLANG_ROOT, ERLANG_ROOT_FOUND))


def _run(argv: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(
        argv, check=False, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise ServerFailed(f"{' '.join(argv[:1])} failed while getting RabbitMQ:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main() -> int:
    """Provide RabbitMQ below `TWINLOG_HOME`; with `--optional`, go on without it and say so in one line."""
    parser = argparse.ArgumentParser(prog="provision", description="Get RabbitMQ if this machine has none.")
    parser.add_argument("--optional", action="store_true", help="no failure: AMQP stays off")
    optional = parser.parse_args().optional
    if optional and os.environ.get("TWINLOG_AMQP_URL"):
        return 0
    try:
        provision(Path(os.environ.get("TWINLOG_HOME", ".twinlog")))
    except ServerFailed as error:
        _say(str(error))
        if not optional:
            return 1
        _say("AMQP is off; switch it on with `apt-get install rabbitmq-server`, or set TWINLOG_AMQP_URL to a broker")
    return 0


if __name__ == "__main__":
    sys.exit(main())
