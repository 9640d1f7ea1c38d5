"""The commands of ``twinlog`` put together, with the help that they share."""

from __future__ import annotations

import typer

from services.cli.aggregate import aggregate
from services.cli.deadlines import deadlines
from services.cli.demo import demo
from services.cli.events import events
from services.cli.exits import EPILOG
from services.cli.policies import policies
from services.cli.rebuild import rebuild
from services.cli.search import search
from services.cli.search_index import search_index
from services.cli.serve import migrate, serve
from services.cli.settings import settings
from services.cli.status import status
from services.cli.things import things

app = typer.Typer(
    name="twinlog",
    no_args_is_help=True,
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Twinlog: digital twins from one durable log, spoken to in the Eclipse Ditto protocol.",
)
app.command("serve", epilog=EPILOG)(serve)
app.command("migrate", epilog=EPILOG)(migrate)
app.add_typer(events, name="events", epilog=EPILOG)
app.add_typer(things, name="thing", epilog=EPILOG)
app.add_typer(policies, name="policy", epilog=EPILOG)
app.command("rebuild", epilog=EPILOG)(rebuild)
app.command("search", epilog=EPILOG)(search)
app.command("aggregate", epilog=EPILOG)(aggregate)
app.add_typer(search_index, name="search-index", epilog=EPILOG)
app.command("deadlines", epilog=EPILOG)(deadlines)
app.command("status", epilog=EPILOG)(status)
app.command("settings")(settings)
app.command("demo")(demo)


def main() -> None:
    """The entry point of the distribution."""
    app()
