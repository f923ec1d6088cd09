"""The live world: what changes in a cluster is in it, and its version says so; over the sandbox's API."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.demo.control_plane import client_of
from tests.cluster.fake_api import FakeApi
from tests.diagnosis.causes.test_loop import loop
from tests.diagnosis.test_reading import registration
from tests.waiting import eventually
from webhook.cluster.client import Client
from webhook.cluster.resource import DEPLOYMENTS, LEASES, NAMESPACES, ROLLOUT_ORCHESTRATORS, VALIDATING_WEBHOOKS
from webhook.cluster.supervisor import Supervisor
from webhook.diagnosis.live_world import LiveWorld

RO = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "RolloutOrchestrator",
    "metadata": {"name": "hello"},
    "spec": {"targetRevisions": [{"revisionName": "hello-00001", "percent": 100}]},
}


def test_a_change_is_in_the_world_and_wakes_who_waits(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        client = client_of(sandbox.kubeconfig)
        live = LiveWorld(client, "default", lambda: datetime.now(UTC))
        assert live.not_ready().startswith("rolloutorchestrators")
        live.begin()
        try:
            eventually(lambda: not live.not_ready(), "the rollouts are read")
            assert live.world().rollouts() == []
            before = live.version()
            assert live.wait(before, 0.05) == before

            client.create(ROLLOUT_ORCHESTRATORS, "default", RO)
            assert live.wait(before, 30.0) > before
            assert live.world().rollouts() == [("default", "hello")]
        finally:
            live.stop()


def test_its_end_wakes_who_waits(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        live = LiveWorld(client_of(sandbox.kubeconfig), "default", lambda: datetime.now(UTC))
        waits = threading.Thread(target=live.wait, args=(live.version(), 600.0))
        waits.start()
        live.stop()
        waits.join(60.0)
        assert not waits.is_alive()


def test_a_watch_that_cannot_be_ended_is_a_fault_and_the_others_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is ended in a thread of its own, of which the process of the page reports what nobody catches."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    faults: list[str] = []
    supervisor = Supervisor(count=faults.append)
    supervisor.report_uncaught()
    live = LiveWorld(Client(FakeApi(), field_manager="x"), None, lambda: datetime.now(UTC), supervisor=supervisor)
    first, *others = live._reflectors

    def fails() -> None:
        raise KeyError("a fault in stop")

    monkeypatch.setattr(first, "stop", fails)
    live.stop()
    eventually(lambda: faults == ["thread"], "it is counted")
    eventually(lambda: all(each._stopped.is_set() for each in others), "the others end")
    assert "unexpected exception: stop, which ends; the process continues" in caplog.text
    assert "a fault in stop" in caplog.text


def client_with_namespaces(sandbox: Sandbox, *namespaces: str) -> Client:
    client = client_of(sandbox.kubeconfig)
    for namespace in namespaces:
        client.create(NAMESPACES, None, {"metadata": {"name": namespace}})
    return client


@contextmanager
def begun(client: Client) -> Iterator[LiveWorld]:
    live = LiveWorld(client, "default", lambda: datetime.now(UTC))
    live.start()
    try:
        yield live
    finally:
        live.stop()


def places(live: LiveWorld) -> list[str]:
    """The namespaces of the Deployments of loops."""
    return [one["metadata"]["namespace"] for one in live.world().loops()]


def lease(namespace: str) -> dict[str, Any]:
    return {"metadata": {"name": "stagegate-loop", "namespace": namespace}, "spec": {"holderIdentity": "loop-a"}}


def test_the_loop_of_an_installation_in_another_namespace_is_in_the_world_at_once(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        client = client_with_namespaces(sandbox, "rollouts", "team-a", "of-nobody")
        client.create(VALIDATING_WEBHOOKS, None, registration("rollouts"))
        client.create(LEASES, "team-a", lease("team-a"))
        for namespace in ("rollouts", "team-a", "of-nobody"):
            client.create(DEPLOYMENTS, namespace, loop("--steps=off", namespace=namespace))
        with begun(client) as live:
            assert sorted(places(live)) == ["rollouts", "team-a"]
            assert live.world().installed_in == "rollouts"


def test_a_lease_and_a_registration_that_come_later_name_where_a_loop_is(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        client = client_with_namespaces(sandbox, "rollouts", "team-a")
        with begun(client) as live:
            assert live.world().installed_in == "stagegate-system"
            client.create(DEPLOYMENTS, "team-a", loop(namespace="team-a"))
            client.create(LEASES, "team-a", lease("team-a"))
            eventually(lambda: places(live) == ["team-a"], "the loop beside the Lease is seen")
            assert live.world().installed_in == "team-a"
            client.create(DEPLOYMENTS, "rollouts", loop(namespace="rollouts"))
            client.create(VALIDATING_WEBHOOKS, None, registration("rollouts"))
            eventually(lambda: sorted(places(live)) == ["rollouts", "team-a"], "the registered one is seen")
            assert live.world().installed_in == "rollouts"
