"""The current state of every thing and policy: written by ``TwinsProjection``, read through ``TwinsReader``."""

from projections.twins.loading import Loaded, Snapshot, Twins
from projections.twins.memory import InMemoryTwins
from projections.twins.projection import TwinsProjection
from projections.twins.reader import TwinsReader

__all__ = ["InMemoryTwins", "Loaded", "Snapshot", "Twins", "TwinsProjection", "TwinsReader"]
