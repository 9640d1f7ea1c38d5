"""What can be asked: RQL expressions as one tree, read, printed, and matched in memory."""
