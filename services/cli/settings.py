"""``twinlog settings``: what can be set, by which variable, and what is set; and options that stand for a setting."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from rich.table import Table
from rich.text import Text

from services.cli.connection import settings as load
from services.cli.printing import console
from services.settings import Settings, variable_of

FLAGS: Final = {"http_port": "--port", "http_host": "--host", "home": "--home"}
HIDDEN: Final = "(secret)"


def settings(
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The table of the README: variables and defaults.")
    ] = False,
) -> None:
    """Show every setting: its variable, what it is now, and what it is for.

    Values come from the environment; a variable that is set but empty counts as not set. Passwords are not shown.

    Example:
      TWINLOG_GROUP_MAX=64 twinlog settings
    """
    if markdown:
        typer.echo(markdown_table())
        return
    now = load()
    table = Table("variable", "value", "what it is", expand=True)
    for name, field in Settings.model_fields.items():
        value = getattr(now, name)
        style = "bold" if name in now.model_fields_set else "dim"
        table.add_row(variable_of(name), Text(_said(value), style), field.description)
    console().print(table)


def setting(name: str, *, largest: int | None = None) -> Any:  # noqa: ANN401 - what typer.Option gives
    """The option that stands for a setting and wins over its variable; the help shows both."""
    field = Settings.model_fields[name]
    smallest = None if largest is None else 0
    said = f"{field.description} ({variable_of(name)}, else {_said(field.default)})"
    return typer.Option(FLAGS[name], help=said, min=smallest, max=largest)


def markdown_table() -> str:
    """The configuration table of the README."""
    rows = [f"| `{variable_of(name)}` | {_default(field)} | {field.description} |" for name, field in _fields()]
    return "\n".join(("| variable | default | |", "|---|---|---|", *rows))


def _fields() -> list[tuple[str, FieldInfo]]:
    return list(Settings.model_fields.items())


def _default(field: FieldInfo) -> str:
    said = _said(field.get_default(call_default_factory=True))
    return f"`{said}`" if said else ""


def _said(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return HIDDEN
        case bool():
            return str(value).lower()
        case timedelta():
            return f"P{value.days}D" if not value.seconds else f"PT{int(value.total_seconds())}S"
        case dict():
            return ",".join(f"{name}:{HIDDEN}" for name in value)
        case tuple():
            return ",".join(map(str, value))
        case float():
            return f"{value:g}"
    return str(value)
