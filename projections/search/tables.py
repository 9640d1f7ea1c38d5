"""The tables of the search model as SQLAlchemy sees them; the migration ``pr0003`` makes them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSON

_metadata: Final = MetaData()


def _name(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text(collation="C"), primary_key=key, nullable=False)


things: Final = Table(
    "search_things",
    _metadata,
    _name("thing_id", key=True),
    _name("namespace"),
    Column("policy_id", Text(collation="C")),
    Column("revision", BigInteger, nullable=False),
    _name("created"),
    _name("modified"),
    Column("state", JSON, nullable=False),
)

keys: Final = Table(
    "search_keys",
    _metadata,
    _name("thing_id", key=True),
    _name("key", key=True),
    _name("feature", key=True),
)

grants: Final = Table(
    "search_grants",
    _metadata,
    _name("policy_id", key=True),
    _name("subject", key=True),
    _name("class", key=True),
    Column("rules", JSON, nullable=False),
)

paths: Final = Table("search_paths", _metadata, _name("path", key=True), Column("things", BigInteger, nullable=False))

indexes: Final = Table(
    "search_indexes",
    _metadata,
    _name("namespace", key=True),
    Column("usable", JSON, nullable=False),
)
