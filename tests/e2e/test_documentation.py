"""Installing, upgrading and operating Stagegate: the commands of README.md and docs/OPERATIONS.md, run as written."""

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from certs.bundle import read_bundle
from sandbox.demo.process import Process
from sandbox.demo.stack import LOOP
from tests.controlplane import Binaries, ControlPlane
from tests.documents import section, sections
from tests.e2e.administrator import Administrator, differences, kustomized
from tests.e2e.cluster import ROS, Namespace, eventually, rollout
from tests.e2e.kubelet import Kubelet
from tests.e2e.upstream_crds import upstream_crds

INSTALL, CERTIFICATES = section("Install"), section("Certificates")
WARN = INSTALL.command("helm install ")
WAIT = INSTALL.command("kubectl -n stagegate-system rollout status ")
STATUS = INSTALL.command("stagegate certs status ")
ENFORCE = INSTALL.command("helm upgrade ")
KUSTOMIZE_WARN, KUSTOMIZE = (each for each in INSTALL.commands if each.startswith("kubectl apply -k "))
OTHER_IMAGE = "kubectl kustomize manifests/ | sed 's#image: stagegate:#image: other:#' | kubectl apply -f -"
OVER_UPSTREAM = section("Beside upstream's controllers").command("kubectl apply -k manifests/overlays/steps-off ")
DIFF = section("Upgrade").command("kubectl diff ")
ROTATE = CERTIFICATES.command("stagegate certs rotate ")
UNINSTALL = [each for each in section("Uninstall").commands if " delete " in each and " -f " not in each]
FORGET = section("Uninstall").command("kubectl delete -f ")

EXCUSED = {
    section("Namespaces and networks").command("helm template "): "run where it is taken out again",
    INSTALL.command("docker build "): "needs a container engine; the steps of the image are tested apart",
    INSTALL.command("docker push "): "needs a registry",
    CERTIFICATES.command("kubectl -n stagegate-system exec "): (
        "needs a container that runs; what stands after -- is run from outside"
    ),
}
ELSEWHERE = {
    "What you see": "run by the demo",
    "The tools": "run by the tests of each command",
    "Roll out a Service": "run on stock Knative",
    "GitOps": "run by the tests of Argo CD",
    "Pause, retry, abort": "run by the tests of steering",
    "The page": "run by the tests of the page",
    "Helm": "run by the tests of the chart",
    "Break-glass": "run apart",
    "Uninstall": "run apart",
}
MENTIONED = {
    "kubectl apply",
    "kubectl apply --force",
    "kubectl describe rolloutorchestrator",
    "stagegate check",
    "kubectl apply -k",
}
"""Commands that prose speaks of, without what they would be applied to."""

DEFAULT = Namespace("default")
IMAGE = "registry.example.com/stagegate:0.1.0"
BAD = rollout("hello", {"targetRevisions": [{"revisionName": "hello-00001", "percent": 90}]})
DEPLOYMENTS = "/apis/apps/v1/namespaces/stagegate-system/deployments"
SECRET = "/api/v1/namespaces/stagegate-system/secrets/stagegate-certs"
CA_BUNDLES = [
    "MutatingWebhookConfiguration/mutate.knative.stagegate.dev/webhooks/0/clientConfig/caBundle",
    "MutatingWebhookConfiguration/mutate.knative.stagegate.dev/webhooks/1/clientConfig/caBundle",
    "MutatingWebhookConfiguration/mutate.stagegate.dev/webhooks/0/clientConfig/caBundle",
    "ValidatingWebhookConfiguration/validate.stagegate.dev/webhooks/0/clientConfig/caBundle",
]


class Cluster:
    """A cluster whose pods are ready as soon as they are there, and the loop, which runs beside it when it is to."""

    def __init__(self, administrator: Administrator, folder: Path) -> None:
        self.administrator = administrator
        self._folder = folder

    def is_cleared(self) -> None:
        """Nothing of Stagegate is there, nor of its kinds."""
        for command in UNINSTALL:
            self.administrator.types(command)
        self.administrator.types(FORGET)
        self.administrator.types("kubectl -n stagegate-system delete secrets -l owner=helm")

    def is_installed(self, how: str = KUSTOMIZE) -> None:
        self.is_cleared()
        self.administrator.does(how)

    @contextmanager
    def led(self) -> Iterator[None]:
        """With the loop that leads, and the certificates that it makes first."""
        kubeconfig = self.administrator.plane.kubeconfig_for(LOOP)
        options = ["--kubeconfig", str(kubeconfig), "--cert-secret", "stagegate-system/stagegate-certs"]
        log = self._folder / f"loop-{len(list(self._folder.iterdir()))}.log"
        loop = Process(["loop", *options, "--pages-port", "0"], log)
        try:
            eventually(lambda: len(self.bundles()) == len(CA_BUNDLES) or not loop.running, 60)
            assert loop.running, loop.last_words()
            yield
        finally:
            loop.stop()

    def bundles(self) -> list[str]:
        """The caBundle that the API server trusts, by each configuration that says so."""
        objects = [each for each in kustomized(self.administrator, "manifests/") if "webhooks" in each]
        clients = [
            webhook["clientConfig"] for each in self.administrator.stored(objects) for webhook in each["webhooks"]
        ]
        return [client["caBundle"] for client in clients if client.get("caBundle")]

    def secret(self) -> dict[str, bytes]:
        data = self.administrator.api.get(SECRET).body["data"]
        return {name: base64.b64decode(value) for name, value in data.items()}

    def images(self) -> set[str]:
        items = self.administrator.api.get(DEPLOYMENTS).body["items"]
        return {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in items}

    def writes_something_bad(self) -> Any:
        return self.administrator.api.create(DEFAULT.path(ROS), BAD, dryRun="All")


