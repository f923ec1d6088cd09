"""The loop as a process against the sandbox: how it starts, leads, is stopped, and what it says when it cannot."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.loop.world import entry
from tests.waiting import eventually
from webhook.api.kinds import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.connection import connect
from webhook.cluster.errors import NotFound
from webhook.cluster.resource import (
    LEASES,
    NAMESPACES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
    Resource,
)

pytestmark = pytest.mark.integration
WITHIN = 60.0


class Cluster:
    """A sandbox and an administrator's client."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.client = Client(connect(str(sandbox.kubeconfig), user_agent="test"), field_manager="test")

    def create(self, resource: Resource, name: str, namespace: str | None = "default", **members: Any) -> Wire:
        metadata = {"name": name, **members.pop("metadata", {})}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **members}
        return self.client.create(resource, namespace, body)

    def service(self, namespace: str = "default") -> None:
        """Two revisions, four replicas of the first, and a rollout to the second."""
        for name, actual in (("hello-00001", 4), ("hello-00002", 0)):
            labels = {SERVICE_LABEL: "hello", CONFIGURATION_LABEL: "hello", REVISION_LABEL: name}
            self.create(REVISIONS, name, namespace, metadata={"labels": labels}, spec={})
            self.create(POD_AUTOSCALERS, name, namespace, metadata={"labels": labels}, spec={})
            self.scale(name, actual, namespace)
        self.create(
            ROLLOUT_ORCHESTRATORS,
            "hello",
            namespace,
            spec={
                "initialRevisions": [entry("hello-00001", 100, 1, 10)],
                "targetRevisions": [entry("hello-00002", 100, 1, 10, latestRevision=True)],
            },
        )

    def scale(self, name: str, actual: int, namespace: str = "default") -> None:
        status = {"status": {"desiredScale": actual, "actualScale": actual}}
        self.client.patch(POD_AUTOSCALERS, namespace, name, status, "status")

    def bounds(self, name: str, namespace: str = "default") -> tuple[int | None, int | None]:
        try:
            spec = self.client.get(STAGE_POD_AUTOSCALERS, namespace, name).get("spec") or {}
        except NotFound:
            return None, None
        return spec.get("stageMinScale"), spec.get("stageMaxScale")

    def holder(self) -> str:
        try:
            lease = self.client.get(LEASES, "stagegate-system", "stagegate-loop")
        except NotFound:
            return ""
        return str(lease["spec"].get("holderIdentity") or "")


