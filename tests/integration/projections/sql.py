"""Questions that only tests ask."""

from __future__ import annotations

from sqlalchemy import column, select, table
from sqlalchemy.sql.elements import literal_column


def rows_of(name: str) -> str:
    """All rows of a table as text."""
    whole = literal_column(name).op("::")(literal_column("text")).label("row")
    return str(select(whole).select_from(table(name)).order_by(whole))


def backends_in_transaction() -> str:
    """Ends every session that is inside a transaction on this database, except our own."""
    return _KILL


_KILL = str(
    select(literal_column("count(pg_terminate_backend(pid))"))
    .select_from(table("pg_stat_activity", column("pid")))
    .where(literal_column("xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()"))
)
