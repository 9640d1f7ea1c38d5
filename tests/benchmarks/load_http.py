"""A load generator for HTTP that costs little itself: raw keep-alive connections, one request in flight on each."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator

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

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or len(rest) < _content_length(head):
            return
        self._received = b""
        self._report.answered(head[9:12], time.perf_counter() - self._sent_at)
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None or self._report.over:
            self._transport.close()
            self._report.closed()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


class _Report:
    """What one run counted."""

    def __init__(self, connections: int, seconds: float) -> None:
        self._open = connections
        self._until = time.perf_counter() + seconds
        self.finished = asyncio.Event()
        self.latencies: list[float] = []
        self.statuses: dict[str, int] = {}

    @property
    def over(self) -> bool:
        return time.perf_counter() >= self._until

    def answered(self, status: bytes, seconds: float) -> None:
        text = status.decode()
        self.statuses[text] = self.statuses.get(text, 0) + 1
        self.latencies.append(seconds)

    def closed(self) -> None:
        self._open -= 1
        if not self._open:
            self.finished.set()


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    return int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def requests(method: str, paths: list[str], authorization: str, body: str) -> Iterator[bytes]:
    """Endless requests over the paths in turn; ``{n}`` in the body becomes a counter."""
    for number, path in enumerate(itertools.cycle(paths)):
        payload = body.replace("{n}", str(number)).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {authorization}\r\n"
        if payload:
            head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        yield head.encode() + b"\r\n" + payload


async def generate(job: dict[str, object]) -> dict[str, object]:
    """Run one job: ``port, method, paths, authorization, body, connections, seconds``."""
    connections, seconds = int(str(job["connections"])), float(str(job["seconds"]))
    stream = requests(str(job["method"]), list(job["paths"]), str(job["authorization"]), str(job["body"]))  # type: ignore[call-overload]  # a list of paths
    report = _Report(connections, seconds)
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(stream, report), "127.0.0.1", int(str(job["port"])))
    await report.finished.wait()
    took = time.perf_counter() - began
    ordered = sorted(report.latencies)
    return {
        "rate": len(ordered) / took,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
        "statuses": report.statuses,
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(generate(orjson.loads(sys.stdin.buffer.read())))))