class Process:
    """``stagegate loop`` with a kubeconfig; its log is its standard error. ``before`` is a command that runs it."""

    def __init__(self, folder: Path, kubeconfig: Path | str | None, *options: str, before: Sequence[str] = ()) -> None:
        self.log = folder / f"loop-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            where = ["--kubeconfig", str(kubeconfig)] if kubeconfig is not None else []
            command = [*before, sys.executable, "-m", "webhook", "loop", *where, *options]
            self.popen = subprocess.Popen(command, stderr=log, stdout=log)

    def output(self) -> str:
        return self.log.read_text()

    def port(self) -> int:
        found = re.search(r"pages at http://127\.0\.0\.1:(\d+)/", self.output())
        return int(found.group(1)) if found else 0

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def end(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self.popen.wait(WITHIN)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()


@contextmanager
def running(
    folder: Path, kubeconfig: Path | str | None, *options: str, before: Sequence[str] = ()
) -> Iterator[Process]:
    process = Process(folder, kubeconfig, *options, before=before)
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        cluster = Cluster(sandbox)
        cluster.create(NAMESPACES, "stagegate-system", None)
        yield cluster


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def test_it_leads_works_tells_and_leaves_in_good_order(cluster: Cluster, tmp_path: Path) -> None:
    cluster.service()
    options = ("--pages-port", "0", "--log-format", "json")
    with running(tmp_path, cluster.sandbox.kubeconfig, *options) as loop:
        eventually(lambda: cluster.bounds("hello-00002") == (1, 10), "the first stage begins")
        assert cluster.holder()
        assert get(loop.port(), "/healthz") == (200, "ok\n")
        assert get(loop.port(), "/readyz") == (200, "leading\n")
        metrics = get(loop.port(), "/metrics")[1]
        assert 'stagegate_loop_reconciles_total{kind="rollout",result="done"}' in metrics
        assert "stagegate_loop_leader 1.0" in metrics
        loop.signal(signal.SIGTERM)
        assert loop.end() == 0
        assert cluster.holder() == "", "the next one need not wait"
        lines = [json.loads(line) for line in loop.output().splitlines()]
        assert lines[-1]["message"] == "stopped"
        assert any("RolloutOrchestrator default/hello: StageStarted" in line["message"] for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_it_leaves_in_good_order_on_every_ending_signal(
    cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path, cluster.sandbox.kubeconfig) as loop:
        eventually(lambda: "working" in loop.output(), "it works")
        for other in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU):
            loop.signal(other)
        holder = cluster.holder()
        cluster.service()
        eventually(lambda: cluster.bounds("hello-00002") == (1, 10), "the others did nothing")
        assert cluster.holder() == holder
        loop.signal(number)
        assert loop.end() == 0
        assert cluster.holder() == "", "the next one need not wait"
        assert "stopped" in loop.output().splitlines()[-1]


def test_a_hangup_that_is_ignored_at_the_start_stays_ignored(cluster: Cluster, tmp_path: Path) -> None:
    with running(tmp_path, cluster.sandbox.kubeconfig, before=["nohup"]) as loop:
        eventually(lambda: "working" in loop.output(), "it works")
        loop.signal(signal.SIGHUP)
        cluster.service()
        eventually(lambda: cluster.bounds("hello-00002") == (1, 10), "it goes on")
        loop.signal(signal.SIGTERM)
        assert loop.end() == 0


def test_a_leader_that_was_stopped_stores_nothing_when_it_wakes(cluster: Cluster, tmp_path: Path) -> None:
    cluster.service()
    options = ("--lease-duration", "6")
    with running(tmp_path, cluster.sandbox.kubeconfig, *options) as first:
        eventually(lambda: cluster.bounds("hello-00002") == (1, 10), "the first one leads")
        leader = cluster.holder()
        with running(tmp_path, cluster.sandbox.kubeconfig, *options) as second:
            eventually(lambda: "standing by" in second.output(), "the second one stands by")
            first.signal(signal.SIGSTOP)
            eventually(lambda: cluster.holder() not in ("", leader), "the second one takes over")
            cluster.scale("hello-00002", 1)
            eventually(lambda: cluster.bounds("hello-00001") == (1, 3), "the second one goes on")
            second.signal(signal.SIGSTOP)
            # Something for the first one to do as soon as it wakes.
            cluster.scale("hello-00001", 3)
            before = cluster.client.get(ROLLOUT_ORCHESTRATORS, "default", "hello")["metadata"]["resourceVersion"]
            first.signal(signal.SIGCONT)
            eventually(lambda: f"{leader} lost lease" in first.output(), "the first one notices")
            after = cluster.client.get(ROLLOUT_ORCHESTRATORS, "default", "hello")["metadata"]["resourceVersion"]
            assert after == before
            second.signal(signal.SIGCONT)


def test_two_that_share_out_the_namespaces_lead_side_by_side_by_leases_of_their_own(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.create(NAMESPACES, "other", None)
    for namespace in ("default", "other"):
        cluster.service(namespace)
    mine, others = ("--namespaces=default",), ("--namespaces=other", "--lease-namespace=other")
    with running(tmp_path, cluster.sandbox.kubeconfig, *mine) as first:
        eventually(lambda: cluster.bounds("hello-00002") == (1, 10), "the first one works")
        assert cluster.bounds("hello-00002", "other") == (None, None)
        with running(tmp_path, cluster.sandbox.kubeconfig, *others) as second:
            eventually(lambda: cluster.bounds("hello-00002", "other") == (1, 10), "the second one works")
            assert "default/hello" in first.output()
            assert "other/hello" not in first.output()
            assert "default/hello" not in second.output()


def test_without_crds_it_waits_and_says_so(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "sandbox", manifests=False, knative=False) as sandbox:
        options = ("--pages-port", "0", "--no-leader-elect")
        with running(tmp_path, sandbox.kubeconfig, *options) as loop:
            eventually(lambda: "waiting; apply the CRDs" in loop.output(), "it says what is missing")
            assert get(loop.port(), "/readyz")[0] == 503
            loop.signal(signal.SIGTERM)
            assert loop.end() == 0


def test_without_knative_it_says_once_what_it_cannot_see(tmp_path: Path) -> None:
    with (
        Sandbox(tmp_path / "sandbox", knative=False) as sandbox,
        running(tmp_path, sandbox.kubeconfig, "--no-leader-elect") as loop,
    ):
        eventually(lambda: "working" in loop.output(), "it works")
        loop.signal(signal.SIGTERM)
        assert loop.end() == 0
        assert loop.output().count("the cluster does not serve") == 1
        assert "revisions.serving.knative.dev" in loop.output()


def test_a_server_that_is_not_there_is_one_clear_line(cluster: Cluster, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{closed.getsockname()[1]}"
        lost = tmp_path / "lost.kubeconfig"
        lost.write_text(Path(cluster.sandbox.kubeconfig).read_text().replace(cluster.sandbox.url, url))
        with running(tmp_path, lost) as loop:
            assert loop.end() == 3
            assert loop.output().splitlines()[-1].startswith("stagegate loop: the API server cannot be reached: ")


def test_in_a_pod_it_waits_for_a_server_that_is_not_there(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        lost = tmp_path / "lost.kubeconfig"
        url = f"https://127.0.0.1:{closed.getsockname()[1]}"
        lost.write_text(Path(cluster.sandbox.kubeconfig).read_text().replace(cluster.sandbox.url, url))
        monkeypatch.setenv("KUBECONFIG", str(lost))
        with running(tmp_path, None, "--pages-port", "0") as loop:
            eventually(lambda: "retrying" in loop.output(), "it retries")
            assert get(loop.port(), "/healthz") == (200, "ok\n")
            assert get(loop.port(), "/readyz")[0] == 503
            loop.signal(signal.SIGTERM)
            assert loop.end() == 0


def test_a_port_that_is_taken_is_one_clear_line(cluster: Cluster, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with running(tmp_path, cluster.sandbox.kubeconfig, "--pages-port", port) as loop:
            assert loop.end() == 3
            assert loop.output().splitlines() == [
                f"stagegate loop: 127.0.0.1:{port} is in use; choose another --pages-port, or 0 for any free one"
            ]