@pytest.fixture(scope="module")
def cluster(
    binaries_with_controller_manager: Binaries,
    tmp_path_factory: pytest.TempPathFactory,
    program: Callable[[str], Path],
) -> Iterator[Cluster]:
    with (
        ControlPlane.start(
            binaries=binaries_with_controller_manager,
            manifests=False,
            controllers=["deployment-controller", "replicaset-controller"],
        ) as plane,
        Kubelet(plane, "stagegate-system"),
    ):
        administrator = Administrator(plane)
        administrator.has(program("helm"))
        yield Cluster(administrator, tmp_path_factory.mktemp("documentation"))


def test_every_command_is_run_here_or_excused() -> None:
    run = {WARN, WAIT, STATUS, ENFORCE, KUSTOMIZE_WARN, KUSTOMIZE, OVER_UPSTREAM, DIFF, ROTATE}
    typed = {
        command
        for each in sections()
        if each.document in ("README.md", "OPERATIONS.md") and each.name not in ELSEWHERE
        for command in each.commands
        if command.startswith(("kubectl ", "stagegate ", "docker ", "helm "))
    }

    assert typed - MENTIONED == run | EXCUSED.keys()


def test_what_cannot_be_run_inside_is_run_outside() -> None:
    (inside,) = (each for each in EXCUSED if " -- " in each)

    assert inside.partition(" -- ")[2] == STATUS


@pytest.mark.parametrize(("way", "image"), [(WARN, IMAGE), (KUSTOMIZE_WARN, "stagegate:0.1.0")])
def test_the_way_in_denies_nothing(cluster: Cluster, way: str, image: str) -> None:
    cluster.is_cleared()

    cluster.administrator.does(way)

    assert cluster.images() == {image}
    eventually(lambda: "RO008" in str(cluster.writes_something_bad().warnings))
    assert cluster.writes_something_bad().status == HTTPStatus.CREATED


def test_the_pods_are_waited_for(cluster: Cluster) -> None:
    cluster.is_installed(WARN)

    printed = cluster.administrator.does(WAIT)

    assert re.findall(r'deployment "(\S+)" successfully rolled out', printed) == ["stagegate-webhook", "stagegate-loop"]


@pytest.mark.parametrize(("way", "then"), [(WARN, ENFORCE), (KUSTOMIZE_WARN, KUSTOMIZE)])
def test_enforcing_denies(cluster: Cluster, way: str, then: str) -> None:
    cluster.is_installed(way)
    eventually(lambda: cluster.writes_something_bad().status == HTTPStatus.CREATED)

    cluster.administrator.does(then)

    eventually(lambda: cluster.writes_something_bad().status == HTTPStatus.FORBIDDEN)
    assert "RO008" in cluster.writes_something_bad().message


def test_over_upstreams_definitions_it_is_applied_beside_upstream(cluster: Cluster) -> None:
    cluster.is_cleared()
    cluster.administrator.applies(upstream_crds())

    cluster.administrator.does(OVER_UPSTREAM)

    for crd in cluster.administrator.stored(upstream_crds()):
        assert "stagegate" in {entry["manager"] for entry in crd["metadata"]["managedFields"]}
        assert crd["status"]["storedVersions"] == ["v1"]
    (loop,) = (
        each
        for each in cluster.administrator.api.get(DEPLOYMENTS).body["items"]
        if each["metadata"]["name"] == "stagegate-loop"
    )
    assert "--steps=off" in loop["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_diff_shows_beforehand_what_an_upgrade_changes(cluster: Cluster) -> None:
    cluster.is_installed(OTHER_IMAGE)

    shown = cluster.administrator.types(DIFF)

    lines = [line.split() for line in shown.out.splitlines() if re.match(r"[-+] ", line)]
    changed = sorted({" ".join(words[1:]) for words in lines if words[1] != "generation:"})
    assert shown.code == 1, shown.err
    assert changed == ["image: other:0.1.0", "image: stagegate:0.1.0"]


def test_the_status_is_as_shown(cluster: Cluster) -> None:
    """But for the pods, which give no answer from outside."""
    cluster.is_installed()
    cluster.administrator.does(WAIT)
    with cluster.led():
        printed = cluster.administrator.does(STATUS).splitlines()

    shown = CERTIFICATES.printed("kubectl -n stagegate-system exec ")
    assert [line.split()[0] for line in printed] == [line.split()[0] for line in shown]
    for line in (each for each in shown if each.startswith(("stored", "caBundle"))):
        assert line in printed


def test_a_rotation_prints_what_is_shown(cluster: Cluster) -> None:
    cluster.is_installed()
    with cluster.led():
        before = cluster.secret()
        printed = cluster.administrator.does(ROTATE).splitlines()
        after = cluster.secret()

    assert printed == CERTIFICATES.printed("stagegate certs rotate ")
    assert after["tls.crt"] != before["tls.crt"]
    assert after["ca.crt"] == before["ca.crt"]


def test_a_new_authority_comes_beside_the_old_one(cluster: Cluster) -> None:
    cluster.is_installed()
    with cluster.led():
        before = cluster.secret()
        cluster.administrator.does(f"{ROTATE} --ca")
        after = cluster.secret()

    assert set(read_bundle(after["ca.crt"])) > set(read_bundle(before["ca.crt"]))


def test_the_loop_adds_its_authority_to_what_git_has_and_nothing_else(cluster: Cluster) -> None:
    cluster.is_installed()
    objects = kustomized(cluster.administrator, "manifests/")

    with cluster.led():
        assert differences(objects, cluster.administrator.stored(objects)) == CA_BUNDLES
