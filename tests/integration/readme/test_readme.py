"""The README is run: its blocks, in its order, against a service started as it says."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.announcements.envelope import announcement_envelope
from protocol.announcements.watch import Watch
from protocol.identifiers import PolicyId
from protocol.json import JsonObject
from services.cli.settings import markdown_table
from services.settings import load_settings
from tests.integration.cli.program import PROJECT, SECONDS, Ended, Twinlog, clean_environment, end, said
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)  # many processes, each of which takes seconds to start

MARK = "== next =="
CURL = Path(__file__).with_name("curl.py")
README = (PROJECT / "README.md").read_text()


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def block(title: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", section(title), re.DOTALL | re.MULTILINE)
    assert found, f"no {language} block in {title}"
    return found[1]


def console(title: str) -> list[tuple[str, str]]:
    """The commands of a section's console blocks, each with what it is said to show."""
    shown = "".join(re.findall(r"^```console\n(.*?)^```$", section(title), re.DOTALL | re.MULTILINE))
    steps = re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)
    return [(re.sub(r"^> ", "", command, flags=re.MULTILINE), answer) for command, answer in steps]


class Newcomer:
    """Pastes blocks into a shell in the project's folder, where a Twinlog runs on ``.twinlog``."""

    def __init__(self, folder: Path, twinlog: Twinlog) -> None:
        self.folder = folder
        self.twinlog = twinlog

    async def run(self, *command: str) -> Ended:
        environment = {**clean_environment(), **self.twinlog.environment, "TWINLOG_HOME": ".twinlog"}
        environment["PATH"] = f"{self.folder / 'tools'}:{environment['PATH']}"
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env={**environment, "PYTHONPATH": str(PROJECT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return Ended(0, out, err.decode())

    async def paste(self, shell: str) -> str:
        address = self.twinlog.endpoint("http_url").rpartition("@")[2]
        shell = shell.replace("127.0.0.1:8080", address).replace("curl ", "curl --silent --show-error --fail ")
        return (await self.run("bash", "-euo", "pipefail", "-c", shell)).text

    async def broker_is_ready(self) -> bool:
        return "yes" in await self.paste("curl http://127.0.0.1:8080/ready >/dev/null && echo yes || echo no")


def write_program(path: Path, shell: str) -> None:
    path.write_text(f"#!/bin/sh\n{shell}\n")
    path.chmod(0o755)


@pytest.fixture
async def newcomer(tmp_path: Path, database_url: str, amqp_url: str) -> AsyncIterator[Newcomer]:
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    write_program(bin_folder / "twinlog", f'exec "{sys.executable}" -m services.cli "$@"')
    write_program(bin_folder / "python", f'exec "{sys.executable}" "$@"')
    (tmp_path / "tools").mkdir()
    if shutil.which("curl") is None:
        write_program(tmp_path / "tools" / "curl", f'exec "{sys.executable}" "{CURL}" "$@"')
    twinlog = Twinlog(
        {
            "TWINLOG_HOME": str(tmp_path / ".twinlog"),
            "TWINLOG_DATABASE_URL": database_url,
            "TWINLOG_AMQP_URL": amqp_url,
            "PATH": os.environ["PATH"],
        }
    )
    process = await twinlog.start("serve", "--port", "0")
    try:
        await said(process, b"Twinlog is ready")
        person = Newcomer(tmp_path, twinlog)
        await eventually(person.broker_is_ready, within=SECONDS)
        yield person
        await end(process, signal.SIGTERM)
    finally:
        await twinlog.end_all()


def test_the_settings_for_tokens_are_as_the_service_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in re.findall(
        r"^export (\w+)='(.*?)'$", block("Who may, and until when", "text"), re.DOTALL | re.MULTILINE
    ):
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.openid_issuers["login"].subjects == ("{{ jwt:sub }}", "role:{{ jwt:realm_access/roles }}")
    assert list(settings.basic_users) == ["ada"]


def test_the_announcement_shown_is_one_of_ours() -> None:
    subject: JsonObject = {"type": "application", "expiry": "2040-01-01T00:00:00Z"}
    watch = Watch(watch_id="w", subject_id="login:gardener", subject=subject, since=1, stage="announced")
    shown = announcement_envelope(PolicyId("org.example:lamp"), watch)
    said = json.loads(block("Who may, and until when", "json"))
    assert said == {"topic": str(shown.topic), "path": shown.path, "value": shown.value}


async def test_what_the_readme_says_works_in_its_order(newcomer: Newcomer) -> None:
    shown = await newcomer.paste(block("Four requests", "sh"))
    assert '"features":{"light":{"properties":{"on":true}}}' in shown
    assert '"_revision":2' in shown
    assert "created" in shown
    assert "/features/light/properties/on" in "".join(shown.split())

    shown = "".join((await newcomer.paste(block("Who may, and until when", "sh"))).split())
    assert "granted" in shown
    assert '"switch":{"allowed":true' in shown
    assert "login:gardener" in shown
    assert "2040-01-01" in shown

    (newcomer.folder / "send.py").write_text(block("A device speaks AMQP", "python"))
    heard = await newcomer.run(sys.executable, "send.py")
    assert "org.example/thermometer/things/twin/events/created 1" in heard.text
    twin = await newcomer.paste(
        "curl --netrc-file .twinlog/netrc http://127.0.0.1:8080/api/2/things/org.example:thermometer"
    )
    assert '"celsius":21.5' in twin

    operated = await newcomer.paste(block("Operating", "sh"))
    assert "the log ends at position" in operated
    assert '"room": "kitchen"' in operated
    assert (newcomer.folder / "backup.ndjson").read_bytes().count(b"\n") == 6


async def test_the_commands_that_the_greeting_prints_can_be_pasted(newcomer: Newcomer) -> None:
    await newcomer.paste("true")
    process = await newcomer.twinlog.with_(TWINLOG_HOME=str(newcomer.folder / "second")).start("serve", "--port", "0")
    assert process.stdout
    await said(process, b"Try it from another terminal")
    commands = [(await process.stdout.readline()).decode() for _ in range(4)]
    await eventually(newcomer.broker_is_ready, within=SECONDS)
    shown = await newcomer.paste("".join(commands))
    await end(process, signal.SIGTERM)
    assert '"rpm":900' in shown
    assert "org.example:pump-7" in shown


async def test_every_search_of_the_readme_shows_what_it_says(newcomer: Newcomer) -> None:
    steps = console("Search")
    assert len(steps) >= 18
    shell = "".join(f"{command}printf '\\n%s\\n' '{MARK}'\n" for command, _ in steps)
    shown = (await newcomer.paste(shell)).split(MARK)
    for (command, expected), found in zip(steps, shown, strict=False):
        assert found.strip() == expected.strip(), command


def test_the_settings_of_the_readme_are_the_settings() -> None:
    table = section("Settings").partition("--markdown` -->\n")[2].partition("<!-- end of settings -->")[0]
    assert table.strip() == markdown_table()


def test_every_make_target_that_is_mentioned_is_one() -> None:
    targets = re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z]+)", README)) | set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= set(
        targets
    )
