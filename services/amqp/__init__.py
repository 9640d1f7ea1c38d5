"""AMQP 0-9-1: commands in, replies back, events out, and dead letters with their reason."""
