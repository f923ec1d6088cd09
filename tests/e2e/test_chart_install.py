"""The Helm chart on a real API server: install, upgrade, rollback, uninstall."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.controlplane import Binaries, ControlPlane
from tests.documents import section
from tests.e2e.administrator import Administrator, differences
from tests.e2e.chart import CHART, NAMESPACE, OVERLAYS, Helm, Wire, run_hook
from tests.e2e.cluster import ROS, Namespace, eventually, rollout
from tests.e2e.upstream_crds import upstream_crds

DOCUMENTED = [each for each in section("Helm").commands if each.startswith("helm ")]
DEFAULT = Namespace("default")
LIKE_A_NUMBER = "25921e5"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KEPT = {"rolloutorchestrators.serving.knative.dev", "stagepodautoscalers.serving.knative.dev"}
GOOD = {"targetRevisions": [{"revisionName": "hello-00001", "percent": 100}], "rolloutStrategy": "availability"}
OF_HELM = {"app.kubernetes.io/managed-by", "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"}
"""What Helm adds to every object."""
CONTROLLERS = ["job-controller"]
SETTINGS = "kubectl -n knative-serving get configmap config-rolloutorchestrator"
REGISTRATION = "validatingwebhookconfiguration validate.stagegate.dev"
BUNDLE = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "Q0E="}]
NO_BUNDLE = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]


@pytest.fixture
def administrator(binaries_with_controller_manager: Binaries) -> Iterator[Administrator]:
    """A cluster with Knative's kinds and nothing of ours."""
    binaries = binaries_with_controller_manager
    with ControlPlane.start(binaries=binaries, manifests=False, controllers=CONTROLLERS) as plane:
        yield Administrator(plane)


@pytest.fixture
def helm(program: Callable[[str], Path], administrator: Administrator, tmp_path: Path) -> Helm:
    plane = administrator.plane
    return Helm(program("helm"), plane.binaries.kubectl, tmp_path, plane.kubeconfig)


@contextmanager
def job_run(plane: ControlPlane, namespace: str) -> Iterator[list[str]]:
    """While entered, the pod of the Job runs here, under the account that it has there; what it printed."""
    pods = f"/api/v1/namespaces/{namespace}/pods"
    stopped, printed = threading.Event(), list[str]()

    def run() -> None:
        with plane.session("system:node:here", ["system:masters"]) as node:
            while not stopped.wait(0.1):
                for pod in node.get(pods).body.get("items", ()):
                    if pod["status"].get("phase") == "Pending":
                        node.patch(f"{pods}/{pod['metadata']['name']}/status", {"status": {"phase": execute(pod)}})

    def execute(pod: Wire) -> str:
        done = run_hook(plane, namespace, pod["spec"])
        printed.append(done.stdout)
        return "Succeeded" if done.returncode == 0 else "Failed"

    thread = threading.Thread(target=run, name="node")
    thread.start()
    try:
        yield printed
    finally:
        stopped.set()
        thread.join(150)


def stored_as_rendered(helm: Helm, administrator: Administrator, *values: str, namespace: str) -> list[str]:
    """Where what is stored differs from what kustomize or the chart says, but for Helm's own marks."""
    rendered = list(helm.rendered(*values, "namespace.create=false", namespace=namespace).values())
    stored = administrator.stored(rendered)
    for each in stored:
        for marks in ("labels", "annotations"):
            kept = {key: value for key, value in each["metadata"].get(marks, {}).items() if key not in OF_HELM}
            each["metadata"] |= {marks: kept} if kept else {}
            if not kept:
                each["metadata"].pop(marks, None)
    return differences(rendered, stored)


def bundle(administrator: Administrator) -> str:
    """The ``caBundle`` of the validating registration."""
    return administrator.does(f"kubectl get {REGISTRATION} -o jsonpath='{{.webhooks[0].clientConfig.caBundle}}'")


def specs(administrator: Administrator) -> dict[str, Wire]:
    """Of both definitions."""
    found = {each["metadata"]["name"]: each["spec"] for each in administrator.api.get(CRDS).body["items"]}
    return {name: spec for name, spec in found.items() if name in KEPT}


