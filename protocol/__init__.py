"""The Eclipse Ditto protocol as a pure library: how it is said, what may be said, what follows, who may."""
