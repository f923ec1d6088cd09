"""The servers of the admission bench: each in a process of its own, pinned to one core."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from certs.errors import CertificateError
from certs.probe import probe

ROOT: Final = Path(__file__).parents[2]
BUILT: Final = ROOT / ".bench"
KOPF_VERSION: Final = "1.45.2"


@dataclass(frozen=True)
class Contender:
    """``name`` for the table; ``start`` gets port and certificates, and gives the process once it was started.

    ``paths`` maps our two paths to its own; a path that it does not serve is not measured.
    """

    name: str
    start: Callable[[int, Path], Any]
    paths: dict[str, str]


def command(*words: str, core: int) -> Callable[[int, Path], subprocess.Popen[bytes]]:
    """Starts a program; ``{port}`` and ``{certs}`` in its words are filled in."""

    def start(port: int, certificates: Path) -> subprocess.Popen[bytes]:
        filled = [word.format(port=port, certs=certificates) for word in words]
        return subprocess.Popen(
            filled,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    return start


def function(target: Callable[..., None], *arguments: Any, core: int) -> Callable[[int, Path], Any]:
    """Starts a function of this package in a fresh interpreter."""

    def start(port: int, certificates: Path) -> Any:
        process = multiprocessing.get_context("spawn").Process(
            target=_pinned, args=(core, target, port, certificates, *arguments)
        )
        process.start()
        return process

    return start


def ours(core: int) -> Contender:
    """``stagegate serve --standalone``, as it is."""
    words = ("-m", "webhook", "serve", "--standalone", "--port", "{port}", "--cert-dir", "{certs}")
    start = command(sys.executable, *words, "--log-level", "warning", core=core)
    return Contender("stagegate", start, {"/mutate": "/mutate", "/validate": "/validate"})


class Unavailable(Exception):
    """A contender that cannot be measured here, and why."""


def knative(core: int, level: str) -> Contender:
    """Knative's own webhook framework, built from its Go module when it is not there yet: some minutes, once.

    ``level`` is that of its log: info is the one it ships with.
    """
    binary = BUILT / "knative-go"
    if not binary.exists():
        print("building knative's webhook with go: some minutes, once ...", flush=True)
        _make("go", "nice", "go", "build", "-o", str(binary), ".", folder=ROOT / "tests/bench/knative-go")
    start = command(str(binary), "{port}", "{certs}", level, core=core)
    paths = {"/mutate": "/defaulting", "/validate": "/resource-validation"}
    return Contender(f"knative (go), log {level}", start, paths)


def kopf(core: int) -> Contender:
    """kopf's webhook server, in an environment of its own."""
    python = BUILT / "kopf" / "bin" / "python"
    if not python.exists():
        print("installing kopf ...", flush=True)
        _make("python", sys.executable, "-m", "venv", str(BUILT / "kopf"))
        _make("pip", str(python), "-m", "pip", "install", "--quiet", f"kopf=={KOPF_VERSION}")
    start = command(str(python), str(ROOT / "tests/bench/kopf_app.py"), "{port}", "{certs}", core=core)
    return Contender("kopf", start, {"/mutate": "/mutate", "/validate": "/validate"})


def _make(what: str, *words: str, folder: Path = ROOT) -> None:
    BUILT.mkdir(exist_ok=True)
    try:
        subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise Unavailable(f"{what} is not installed") from None
    except subprocess.CalledProcessError as problem:
        last = problem.stderr.strip().splitlines()[-1:]
        raise Unavailable(f"{what} failed: {''.join(last)}") from problem


@contextmanager
def started(contender: Contender, certificates: Path, seconds: float = 60.0) -> Iterator[tuple[int, int]]:
    """Port and process id of a contender that answers handshakes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = contender.start(port, certificates)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                probe("localhost", port, 1.0)
                break
            except CertificateError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield port, process.pid
    finally:
        os.kill(process.pid, signal.SIGINT)
        _end(process)


def _pinned(core: int, target: Callable[..., None], *arguments: Any) -> None:
    os.sched_setaffinity(0, {core})
    target(*arguments)


def _end(process: Any) -> None:
    if isinstance(process, subprocess.Popen):
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return
    process.join(10)
    if process.is_alive():
        process.kill()
        process.join()
