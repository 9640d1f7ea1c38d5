"""What follows from a command to a policy."""
