"""A release installed over the one before it and back again, while rollouts run."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sandbox.autoscaler import Pace
from sandbox.demo.control_plane import client_of
from sandbox.demo.knative import Knative
from sandbox.demo.stack import LOOP, Stack
from sandbox.simulation import Autoscaler
from tests.controlplane import Binaries, ControlPlane
from tests.e2e import former_release
from tests.e2e.administrator import Administrator, Wire, kustomized
from tests.e2e.cluster import ROS, SPAS, Namespace, eventually, rollout

DEFAULT = Namespace("default")
OLD = {"revisionName": "hello-00001", "percent": 100, "latestRevision": False, "minScale": 4, "maxScale": 10}
NEW = {"revisionName": "hello-00002", "percent": 100, "latestRevision": True, "minScale": 4, "maxScale": 10}
RATIO = {"rollout.knative.dev/over-consumption-ratio": "10"}


class Release(NamedTuple):
    """What an administrator applies, and the root of the code that runs in its pods, None for the code at hand."""

    objects: list[Wire]
    code: Path | None = None


class Cluster:
    """Webhook and loop as processes, and whatever an administrator applies."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.administrator = Administrator(plane)
        self._folder = folder
        self._client = client_of(plane.kubeconfig)
        self._pods: list[Stack] = []

    def prepare(self) -> None:
        knative = Knative(self._client, DEFAULT.name, "hello", 4)
        knative.make_node()
        for entry in (OLD, NEW):
            knative.make_revision(entry)
            knative.make_pod_autoscaler(entry)

    def install(self, release: Release) -> None:
        """Apply it, then replace the processes as an update of the Deployments does: first the new ones, then the old.

        The webhook configurations are left to the processes, which register at their own address.
        """
        self.administrator.applies(
            each for each in release.objects if not each["kind"].endswith("WebhookConfiguration")
        )
        before = self._pods.copy()
        folder = self._folder / str(len(before))
        folder.mkdir()
        self._pods.append(Stack(self.plane, folder, code=release.code))
        self._pods[-1].start_webhook()
        self._pods[-1].start_loop()
        for stack in before:
            stack.__exit__(None, None, None)

    def stop(self) -> None:
        for stack in self._pods:
            stack.__exit__(None, None, None)

    def autoscaler(self) -> Autoscaler:
        """Replicas move, and so do rollouts, while it is entered."""
        return Autoscaler(self._client, pace=Pace(), seconds_per_tick=0.2)

    def rolls_out(self, start: dict[str, Any], end: dict[str, Any]) -> None:
        targets = {"initialRevisions": [start], "targetRevisions": [end]}
        path = DEFAULT.path(ROS, "hello")
        if self.plane.admin.get(path).status == HTTPStatus.NOT_FOUND:
            body = rollout("hello", targets | {"rolloutStrategy": "availability"}, annotations=RATIO)
            answer = self.plane.admin.create(DEFAULT.path(ROS), body)
        else:
            answer = self.plane.admin.patch(path, {"spec": {"targetRevisions": [end]}})
        assert answer.status in (HTTPStatus.OK, HTTPStatus.CREATED), answer.message

    def rollout(self) -> Wire:
        found: Wire = self.plane.admin.get(DEFAULT.path(ROS, "hello")).body
        return found

    def is_under_way(self) -> bool:
        """In some stage between the first and the last."""
        stage = self.rollout().get("spec", {}).get("stageTargetRevisions", [])
        return {entry.get("percent") for entry in stage} not in ({100}, {100, 0}, set()) and not self.is_ready()

    def is_ready(self) -> bool:
        found = self.rollout()
        status = found.get("status", {})
        ready = {each["type"]: each["status"] for each in status.get("conditions", [])}.get("Ready") == "True"
        return ready and status.get("observedGeneration") == found["metadata"]["generation"]

    def refused(self) -> list[str]:
        """Writes of the loop that the server did not take, but for those that somebody else was faster with."""
        return [
            f"{event['verb']} {event['requestURI']} {event['responseStatus']}"
            for event in self.plane.audit_events()
            if event["user"]["username"] == LOOP
            and event.get("responseStatus", {}).get("code", 200) in (400, 403, 422, 500)
        ]


@pytest.fixture
def cluster(binaries: Binaries, tmp_path: Path) -> Iterator[Cluster]:
    with ControlPlane.start(binaries=binaries, manifests=False) as plane:
        cluster = Cluster(plane, tmp_path)
        try:
            yield cluster
        finally:
            cluster.stop()


def test_there_and_back_while_rollouts_run(cluster: Cluster, tmp_path: Path) -> None:
    code = former_release.unpack(tmp_path / "former")
    current = Release(kustomized(cluster.administrator, "manifests/"))
    former = Release(former_release.render(code), code)
    cluster.install(former)
    cluster.prepare()

    carry_over(cluster, OLD, NEW, current)
    assert images(cluster) == {"stagegate:0.1.0"}
    assert registrations_of_the_loop(cluster) == ["mutate.stagegate.dev", "mutate.knative.stagegate.dev"]

    carry_over(cluster, NEW, OLD, former)
    assert images(cluster) == {former_release.IMAGE}
    assert registrations_of_the_loop(cluster) == ["mutate.stagegate.dev"]

    assert cluster.refused() == []
    spas = cluster.plane.admin.get(DEFAULT.path(SPAS)).body["items"]
    assert {each["metadata"]["name"]: each["spec"] for each in spas} == {
        "hello-00001": {"stageMinScale": 4, "stageMaxScale": 10},
        "hello-00002": {"stageMinScale": 0, "stageMaxScale": 1},
    }


def carry_over(cluster: Cluster, start: Wire, end: Wire, release: Release) -> None:
    """Begin a rollout, install a release when it is half done, and let it end."""
    with cluster.autoscaler():
        cluster.rolls_out(start, end)
        eventually(cluster.is_under_way, within=60)
    targets = cluster.rollout()["spec"]["targetRevisions"]

    cluster.install(release)

    assert cluster.is_under_way()
    assert cluster.rollout()["spec"]["targetRevisions"] == targets
    with cluster.autoscaler():
        eventually(cluster.is_ready, within=120)


def images(cluster: Cluster) -> set[str]:
    items = cluster.plane.admin.get("/apis/apps/v1/namespaces/stagegate-system/deployments").body["items"]
    return {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in items}


def registrations_of_the_loop(cluster: Cluster) -> list[str]:
    """The mutating webhook configurations that the loop's account may write."""
    role = cluster.plane.admin.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/stagegate-certificates").body
    (rule,) = (each for each in role["rules"] if each["resources"] == ["mutatingwebhookconfigurations"])
    return list(rule["resourceNames"])
