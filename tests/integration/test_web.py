"""``stagegate web`` as a process, on a rollout that the loop carries."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sandbox.demo.process import Process
from sandbox.demo.stack import Stack
from tests.integration.conftest import ROLLING
from tests.integration.service import Service
from tests.waiting import eventually
from tests.web.served_page import ServedPage


class Page(ServedPage):
    """The pages of a process."""

    def __init__(self, process: Process, url: str) -> None:
        super().__init__(url)
        self.process = process


@pytest.fixture(scope="module")
def page(running: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    log = tmp_path_factory.mktemp("web") / "web.log"
    words = ["web", "--port", "0", "-n", ROLLING, "--kubeconfig", str(running.plane.kubeconfig), "--streams", "2"]
    process = Process(words, log)
    try:
        found = Page(process, process.wait_for_line("serving ", 60.0))
        eventually(found.is_ready, "it has read the rollouts", within=60.0)
        yield found
    finally:
        process.stop()


def test_a_rollout_from_its_begin_to_its_end(page: Page, new_service: Callable[..., Service]) -> None:
    service = new_service(demand=4)
    path = f"/{ROLLING}/{service.name}"
    with service.observed() as observer:
        service.start("availability", ratio=25)
        service.carry(observer, "the page shows a stage", lambda: page.get(path)[0] == 200)
        with urllib.request.urlopen(f"{page.url}{path}?format=stream", timeout=60) as stream:
            first = stream.readline()
            service.carry(observer, "the rollout is complete")
            eventually(lambda: page.document(path)["rollout"]["state"] == "Complete", "the page shows the end")
            announced = next(line for line in stream if b"data-announce" in line and b"is Complete" in line)
    shown = page.document(path)
    listed = {item["name"]: item["state"] for item in page.document("/")["items"]}

    assert first == b"event: fragment\n"
    assert service.name.encode() in announced
    assert {row["when"] for row in shown["stages"]} == {"done"}
    assert shown["moments"][-1]["traffic"][service.revision(2)] == 100
    assert listed[service.name] == "Complete"
    assert page.get(f"{path}?format=svg")[1].startswith("<svg")


def test_only_names_of_the_loopback_are_answered(page: Page) -> None:
    assert page.get("/", Host="evil.example.com")[0] == 421
    assert page.get("/", Host="localhost")[0] == 200


def test_clients_that_never_end_their_headers_hold_nobody_up(page: Page) -> None:
    port = urlsplit(page.url).port
    with ExitStack() as clients:
        for _ in range(100):
            slow = clients.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            slow.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert page.get("/")[0] == 200
        assert page.get("/healthz") == (200, "ok\n")


def test_it_ends_at_once_although_a_stream_is_open(running: Stack, tmp_path: Path) -> None:
    words = ["web", "--port", "0", "-n", ROLLING, "--kubeconfig", str(running.plane.kubeconfig)]
    process = Process(words, tmp_path / "web.log")
    try:
        url = process.wait_for_line("serving ", 60.0)
        eventually(Page(process, url).is_ready, "it has read the rollouts", within=60.0)
        with urllib.request.urlopen(f"{url}/?format=stream", timeout=60) as stream:
            stream.readline()
            process.terminate()
            eventually(lambda: not process.running, "it has ended", within=20.0)
    finally:
        process.stop()
