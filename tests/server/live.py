"""A server in a process of its own, as in a pod, and clients of it over real TLS."""

import http.client
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
JSON = {"Content-Type": "application/json"}


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Live:
    """A running server. Every wait has a deadline, and fails the test when it passes."""

    process: subprocess.Popen[bytes]
    port: int
    pages: int
    certificates: Path
    log: Path

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificates / "ca.crt")

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", self.port, timeout=10, context=self.client_context())

    def tls(self) -> ssl.SSLSocket:
        """A connection after its handshake, for bytes that no HTTP client would send."""
        raw = socket.create_connection(("localhost", self.port), 10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.client_context().wrap_socket(raw, server_hostname="localhost")

    def get(self, path: str) -> Reply:
        """A page, over plain HTTP on its own port."""
        connection = http.client.HTTPConnection("localhost", self.pages, timeout=10)
        try:
            connection.request("GET", path)
            return reply_of(connection.getresponse())
        finally:
            connection.close()

    def post(self, path: str, body: Any, headers: Mapping[str, str] = JSON) -> Reply:
        return self.send("POST", path, body, headers)

    def answers(self, review: Any) -> bool:
        """True if a new connection gets a verdict on this review."""
        try:
            return self.post("/validate", review).status == 200
        except OSError:
            return False

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            return reply_of(connection.getresponse())
        finally:
            connection.close()

    def metric(self, sample: str) -> float:
        """The value of a sample, by its whole name with labels."""
        for line in self.get("/metrics").body.decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        raise AssertionError(f"no sample {sample}")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def reply_of(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


@contextmanager
def running(
    certificates: Path,
    folder: Path,
    *options: str,
    before: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Live]:
    """``stagegate serve`` on a free port, standing alone by default, until the block ends.

    ``before`` is a command that runs it, such as nohup; ``environment`` adds variables to those of this process.
    """
    log = folder / "serve.log"
    command = [*before, sys.executable, "-m", "webhook", "serve"]
    command += ["--port", "0", "--host", "localhost", "--pages-port", "0"]
    if not {"--kubeconfig", "--standalone"} & set(options):
        command.append("--standalone")
    if "--cert-dir" not in options and "--tls-cert" not in options:
        command += ["--cert-dir", str(certificates)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "HOME": "/nowhere", **environment},
        )
    try:
        yield Live(process, *_ports_of(process, log), certificates, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _ports_of(process: subprocess.Popen[bytes], log: Path) -> tuple[int, int]:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], 30)
    line = process.stdout.readline().decode() if readable else ""
    serving, _, pages = line.partition(", pages ")
    assert serving.startswith("serving https://"), f"{line!r}; log: {log.read_text()}"
    return int(serving.rpartition(":")[2]), int(pages.rpartition(":")[2])


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition, and fail with its name when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
