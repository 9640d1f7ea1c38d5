"""Search over the whole fleet: written by ``SearchProjection``, asked through ``SearchReader``."""
