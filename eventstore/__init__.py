"""Streams of immutable events on PostgreSQL: append, read, subscribe. Knows no Ditto word."""
