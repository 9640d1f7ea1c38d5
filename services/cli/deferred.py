"""Commands that are loaded when they are called: asking for help, or for one command, does not import them all.

A command works with a database driver, an HTTP client, a broker's client or the migrations, and its module imports them
at the top as any module does. What is listed before one is called needs a name and a sentence, and that is all there is
of it until then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_group
from typing_extensions import override

from services.cli.exits import EPILOG


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A command before it is loaded: where it is, as ``module:name``, and the first sentence of its help."""

    place: str
    says: str
    epilog: str = EPILOG


class Deferred(TyperCommand):
    """Stands for a command until it is called. Its callback loads the command, which then reads the arguments.

    ``Any`` here: Typer keeps the types of its contexts to itself.
    """

    @override
    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        assert self.callback is not None  # noqa: S101 - defer gave it
        return self.callback().make_context(info_name, args, parent, **extra)


def defer(app: typer.Typer, name: str, listed: Listed) -> None:
    """Add a command to the program without loading it."""

    def load() -> Any:  # noqa: ANN401 - a command or a group of them
        return load_command(name, listed)

    app.command(name, cls=Deferred, help=listed.says)(load)


def load_command(name: str, listed: Listed) -> Any:  # noqa: ANN401 - a command or a group of them
    """The command itself, a function or a group of commands in its module, as Typer makes it."""
    module, _, member = listed.place.partition(":")
    found = getattr(import_module(module), member)
    alone = typer.Typer()
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name, epilog=listed.epilog)
    else:
        alone.command(name, epilog=listed.epilog)(found)
    command = get_group(alone).commands[name]
    for each in (command, *getattr(command, "commands", {}).values()):
        each.help = unwrapped(each.help)
    return command


def unwrapped(text: str) -> str:
    """A docstring as help: each paragraph is one line, for the terminal to wrap; indented lines, examples, stay."""
    return re.sub(r"(?<=\S)\n(?=\S)", " ", cleandoc(text))