@pytest.mark.parametrize("namespace", [NAMESPACE, LIKE_A_NUMBER])
def test_from_the_installation_to_the_end(helm: Helm, administrator: Administrator, namespace: str) -> None:
    """The documented commands, into a namespace that Helm makes. Rollouts and their definitions stay."""
    install, upgrade, rollback, uninstall = (each.replace(NAMESPACE, namespace) for each in DOCUMENTED)
    image = "image.repository=registry.example.com/stagegate"

    notes = helm.types(install)
    assert f"stagegate doctor --wait --stagegate-namespace {namespace}" in notes
    assert f"helm upgrade stagegate CHART --namespace {namespace}" in notes
    assert stored_as_rendered(helm, administrator, image, *OVERLAYS["enforce-warn"], namespace=namespace) == []

    # What the loop writes into a registration stays, since no release names the field.
    administrator.does(f"kubectl patch {REGISTRATION} --type=json -p '{json.dumps(BUNDLE)}'")
    notes = helm.types(upgrade)
    assert "helm upgrade" not in notes
    assert bundle(administrator) == "Q0E="
    administrator.does(f"kubectl patch {REGISTRATION} --type=json -p '{json.dumps(NO_BUNDLE)}'")
    assert stored_as_rendered(helm, administrator, image, namespace=namespace) == []

    helm.types(rollback)
    assert stored_as_rendered(helm, administrator, image, *OVERLAYS["enforce-warn"], namespace=namespace) == []

    administrator.does("kubectl delete mutatingwebhookconfigurations --all")
    created = administrator.api.create(DEFAULT.path(ROS), rollout("hello", GOOD))
    assert created.status == HTTPStatus.CREATED, created.message
    with job_run(administrator.plane, namespace) as printed:
        helm.types(uninstall, "--timeout=100s")
    assert printed == ["No Services are held in the cluster.\n"]
    assert set(specs(administrator)) == KEPT
    assert administrator.api.get(DEFAULT.path(ROS, "hello")).status == HTTPStatus.OK
    kinds = "deployments,services,jobs,networkpolicies,serviceaccounts,roles,rolebindings,poddisruptionbudgets"
    left = administrator.does(f"kubectl get {kinds} -n {namespace} -l app.kubernetes.io/part-of=stagegate -o name")
    cluster = "clusterroles,clusterrolebindings,validatingwebhookconfigurations,validatingadmissionpolicies"
    left += administrator.does(f"kubectl get {cluster},priorityclasses -l app.kubernetes.io/part-of=stagegate -o name")
    assert left == ""


def test_upgrade_and_rollback_bring_the_definitions_of_their_release(
    helm: Helm, administrator: Administrator, tmp_path: Path
) -> None:
    former = tmp_path / "former"
    shutil.copytree(CHART, former)
    template = former / "templates" / "crds-stagepodautoscalers.yaml"
    age = "        - name: Age\n          type: date\n          jsonPath: .metadata.creationTimestamp\n"
    assert age in template.read_text()
    template.write_text(template.read_text().replace(age, ""))

    def has_age() -> bool:
        versions = specs(administrator)["stagepodautoscalers.serving.knative.dev"]["versions"]
        return "Age" in [column["name"] for column in versions[0]["additionalPrinterColumns"]]

    helm.does("install", "stagegate", former, "-n", NAMESPACE, "--create-namespace")
    assert not has_age()
    helm.does("upgrade", "stagegate", CHART, "-n", NAMESPACE)
    assert has_age()
    helm.does("rollback", "stagegate", "1", "-n", NAMESPACE)
    assert not has_age()


def test_into_a_namespace_of_others(helm: Helm, administrator: Administrator) -> None:
    """It is neither labelled nor removed, and what lives there stays."""
    administrator.does("kubectl create namespace team-a")
    administrator.does("kubectl -n team-a create configmap theirs")
    before = administrator.api.get("/api/v1/namespaces/team-a").body

    helm.does("install", "gate", CHART, "--namespace", "team-a")
    assert stored_as_rendered(helm, administrator, namespace="team-a") == []
    with job_run(administrator.plane, "team-a"):
        helm.does("uninstall", "gate", "--namespace", "team-a", "--timeout", "100s")

    assert administrator.api.get("/api/v1/namespaces/team-a").body == before
    assert "configmap/theirs" in administrator.does("kubectl -n team-a get configmaps -o name")


