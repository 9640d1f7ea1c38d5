"""What follows from a command to a thing: the table of resources, decide and evolve."""
