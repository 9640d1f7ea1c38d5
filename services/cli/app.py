"""The commands of ``twinlog`` put together, with the help that they share."""

from __future__ import annotations

import typer

from services.cli.events import events
from services.cli.policies import policies
from services.cli.rebuild import rebuild
from services.cli.serve import migrate, serve
from services.cli.status import status
from services.cli.things import things

EPILOG = (
    "Commands find the database by TWINLOG_DATABASE_URL, or by the service that runs on TWINLOG_HOME (.twinlog). "
    "Exit codes: 0 done, 1 failed or found wrong, 2 wrong usage or settings, 3 a server was not reached, 4 not found, "
    "130 interrupted."
)

app = typer.Typer(
    name="twinlog",
    no_args_is_help=True,
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Twinlog: digital twins from one durable log, spoken to in the Eclipse Ditto protocol.",
)
app.command("serve")(serve)
app.command("migrate")(migrate)
app.add_typer(events, name="events")
app.add_typer(things, name="thing")
app.add_typer(policies, name="policy")
app.command("rebuild")(rebuild)
app.command("status")(status)


def main() -> None:
    """The entry point of the distribution."""
    app()
