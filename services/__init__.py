"""The wiring: commanding, HTTP, AMQP, projector, authentication, settings and the command line."""
