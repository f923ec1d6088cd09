"""Callers that send reviews to a server without pause, as many at once as are wanted."""

import asyncio
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field

import uvloop


@dataclass
class Outcome:
    """How often each status was answered, and the seconds that each of these answers took."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        self.seconds.setdefault(status, []).append(seconds)

    def percentile(self, status: int, part: float) -> float:
        """Seconds within which that part of the answers with a status came."""
        taken = sorted(self.seconds.get(status, [0.0]))
        return taken[min(len(taken) - 1, int(len(taken) * part))]

    def __str__(self) -> str:
        parts = []
        for status, count in sorted(self.statuses.items()):
            half, most = self.percentile(status, 0.5), self.percentile(status, 0.99)
            parts.append(f"{count} x {status}: median {half:.2f} s, p99 {most:.2f} s")
        return ", ".join(parts)


def overload(port: int, context: ssl.SSLContext, body: bytes, *, callers: int, seconds: float, timeout: int) -> Outcome:
    """What became of the reviews that so many callers sent one after the other, for so many seconds."""
    outcome = Outcome()
    head = (
        f"POST /validate?timeout={timeout}s HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    call = head.encode() + body

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context, ssl_handshake_timeout=120)
        opened.release()
        await start.wait()
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                begun = time.monotonic()
                writer.write(call)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                outcome.add(int(answer.split(b" ")[1]), time.monotonic() - begun)
        finally:
            writer.transport.abort()

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(callers):
                tasks.create_task(caller())
            for _ in range(callers):
                await opened.acquire()
            start.set()

    opened, start = asyncio.Semaphore(0), asyncio.Event()
    uvloop.run(all_of_them())
    return outcome
