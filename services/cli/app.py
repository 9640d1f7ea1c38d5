"""The commands of ``twinlog`` put together: which there are, and where each is loaded from when it is called."""

from __future__ import annotations

from typing import Final

import typer

from services.cli.deferred import Listed, defer
from services.cli.exits import ASKING, EPILOG, EXIT_CODES

COMMANDS: Final = {
    "serve": Listed(place="services.cli.serve:serve", says="Run the service until SIGTERM or Ctrl-C."),
    "migrate": Listed(
        place="services.cli.serve:migrate",
        says="Bring the database schema up to date; safe to repeat, and safe while other processes start.",
    ),
    "events": Listed(
        place="services.cli.events:events",
        says="Read the log: every change of every thing and policy, in one order.",
    ),
    "thing": Listed(
        place="services.cli.things:things",
        says="Show one twin and its history, straight from the log.",
    ),
    "policy": Listed(place="services.cli.policies:policies", says="Look into policies, straight from the log."),
    "rebuild": Listed(
        place="services.cli.rebuild:rebuild",
        says="Build read models again from the whole log while the service runs, then swap them in.",
    ),
    "search": Listed(
        place="services.cli.search:search",
        says="Find things by RQL in the running service.",
        epilog=ASKING,
    ),
    "aggregate": Listed(
        place="services.cli.aggregate:aggregate",
        says="Count things and sum up what they have, the groups of most things first.",
        epilog=ASKING,
    ),
    "search-index": Listed(
        place="services.cli.search_index:search_index",
        says="Say what of a namespace can be searched.",
    ),
    "deadlines": Listed(
        place="services.cli.deadlines:deadlines",
        says="Show what is due when for subjects that expire or are to be announced, and what became of them.",
    ),
    "status": Listed(
        place="services.cli.status:status",
        says="Show the servers reached, the head of the log, and each read model's checkpoint and lag.",
    ),
    "settings": Listed(
        place="services.cli.settings:settings",
        says="Show every setting: its variable, what it is now, and what it is for.",
        epilog=EXIT_CODES,
    ),
    "demo": Listed(
        place="services.cli.demo:demo",
        says="Show everything at work: 3 376 airports over HTTP, 17 518 temperatures over RabbitMQ, counts that agree.",
        epilog=EXIT_CODES,
    ),
}

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def twinlog() -> None:
    """Twinlog: digital twins from one durable log, spoken to in the Eclipse Ditto protocol."""


for name, listed in COMMANDS.items():
    defer(app, name, listed)


def main() -> None:
    """The entry point of the distribution."""
    app()
