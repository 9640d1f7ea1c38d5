"""Every bound of commanding in one place: how much may wait, how long, how often something is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.context import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandingLimits:
    """Bounds with the defaults of a small server. Durations are in seconds, sizes in bytes."""

    group_max: int = 256
    """Commands in one append at most."""

    queue_max: int = 10_000
    """Commands waiting at most; one more is refused with 503."""

    attempts_max: int = 8
    """How often one command is decided against competing writers before it is refused with 503."""

    attempts_beside_others: int = 2
    """How often of these it may be overtaken; from then on nobody else can append while it is decided."""

    rules: Limits = DEFAULT_LIMITS
    """How large and deep things and policies may become."""

    cache_entries: int = 50_000
    cache_bytes: int = 64 * 1024 * 1024
    """States kept in memory: whichever bound is reached first drops the longest unused."""

    enforcers: int = 20_000
    """Policies kept ready to be asked."""

    remembered_commands: int = 20_000
    remembered_bytes: int = 8 * 1024 * 1024
    """Command ids whose answers are known without asking the log."""

    timeout_seconds: float = 60.0
    """How long ``execute`` waits when the caller names no timeout (Ditto's default and maximum)."""

    store_seconds: float = 10.0
    """One load or append that takes longer counts as a store that is not there."""

    resolve_seconds: float = 5.0
    """How long a lost append is tried again before its commands are answered that the outcome is unknown."""

    stop_seconds: float = 10.0
    """How long leaving the ``async with`` block waits for what is on its way."""