def test_while_a_service_is_held_and_no_loop_runs_nothing_is_removed(helm: Helm, administrator: Administrator) -> None:
    """The Job says why, and without hooks the uninstallation goes on."""
    administrator.does("kubectl create namespace knative-serving")
    hold = '{"phase":"held","initial":{"hello-00001":100},"new":"hello-00002","since":"uid"}'
    administrator.applies(
        [
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Route",
                "metadata": {"name": "hello", "namespace": "default", "annotations": {"stagegate.dev/hold": hold}},
                "spec": {},
            },
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Service",
                "metadata": {"name": "hello", "namespace": "default"},
                "spec": {},
            },
        ]
    )
    # With the labels that have the server refuse pods which are not restricted.
    administrator.does("kubectl apply -f manifests/base/namespace.yaml")
    helm.does("install", "stagegate", CHART, "-n", NAMESPACE, "--set", "uninstall.timeoutSeconds=2")

    with job_run(administrator.plane, NAMESPACE) as printed:
        failed = helm.run("uninstall", "stagegate", "-n", NAMESPACE, "--timeout", "100s")

    assert failed.returncode != 0
    assert "not released within 2 s: default/hello: it waits for the loop" in printed[-1]
    setting = administrator.does(f"{SETTINGS} -o yaml")
    assert 'hold-nothing-new: "true"' in setting
    assert administrator.does(f"kubectl -n {NAMESPACE} get deployments -o name").splitlines() != []
    helm.does("uninstall", "stagegate", "-n", NAMESPACE, "--no-hooks")
    assert administrator.does(f"kubectl -n {NAMESPACE} get deployments -o name") == ""

    notes = helm.does("install", "stagegate", CHART, "-n", NAMESPACE)
    (command,) = (line for line in notes.splitlines() if "hold-nothing-new" in line)
    administrator.does(command)
    assert "hold-nothing-new" not in administrator.does(f"{SETTINGS} -o jsonpath='{{.data}}'")


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([], ["ClusterRole", "ClusterRoleBinding", "Job", "ServiceAccount"]),
        (["uninstall.releaseServices=false"], []),
        (["stockKnative.enabled=false"], []),
        (["steps=false"], []),
    ],
)
def test_what_is_for_the_uninstallation_only(
    helm: Helm, administrator: Administrator, values: list[str], kinds: list[str]
) -> None:
    administrator.does(f"kubectl create namespace {LIKE_A_NUMBER}")
    helm.does(
        "install", "stagegate", CHART, "-n", LIKE_A_NUMBER, *(word for each in values for word in ("--set", each))
    )

    hooks = helm.read(helm.does("get", "hooks", "stagegate", "-n", LIKE_A_NUMBER))

    assert sorted(each.kind for each in hooks) == kinds
    for each, wire in hooks.items():
        assert each.name == "stagegate-release"
        assert wire["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    assert administrator.does(f"kubectl get jobs -n {LIKE_A_NUMBER} -o name") == ""


def test_what_helm_renders_is_applied_by_kubectl(helm: Helm, administrator: Administrator) -> None:
    """Nothing of it runs at once, and a second time changes nothing."""
    rendered = helm.does("template", "stagegate", CHART, "--namespace", NAMESPACE)
    objects = list(helm.read(rendered).values())

    administrator.does("kubectl apply -f -", rendered)
    before = administrator.stored(objects)
    administrator.does("kubectl apply -f -", rendered)

    versions = [[each["metadata"]["resourceVersion"] for each in of] for of in (before, administrator.stored(objects))]
    assert versions[0] == versions[1]
    assert differences(objects, before) == []
    assert administrator.does("kubectl get jobs -A -o name") == ""


def test_what_kubectl_installed_becomes_a_release(helm: Helm, administrator: Administrator) -> None:
    """With its rollouts. The namespace stays with whoever made it."""
    administrator.does("kubectl apply -k manifests/")
    eventually(lambda: administrator.api.get(DEFAULT.path(ROS)).status == HTTPStatus.OK)
    administrator.does("kubectl delete mutatingwebhookconfigurations,validatingwebhookconfigurations --all")
    created = administrator.api.create(DEFAULT.path(ROS), rollout("hello", GOOD))
    assert created.status == HTTPStatus.CREATED, created.message
    where = ("stagegate", CHART, "-n", NAMESPACE)

    assert "cannot be imported into the current release" in helm.run("install", *where).stderr
    helm.does("install", *where, "--take-ownership")

    assert stored_as_rendered(helm, administrator, namespace=NAMESPACE) == []
    helm.does("uninstall", "stagegate", "-n", NAMESPACE, "--no-hooks")
    assert set(specs(administrator)) == KEPT
    assert administrator.api.get(DEFAULT.path(ROS, "hello")).status == HTTPStatus.OK
    assert administrator.does(f"kubectl get namespace {NAMESPACE} -o name") == f"namespace/{NAMESPACE}\n"


def test_the_notes_name_an_image_without_a_registry_and_the_namespace_default(helm: Helm) -> None:
    """An image that no node can pull, and a namespace of applications that is never checked."""

    def notes(namespace: str, *values: str) -> str:
        sets = [word for value in values for word in ("--set", value)]
        printed = helm.does("install", "stagegate", CHART, "-n", namespace, "--dry-run=server", *sets)
        return printed.split("NOTES:")[1]

    image, own = "The image stagegate:0.1.0 is of no registry", "Nothing in the namespace default is checked"
    assert [text in notes("default") for text in (image, own)] == [True, True]
    assert [text in notes(NAMESPACE, "image.registry=r.example.com") for text in (image, own)] == [False, False]
    assert image not in notes(NAMESPACE, "image.repository=r.example.com/stagegate")


@pytest.mark.parametrize("before", ["kubectl", "upstream"])
def test_over_definitions_that_are_there(helm: Helm, administrator: Administrator, before: str) -> None:
    """Helm refuses to take them over unless told to; crds.install=false leaves them to others."""
    if before == "kubectl":
        administrator.does("kubectl apply -f manifests/crds")
    else:
        administrator.applies(upstream_crds())
    eventually(lambda: administrator.api.get(DEFAULT.path(ROS)).status == HTTPStatus.OK)
    theirs = specs(administrator)
    where = ("stagegate", CHART, "-n", NAMESPACE, "--create-namespace")

    refused = helm.run("install", *where)
    assert "cannot be imported into the current release" in refused.stderr

    helm.does("install", *where, "--set", "crds.install=false")
    assert specs(administrator) == theirs

    helm.does("upgrade", *where[:-1], "--take-ownership", "--set", "crds.install=true")
    left = stored_as_rendered(helm, administrator, namespace=NAMESPACE)
    # Labels that describe upstream's release stay.
    assert [each for each in left if "/metadata/labels/app.kubernetes.io/" not in each] == []
    # Back at the release without them, Helm leaves them where they are.
    helm.does("rollback", "stagegate", "1", "-n", NAMESPACE)
    assert set(specs(administrator)) == KEPT


def test_a_namespace_that_the_release_has_taken_over_stays(helm: Helm, administrator: Administrator) -> None:
    """Helm makes the namespace and then refuses that of the chart; the upgrade of the failed release takes it over."""
    where = ("stagegate", CHART, "-n", "rollouts")
    values = ("--set", "namespace.create=true")

    refused = helm.run("install", *where, "--create-namespace", *values)
    assert 'namespaces "rollouts" already exists' in refused.stderr
    helm.does("upgrade", *where, *values)
    helm.does("uninstall", "stagegate", "-n", "rollouts", "--no-hooks")

    assert administrator.api.get("/api/v1/namespaces/rollouts").body["status"]["phase"] == "Active"
