import subprocess
import sys

import pytest

from services.cli.app import COMMANDS
from services.cli.deferred import load_command, unwrapped

HELP = """
import sys
from services.cli import main
sys.argv = ["twinlog", "--help"]
try:
    main()
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_the_first_sentence_of_its_own_help(name: str) -> None:
    told = load_command(name, COMMANDS[name]).help
    assert told.splitlines()[0] == COMMANDS[name].says


def test_the_list_of_commands_is_shown_without_loading_what_they_work_with() -> None:
    shown = subprocess.run((sys.executable, "-c", HELP), capture_output=True, check=True, text=True, timeout=300)
    loaded = shown.stderr.split()
    assert all(f" {name} " in shown.stdout for name in COMMANDS)
    assert "services.cli.deferred" in loaded
    assert {"aiohttp", "aiormq", "alembic", "asyncpg", "pydantic", "sqlalchemy", "uvloop"}.isdisjoint(loaded)


def test_paragraphs_of_a_docstring_are_wrapped_by_the_terminal_and_examples_stay_lines() -> None:
    text = """Do this.

    It is written over
    two lines.

    Examples:
      twinlog do

      twinlog do --more
    """
    assert unwrapped(text).splitlines() == [
        *("Do this.", "", "It is written over two lines.", "", "Examples:"),
        *("  twinlog do", "", "  twinlog do --more"),
    ]
