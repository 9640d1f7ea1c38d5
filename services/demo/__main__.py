"""``python -m services.demo`` is ``twinlog demo``."""

import typer

from services.cli.demo import demo

if __name__ == "__main__":
    typer.run(demo)
