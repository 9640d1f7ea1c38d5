"""When subjects of policies are to be announced and removed, and who is just doing it."""

from projections.deadlines.claims import Claims, Release
from projections.deadlines.projection import DeadlinesProjection
from projections.deadlines.reader import DeadlinesReader, Listed
from projections.deadlines.waking import Waking

__all__ = ["Claims", "DeadlinesProjection", "DeadlinesReader", "Listed", "Release", "Waking"]
