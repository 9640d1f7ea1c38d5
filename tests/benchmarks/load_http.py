"""A load generator for HTTP that costs little itself: raw keep-alive connections, one request in flight on each."""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
import uvloop
from typing_extensions import override


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered; counts answers and keeps their latencies."""

    def __init__(self, requests: Iterator[bytes], report: _Report, pace: _Pace) -> None:
        self._requests = requests
        self._report = report
        self._pace = pace
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports only look like asyncio's
        self._send()

    @override
    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + _content_length(data, end):
            self._received = data
            return
        self._received = b""
        self._report.answered(data[9:12], time.perf_counter() - self._sent_at)
        self._send()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._report.closed()

    def _send(self) -> None:
        due = self._pace.due()
        ahead = due - time.perf_counter()
        if ahead > 0:
            asyncio.get_running_loop().call_later(ahead, self._send_due, due)
        else:
            self._send_due(due)

    def _send_due(self, due: float) -> None:
        if self._report.over:
            self._transport.close()
        else:
            self._sent_at = due
            self._transport.write(next(self._requests))


class _Pace:
    """When the next request is due: at once, or at a steady ``rate`` per second, whether answers are late or not."""

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate if rate else 0.0
        self._next = time.perf_counter()

    def due(self) -> float:
        """The time from which the latency of the next request counts."""
        if not self._step:
            return time.perf_counter()
        self._next += self._step
        return self._next


class _Report:
    """What one run counted."""

    def __init__(self, connections: int, seconds: float, count: float) -> None:
        self._open = connections
        self._until = time.perf_counter() + seconds
        self._enough = count
        self.finished = asyncio.Event()
        self.latencies: list[float] = []
        self.statuses: dict[bytes, int] = {}

    @property
    def over(self) -> bool:
        return time.perf_counter() >= self._until or len(self.latencies) >= self._enough

    def answered(self, status: bytes, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(seconds)

    def closed(self) -> None:
        self._open -= 1
        if not self._open:
            self.finished.set()


def _content_length(data: bytes, end: int) -> int:
    at = data.find(b"Content-Length:", 0, end)
    return int(data[at + 15 : data.index(b"\r\n", at)]) if at >= 0 else 0


def requests(method: str, paths: list[str], authorization: str, body: str) -> Iterator[bytes]:
    """Endless requests over the paths in turn; ``{n}`` in the body becomes a counter."""
    common = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: {authorization}\r\n"
    heads = [f"{method} {path}{common}".encode() for path in paths]
    if not body:
        yield from itertools.cycle([head + b"\r\n" for head in heads])
    for number, head in enumerate(itertools.cycle(heads)):
        payload = body.replace("{n}", str(number)).encode()
        yield b"%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (head, len(payload), payload)


async def generate(job: dict[str, Any]) -> dict[str, object]:
    """Run one job: ``port, method, paths, authorization, body, connections, seconds``.

    ``rate`` (requests per second) is that of all connections together; without it they ask as fast as they can.
    ``count`` ends it earlier, after so many answers.
    """
    stream = requests(job["method"], job["paths"], job["authorization"], job["body"])
    report = _Report(job["connections"], job["seconds"], job.get("count", math.inf))
    pace = _Pace(job.get("rate", 0.0))
    cpu, began = time.process_time(), time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(job["connections"]):
        await loop.create_connection(lambda: _Connection(stream, report, pace), "127.0.0.1", job["port"])
    await asyncio.wait_for(report.finished.wait(), job["seconds"] + 30)
    took = time.perf_counter() - began
    ordered = sorted(report.latencies)
    return {
        "rate": len(ordered) / took,
        "count": len(ordered),
        "cpu": time.process_time() - cpu,
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[int(len(ordered) * 0.95)],
        "p99": ordered[int(len(ordered) * 0.99)],
        "statuses": {status.decode(): count for status, count in report.statuses.items()},
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(generate(orjson.loads(sys.stdin.buffer.read())))))
