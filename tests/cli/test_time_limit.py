"""``--timeout``: everything that a command reads and writes together ends in time, and what was waited for is named."""

import json
import logging
import math
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_exit_codes import DOWN
from tests.cluster.fake_api import FakeApi
from webhook.cli import main
from webhook.cli.cluster import connected
from webhook.cli.cluster_options import ClusterOptions
from webhook.cli.errors import TIMED_OUT, CommandError
from webhook.cli.time_limit import LimitedTransport, TimeLimit
from webhook.cluster.client import Client
from webhook.cluster.resource import PODS, ROLLOUT_ORCHESTRATORS
from webhook.cluster.transport import Request

RO = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "RolloutOrchestrator",
    "metadata": {"name": "hello"},
    "spec": {
        "initialRevisions": [{"revisionName": "hello-00001", "percent": 100}],
        "targetRevisions": [{"revisionName": "hello-00002", "percent": 100}],
    },
}


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """A kubeconfig of an API server that accepts connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        cluster = {"name": "c", "cluster": {"server": url, "insecure-skip-tls-verify": True}}
        path = str(tmp_path / "silent")
        Path(path).write_text(json.dumps({**DOWN, "clusters": [cluster]}))
        # The first connection of a process imports what takes longer than a test waits.
        connected(path, user_agent="test", pool_size=1)
        yield path


@pytest.mark.parametrize(
    ("words", "awaited"),
    [
        ("explain hello", "get rolloutorchestrators default/hello"),
        ("plan hello", "get rolloutorchestrators default/hello"),
        ("get", "list rolloutorchestrators default"),
        ("check --cluster {spa}", "list rolloutorchestrators default"),
        ("pause hello --reason x", "get rolloutorchestrators default/hello"),
        ("pause --all --reason x", "list rolloutorchestrators default"),
        ("resume hello", "get rolloutorchestrators default/hello"),
        ("retry -l team=a", "list rolloutorchestrators default"),
        ("abort hello --reason x --yes", "get rolloutorchestrators default/hello"),
        ("release --list", "list routes"),
        ("doctor", "get /version"),
        ("certs status --secret a/b", "get secrets a/b"),
        ("certs rotate --secret a/b", "get secrets a/b"),
    ],
)
def test_an_api_server_that_says_nothing_is_waited_for_so_long(
    words: str, awaited: str, silent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spa = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "StagePodAutoscaler",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {},
    }
    (tmp_path / "spa.json").write_text(json.dumps(spa))
    given = [word.format(spa=tmp_path / "spa.json") for word in words.split()]
    assert main([*given, "--kubeconfig", silent, "--timeout", "1"]) == TIMED_OUT
    command = words.split()[0]
    said = capsys.readouterr()
    assert said.err == f"stagegate {command}: time ran out after 1 s while waiting for {awaited}\n"
    assert said.out == ""


def test_a_rollout_that_nobody_shows_is_waited_for_so_long(silent: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["get", "hello", "--until", "complete", "--kubeconfig", silent, "--timeout", "1"]
    assert main(words) == TIMED_OUT
    unread = "rolloutorchestrators.serving.knative.dev not read yet"
    assert capsys.readouterr() == ("", f"stagegate get: time ran out after 1 s: {unread}\n")
    # What is logged is left as it was: other commands of the same process report errors of watches.
    assert logging.getLogger("webhook").level == logging.NOTSET


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class SlowApi(FakeApi):
    """An API server that takes four seconds for each answer."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.serve(ROLLOUT_ORCHESTRATORS, PODS)
        self.bounds: list[float] = []

    def send(self, request: Request) -> object:
        self.bounds.append(request.timeout)
        self.clock.seconds += 4
        return super().send(request)


def test_the_time_is_that_of_all_requests_together() -> None:
    clock = Clock()
    api = SlowApi(clock)
    client = Client(LimitedTransport(api, TimeLimit(10, monotonic=clock)), field_manager="x", read_timeout=15)
    for _ in range(3):
        client.list(PODS, "default")
    with pytest.raises(CommandError, match=r"^time ran out after 10 s while waiting for list pods default$") as ended:
        client.list(PODS, "default")
    assert ended.value.exit_code == TIMED_OUT
    # No request outlives the limit by more than a second.
    assert api.bounds == [11, 7, 3]


def test_the_time_begins_with_the_first_request() -> None:
    clock = Clock()
    limit = TimeLimit(10, monotonic=clock)
    clock.seconds = 100
    assert limit.left() == 10
    clock.seconds = 107
    assert limit.left() == 3


def test_an_infinite_time_is_no_limit() -> None:
    clock = Clock()
    api = SlowApi(clock)
    client = Client(LimitedTransport(api, TimeLimit(math.inf, monotonic=clock)), field_manager="x", read_timeout=15)
    for _ in range(1000):
        client.list(PODS, "default")
    assert set(api.bounds) == {15}


def test_a_task_that_hangs_is_left() -> None:
    never = threading.Event()
    with pytest.raises(CommandError, match="while waiting for the credentials"):
        TimeLimit(0.05).run("the credentials", never.wait)


def test_an_error_of_the_task_is_raised() -> None:
    with pytest.raises(KeyError, match="missing"):
        TimeLimit(60).run("x", lambda: dict[str, str]()["missing"])


def test_a_sleep_ends_with_the_time() -> None:
    limit = TimeLimit(0.05)
    limit.left()
    limit.sleep(3600)
    assert limit.left() == 0


class HangingWrites(FakeApi):
    """An API server whose second write never gets an answer."""

    never = threading.Event()

    def send(self, request: Request) -> object:
        if request.method != "GET" and len(self.writes) == 1:
            self.never.wait()
        return super().send(request)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_was_written_before_is_part_of_the_answer(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api = HangingWrites()
    api.serve(ROLLOUT_ORCHESTRATORS)
    for name in ("first", "second"):
        api.put(ROLLOUT_ORCHESTRATORS, {**RO, "metadata": {"name": name}})

    def client(self: ClusterOptions, field_manager: str, **_: object) -> Client:
        return Client(LimitedTransport(api, self.limit), field_manager=field_manager)

    monkeypatch.setattr(ClusterOptions, "client_as", client)
    monkeypatch.setattr(ClusterOptions, "namespace", "default")
    words = ["pause", "first", "second", "--reason", "x", "--timeout", "1"]
    assert main([*words, *(["-o", "json"] if form == "json" else [])]) == TIMED_OUT
    said = capsys.readouterr()
    assert said.err == (
        "stagegate pause: time ran out after 1 s while waiting for patch rolloutorchestrators default/second, "
        "which may be stored nevertheless\n"
    )
    if form == "json":
        assert [one["name"] for one in json.loads(said.out)["rollouts"]] == ["first"]
    else:
        assert said.out == "rolloutorchestrator/first paused: x\n"


def test_the_answer_of_a_person_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi()
    api.serve(ROLLOUT_ORCHESTRATORS)
    api.put(ROLLOUT_ORCHESTRATORS, {**RO, "metadata": {"name": "hello", "labels": {"team": "a"}}})
    limits: list[TimeLimit] = []

    def client(self: ClusterOptions, field_manager: str, **_: object) -> Client:
        limits.append(self.limit)
        return Client(api, field_manager=field_manager)

    monkeypatch.setattr(ClusterOptions, "client_as", client)
    monkeypatch.setattr(ClusterOptions, "namespace", "default")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    assert main(["abort", "-l", "team=a", "--reason", "x"]) == 0
    listing, writing = limits
    assert listing is not writing
