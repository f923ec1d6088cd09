"""The client of the benches: as many calls as a server answers, over a few kept TLS connections, from one core."""

import select
import socket
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Result:
    """Calls answered in ``seconds``, the time each took, the time the server's processor ran, and an answer's body."""

    seconds: float
    times: list[float] = field(repr=False)
    processor_seconds: float = 0.0
    answer: bytes = b""

    @property
    def rate(self) -> float:
        """Calls a second by the clock on the wall: what else runs on the machine is in it."""
        return len(self.times) / self.seconds

    @property
    def rate_per_core(self) -> float:
        """Calls for each second that the server's processor ran: what one core gives when it is not shared."""
        return len(self.times) / self.processor_seconds

    def percentile(self, share: float) -> float:
        """Seconds below which this share of the calls took."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Connection:
    """One call at a time; the bytes of the call are ready beforehand, so that the client is never the slow one."""

    def __init__(self, port: int, context: ssl.SSLContext, call: bytes) -> None:
        raw = socket.create_connection(("localhost", port), 10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(raw, server_hostname="localhost")
        self._call = call
        self._answer = b""
        self._whole = 0
        self.body = b""
        self.started = 0.0

    def start(self) -> None:
        self._answer, self._whole = b"", 0
        self.started = time.perf_counter()
        self.tls.sendall(self._call)

    def read(self) -> bool:
        """Take what is there; whether the answer is complete."""
        data = self.tls.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._answer = self._answer + data if self._answer else data
        if not self._whole:
            end = self._answer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = self._answer[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                raise ConnectionError(f"not 200: {self._answer[:200]!r}")
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._whole = end + 4 + int(length)
        if len(self._answer) < self._whole:
            return False
        self.body = self._answer[self._answer.find(b"\r\n\r\n") + 4 :]
        return True


def http_call(path: str, body: bytes) -> bytes:
    """A call as an API server sends it."""
    head = (
        f"POST {path}?timeout=3s HTTP/1.1",
        "Host: stagegate.stagegate-system.svc:443",
        "User-Agent: kube-apiserver-admission",
        f"Content-Length: {len(body)}",
        "Accept: application/json, */*",
        "Content-Type: application/json",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def processor_seconds(pid: int) -> float:
    """Time that the threads of a process, and of the processes that it started, have run."""
    total = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0]) / 1e9
        total += sum(processor_seconds(int(child)) for child in (task / "children").read_text().split())
    return total


def press(port: int, pid: int, call: bytes, connections: int, seconds: float) -> Result:
    """Keep every connection busy for so long. Raises ConnectionError for anything but answers with status 200."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opened = [Connection(port, context, call) for _ in range(connections)]
    by_descriptor = {each.tls.fileno(): each for each in opened}
    poll = select.epoll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    times: list[float] = []
    try:
        used = processor_seconds(pid)
        begin = time.perf_counter()
        for each in opened:
            each.start()
        now, end = begin, begin + seconds
        while now < end:
            for descriptor, _ in poll.poll(10):
                connection = by_descriptor[descriptor]
                if connection.read():
                    now = time.perf_counter()
                    times.append(now - connection.started)
                    connection.start()
        return Result(now - begin, times, processor_seconds(pid) - used, opened[0].body)
    finally:
        poll.close()
        for each in opened:
            each.tls.close()
