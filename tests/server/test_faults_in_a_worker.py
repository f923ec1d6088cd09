"""Each callback of a running server raises once: it is logged whole and counted once, and the worker goes on."""

import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.server.live import Live, running
from tests.server.reviews import GOOD, review, spa
from tests.server.test_worker import worker_of
from tests.waiting import eventually

FAULT: Final = '''
"""Python imports this at the start: each place in ``places`` raises while ``fault`` names it and is not used up."""

import functools
import importlib
import inspect
from pathlib import Path

HERE = Path(__file__).parent
FAULT = HERE / "fault"
read = None, "none"


def fail(name):
    global read
    try:
        written = FAULT.stat().st_mtime_ns
    except FileNotFoundError:
        return
    if read[0] != written:
        read = written, FAULT.read_text()
    wanted, _, left = read[1].partition(" ")
    if wanted == name:
        left = int(left) - 1
        new = HERE / "left"
        new.write_text(f"{name if left else 'none'} {left}")
        new.replace(FAULT)
        raise KeyError("a fault in " + name)


def breaking(usual, name):
    @functools.wraps(usual)
    def called(*arguments, **options):
        fail(name)
        return usual(*arguments, **options)

    @functools.wraps(usual)
    async def awaited(*arguments, **options):
        fail(name)
        return await usual(*arguments, **options)

    return awaited if inspect.iscoroutinefunction(usual) else called


for place in (HERE / "places").read_text().split():
    module, owner, method = place.rsplit(".", 2)
    found = getattr(importlib.import_module(module), owner)
    setattr(found, method, breaking(getattr(found, method), f"{owner}.{method}"))
'''


def call(live: Live) -> None:
    with suppress(OSError):
        live.post("/validate", GOOD)


def send_a_large_body(live: Live) -> None:
    with suppress(OSError):
        live.post("/validate", review(spa(stageMinScale=1) | {"large": "x" * 200_000}))


def let_time_pass(live: Live) -> None:
    """Until a connection that sends no head is past its deadline."""
    with suppress(OSError), live.tls() as client:
        client.recv(1000)


def send_without_reading(client: ssl.SSLSocket, seconds: float, until: Callable[[], bool]) -> None:
    """Calls without end, until something is the case or the server has not read on for so many seconds."""
    head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    pipelined = (head + str(len(GOOD)).encode() + b"\r\n\r\n" + GOOD) * 200
    client.settimeout(seconds)
    with suppress(OSError):
        while not until():
            client.sendall(pipelined)


def let_it_pause_writing(live: Live) -> None:
    with live.tls() as client:
        send_without_reading(client, 30, until=lambda: has_raised(live))


def let_it_resume_writing(live: Live) -> None:
    with live.tls() as client:
        send_without_reading(client, 2, until=lambda: False)
        with suppress(OSError):
            while client.recv(1 << 16):
                pass


def fill_the_server(live: Live) -> None:
    with suppress(OSError):
        crowd = [socket.create_connection(("localhost", live.port), 10) for _ in range(MOST_CONNECTIONS + 1)]
        for each in crowd:
            each.close()


def ask_a_page(live: Live) -> None:
    with suppress(OSError):
        live.get("/healthz")


def wait_for_it(live: Live) -> None:
    """What happens by itself."""


MOST_CONNECTIONS: Final = 20
WORKER, HTTP = "webhook.server.worker.StagegateWorker", "webhook.server.protocol.Connection"
TLS = "webhook.server.tls.Tls"
LARGE, PAGES = "webhook.server.large_bodies.LargeBodies", "webhook.pages_server._Connection"
FILES = "certs.served.ServedFiles"

