"""Events turned into read models: checkpointed, owned by one process at a time, rebuildable."""
