"""Servers that Twinlog brings along: a PostgreSQL and a RabbitMQ of its own, private to one data folder.

`make run` and the test-suite use them, so that neither needs a prepared machine. Each server binds loopback only, on a
free port, with generated credentials, keeps everything it writes below its home, and dies with the process owning it.
Production points `TWINLOG_DATABASE_URL` and `TWINLOG_AMQP_URL` at real servers and never imports this package.

`accounts` answers who a server runs as and where its folder may lie, `credentials` keeps its port and password,
`processes` starts, watches and ends one process, `postgres` and `rabbitmq` are the two servers, `installations` finds
RabbitMQ's programs and `provision` gets them.
"""