PLACES: Final[dict[str, tuple[str, Callable[[Live], None]]]] = {
    f"{WORKER}._accept": ("event loop", call),
    f"{WORKER}._admit": ("connections", call),
    f"{WORKER}._evict": ("connections", fill_the_server),
    f"{WORKER}._connect": ("connections", call),
    f"{WORKER}._sweep": ("connections", wait_for_it),
    f"{WORKER}.forget": ("event loop", call),
    f"{TLS}.connection_made": ("event loop", call),
    f"{TLS}.buffer_updated": ("event loop", call),
    f"{TLS}._advance": ("event loop", call),
    f"{TLS}._read_rest": ("event loop", let_it_resume_writing),
    f"{TLS}.pause_writing": ("event loop", let_it_pause_writing),
    f"{TLS}.resume_writing": ("event loop", let_it_resume_writing),
    f"{TLS}.connection_lost": ("event loop", call),
    f"{HTTP}.connection_made": ("event loop", call),
    f"{HTTP}.data_received": ("event loop", call),
    f"{HTTP}.connection_lost": ("event loop", call),
    f"{HTTP}.expire": ("connections", let_time_pass),
    f"{HTTP}.pause_writing": ("event loop", let_it_pause_writing),
    f"{HTTP}.resume_writing": ("event loop", let_it_resume_writing),
    f"{HTTP}.on_message_begin": ("connections", call),
    f"{HTTP}.on_url": ("connections", call),
    f"{HTTP}.on_header": ("connections", call),
    f"{HTTP}.on_headers_complete": ("connections", call),
    f"{HTTP}.on_body": ("connections", call),
    f"{HTTP}.on_message_complete": ("connections", call),
    f"{LARGE}.hold": ("connections", send_a_large_body),
    f"{LARGE}.release": ("connections", send_a_large_body),
    f"{LARGE}.make_room": ("connections", wait_for_it),
    "certs.alert.AlertingObject.do_handshake": ("event loop", call),
    f"{FILES}.read": ("certificate", wait_for_it),
    f"{FILES}.take": ("certificate", wait_for_it),
    f"{PAGES}.readable": ("pages", ask_a_page),
    f"{PAGES}._make_room": ("pages", ask_a_page),
    f"{PAGES}.handle_read": ("pages", ask_a_page),
    "waitress.channel.HTTPChannel.service": ("pages", ask_a_page),
}
"""What raises: the labels under which it is counted, and what makes the server call it."""


@pytest.fixture(scope="module")
def live(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("faults")
    (folder / "sitecustomize.py").write_text(FAULT)
    (folder / "places").write_text("\n".join((*PLACES, f"{WORKER}._stop")))
    options = "--header-timeout", "0.5", "--max-connections", str(MOST_CONNECTIONS), "--drain", "0"
    with running(certificates, folder, *options, environment={"PYTHONPATH": str(folder)}) as server:
        yield server


def faults(live: Live) -> dict[str, float]:
    """The exceptions that are counted, by label."""
    lines = (line.split('"') for line in live.get("/metrics").body.decode().splitlines())
    return {parts[1]: float(parts[2][2:]) for parts in lines if parts[0] == "stagegate_faults_total{loop="}


def break_once(live: Live, place: str, times: int = 1) -> None:
    fault = live.log.parent / "fault"
    fault.with_suffix(".new").write_text(f"{'.'.join(place.split('.')[-2:])} {times}")
    fault.with_suffix(".new").rename(fault)


def has_raised(live: Live) -> bool:
    return (live.log.parent / "fault").read_text() == "none 0"


@pytest.mark.parametrize("place", PLACES)
def test_it_is_logged_whole_and_counted_once_and_the_worker_goes_on(live: Live, place: str) -> None:
    labels, happens = PLACES[place][0].split(","), PLACES[place][1]
    eventually(lambda: live.answers(GOOD), "the server answers")
    worker, before, lines = worker_of(live), faults(live), len(live.log_lines())
    break_once(live, place)
    happens(live)
    eventually(lambda: has_raised(live), f"{place} raises")

    counted = before | {label: before[label] + 1 for label in labels}
    eventually(
        lambda: faults(live) == counted, f"{counted}", shown=lambda: f"but {faults(live)}: {live.log_lines()[lines:]}"
    )
    reported = [line for line in live.log_lines()[lines:] if "a fault in" in line.get("traceback", "")]
    assert len(reported) == len(labels)
    assert reported[0]["traceback"].startswith("Traceback (most recent call last):")
    assert "in fail" in reported[0]["traceback"]
    assert live.answers(GOOD)
    assert live.get("/healthz").body == b"ok\n"
    assert worker_of(live) == worker


@pytest.mark.parametrize("method", ["_admit", "_sweep"])
def test_what_raises_again_and_again_is_tried_after_a_pause(live: Live, method: str) -> None:
    """The listener stays readable: without a pause the event loop would do nothing else."""
    before = faults(live)["connections"]
    started = time.monotonic()
    break_once(live, f"{WORKER}.{method}", times=3)

    def has_raised_each_time() -> bool:
        with suppress(OSError):
            live.tls().close()
        return has_raised(live)

    eventually(has_raised_each_time, "it has raised each time")
    assert time.monotonic() - started > 0.4
    assert live.answers(GOOD)
    assert faults(live)["connections"] == before + 3


def test_a_signal_whose_handler_raises_ends_the_server_at_the_second_time(live: Live) -> None:
    """The last test: nothing is left to go on."""
    worker, before = worker_of(live), faults(live)["event loop"]
    break_once(live, f"{WORKER}._stop")
    os.kill(worker, signal.SIGTERM)
    eventually(lambda: has_raised(live), "the handler raises")
    eventually(lambda: faults(live)["event loop"] == before + 1, "it is counted")
    assert live.answers(GOOD)
    live.terminate()
    assert live.process.wait(60) == 0
