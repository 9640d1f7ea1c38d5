"""Questions that only tests ask."""

from __future__ import annotations

from sqlalchemy import literal_column, select, table


def rows_of(name: str) -> str:
    """All rows of a table as text, in order."""
    whole = literal_column(name).op("::")(literal_column("text")).label("row")
    return str(select(whole).select_from(table(name)).order_by(whole))


END_TRANSACTIONS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()
"""
"""Ends every session that is inside a transaction on this database, except the one that asks."""

WRITES = "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables WHERE relname = $1"
"""Rows of a table written by the current transaction."""
