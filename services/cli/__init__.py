"""The command line, ``twinlog``: serve, and everything an operator asks of the log and the read models."""

from services.cli.app import main

__all__ = ["main"]
