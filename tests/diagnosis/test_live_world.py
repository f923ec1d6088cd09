"""The live world: what changes in a cluster is in it, and its version says so; over the sandbox's API."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from sandbox import Sandbox
from sandbox.demo.control_plane import client_of
from tests.integration.place import eventually
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
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
