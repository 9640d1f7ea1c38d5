"""A load generator for HTTP that costs little itself: raw keep-alive connections, one request in flight on each."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
import uvloop
from typing_extensions import override


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered; counts answers and keeps their latencies."""

    def __init__(self, requests: Iterator[bytes], report: _Report) -> None:
        self._requests = requests
        self._report = report
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
        if self._report.over:
            self._transport.close()
        else:
            self._sent_at = time.perf_counter()
            self._transport.write(next(self._requests))


class _Report:
    """What one run counted."""

    def __init__(self, connections: int, seconds: float) -> None:
        self._open = connections
        self._until = time.perf_counter() + seconds
        self.finished = asyncio.Event()
        self.latencies: list[float] = []
        self.statuses: dict[bytes, int] = {}

    @property
    def over(self) -> bool:
        return time.perf_counter() >= self._until

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
    """Run one job: ``port, method, paths, authorization, body, connections, seconds``."""
    stream = requests(job["method"], job["paths"], job["authorization"], job["body"])
    report = _Report(job["connections"], job["seconds"])
    cpu, began = time.process_time(), time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(job["connections"]):
        await loop.create_connection(lambda: _Connection(stream, report), "127.0.0.1", job["port"])
    await asyncio.wait_for(report.finished.wait(), job["seconds"] + 30)
    took = time.perf_counter() - began
    ordered = sorted(report.latencies)
    return {
        "rate": len(ordered) / took,
        "count": len(ordered),
        "cpu": time.process_time() - cpu,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
        "statuses": {status.decode(): count for status, count in report.statuses.items()},
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(generate(orjson.loads(sys.stdin.buffer.read())))))
