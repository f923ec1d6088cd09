"""An install with kubectl: nothing is refused, nothing differs afterwards, and a second one changes nothing."""

import base64
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import Binaries, ControlPlane
from tests.e2e.administrator import Administrator, Wire, differences, kustomized
from tests.e2e.cluster import ROS, Namespace, create_namespace, eventually, refused, rollout
from tests.kustomize import combined, overlays

DEFAULT = "manifests/"
STOCK_KNATIVE_POLICY = "manifests/overlays/stock-knative-policy"
CERT_MANAGER = "manifests/overlays/cert-manager"
FOLDERS = [DEFAULT, *(f"manifests/overlays/{name}" for name in overlays())]
OF_OTHERS = {CERT_MANAGER: "cert-manager", "manifests/overlays/monitoring": "prometheus-operator"}
"""Whose definitions a folder relies on."""
REGISTRATIONS = "-f manifests/webhooks -f manifests/components/stock-knative/registrations.yaml"
CLIENT_SIDE = "kubectl apply -k manifests/"
SERVER_SIDE = "kubectl apply --server-side -k manifests/"


@pytest.fixture(scope="module")
def administrator(binaries: Binaries) -> Iterator[Administrator]:
    """A cluster without Knative."""
    with ControlPlane.start(binaries=binaries, manifests=False, knative=False) as plane:
        administrator = Administrator(plane)
        administrator.does(CLIENT_SIDE)
        yield administrator


@pytest.fixture
def installed(administrator: Administrator) -> Iterator[Administrator]:
    """The default install; what a test changes is set back."""
    yield administrator
    administrator.does(f"kubectl delete --ignore-not-found {REGISTRATIONS}")
    administrator.does(CLIENT_SIDE)


@pytest.fixture
def folder(
    request: pytest.FixtureRequest, administrator: Administrator, definitions: Callable[[str], list[Path]]
) -> str:
    """A folder of the manifests, in a cluster that has the definitions of others which it relies on."""
    name: str = request.param
    if name == STOCK_KNATIVE_POLICY and administrator.plane.version < (1, 36):
        pytest.skip("MutatingAdmissionPolicy is served from Kubernetes 1.36 on")
    if name in OF_OTHERS:
        administrator.applies_definitions(definitions(OF_OTHERS[name]))
    return name


def versions(administrator: Administrator, objects: list[Wire]) -> dict[tuple[str, str], str]:
    return {
        (each["kind"], each["metadata"]["name"]): each["metadata"]["resourceVersion"]
        for each in administrator.stored(objects)
    }


@pytest.mark.parametrize("folder", FOLDERS, indirect=True)
def test_every_field_is_one_that_the_server_knows(administrator: Administrator, folder: str) -> None:
    """Even a warning is an error here."""
    administrator.does(f"kubectl apply -k {folder} --dry-run=server --validate=strict --warnings-as-errors")


def test_a_field_too_many_would_be_found(administrator: Administrator) -> None:
    objects = kustomized(administrator, DEFAULT)
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContexts"] = {}

    with pytest.raises(AssertionError, match="securityContexts"):
        administrator.applies([deployment], "--dry-run=server --validate=strict")


@pytest.mark.parametrize("folder", FOLDERS, indirect=True)
def test_what_is_stored_is_what_was_rendered(administrator: Administrator, folder: str) -> None:
    """Whatever was installed before."""
    administrator.does(f"kubectl apply -k {folder}")

    objects = kustomized(administrator, folder)
    assert differences(objects, administrator.stored(objects)) == []


@pytest.mark.parametrize("folder", [DEFAULT, CERT_MANAGER], indirect=True)
def test_what_is_stored_by_the_server_is_what_was_rendered(installed: Administrator, folder: str) -> None:
    installed.does(CLIENT_SIDE)
    installed.does(f"kubectl apply --server-side --force-conflicts -k {folder}")

    objects = kustomized(installed, folder)
    assert differences(objects, installed.stored(objects)) == []


def test_a_second_time_changes_nothing(installed: Administrator) -> None:
    installed.does(CLIENT_SIDE)
    objects = kustomized(installed, DEFAULT)
    before = versions(installed, objects)

    installed.does(CLIENT_SIDE)

    assert versions(installed, objects) == before
    assert installed.does("kubectl diff -k manifests/") == ""


def test_a_second_time_on_the_server_changes_nothing(installed: Administrator) -> None:
    installed.does(f"{SERVER_SIDE} --force-conflicts")
    objects = kustomized(installed, DEFAULT)
    before = versions(installed, objects)

    installed.does(SERVER_SIDE)

    assert versions(installed, objects) == before


def publish(administrator: Administrator, bundle: bytes) -> None:
    """What the rotation does: caBundle by server-side apply under its own field manager, and nothing else."""
    trusted = {"caBundle": base64.b64encode(bundle).decode()}
    for each in kustomized(administrator, DEFAULT):
        if not each["kind"].endswith("WebhookConfiguration"):
            continue
        name, plural = each["metadata"]["name"], f"{each['kind'].lower()}s"
        webhooks = [{"name": webhook["name"], "clientConfig": trusted} for webhook in each["webhooks"]]
        body = {key: each[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": name}, "webhooks": webhooks}
        path = f"/apis/admissionregistration.k8s.io/v1/{plural}/{name}"
        answer = administrator.api.apply(path, body, "stagegate-certs")
        assert answer.status == HTTPStatus.OK, answer.message


@pytest.mark.parametrize("again", [CLIENT_SIDE, f"{SERVER_SIDE} --force-conflicts"])
def test_a_diff_shows_the_ca_bundle_and_nothing_else(installed: Administrator, authority: bytes, again: str) -> None:
    publish(installed, authority)
    objects = kustomized(installed, DEFAULT)

    installed.does(again)

    assert differences(objects, installed.stored(objects)) == [
        "MutatingWebhookConfiguration/mutate.knative.stagegate.dev/webhooks/0/clientConfig/caBundle",
        "MutatingWebhookConfiguration/mutate.knative.stagegate.dev/webhooks/1/clientConfig/caBundle",
        "MutatingWebhookConfiguration/mutate.stagegate.dev/webhooks/0/clientConfig/caBundle",
        "ValidatingWebhookConfiguration/validate.stagegate.dev/webhooks/0/clientConfig/caBundle",
    ]
    assert installed.does("kubectl diff -k manifests/") == ""


@pytest.fixture(scope="module")
def authority() -> bytes:
    from tests.controlplane.certificates import Authority

    return Authority().certificate


def test_the_ca_bundle_has_an_owner_of_its_own(installed: Administrator, authority: bytes) -> None:
    publish(installed, authority)

    objects = [each for each in kustomized(installed, DEFAULT) if each["kind"].endswith("WebhookConfiguration")]
    for each in installed.stored(objects):
        owners = {entry["manager"]: entry["fieldsV1"] for entry in each["metadata"]["managedFields"]}
        only: Wire = {".": {}, "f:clientConfig": {"f:caBundle": {}}, "f:name": {}}
        names = [webhook["name"] for webhook in each["webhooks"]]
        assert owners.pop("stagegate-certs")["f:webhooks"] == {f'k:{{"name":"{name}"}}': only for name in names}
        assert "caBundle" not in str(owners)


def test_a_controller_is_one_to_the_policies_too(installed: Administrator, program: Callable[[str], Path]) -> None:
    deployer = "system:serviceaccount:ci:deployer"
    bad = rollout("hello", {"rolloutStrategy": "blue-green"})
    installed.has(program("helm"))

    values = f"--set failOpen=true --set controllers={{{deployer}}}"
    installed.does(f"helm template stagegate manifests/chart -n stagegate-system {values} | kubectl apply -f -")

    path = Namespace("default").path(ROS)
    with installed.plane.session(deployer, ["system:masters"]) as session:
        eventually(lambda: session.create(path, bad, dryRun="All").status == HTTPStatus.CREATED)
    eventually(lambda: refused(installed.api.create(path, bad, dryRun="All")))


def test_a_forbidden_override_is_one_to_the_policies_too(installed: Administrator, tmp_path: Path) -> None:
    bad = rollout("hello", {"rolloutStrategy": "blue-green"}, annotations={"stagegate.dev/override": "RO009"})
    path = Namespace("default").path(ROS)
    installed.does("kubectl apply -k manifests/overlays/fail-open")
    eventually(lambda: installed.api.create(path, bad, dryRun="All").status == HTTPStatus.CREATED)

    installed.does(f"kubectl apply -k {combined(tmp_path, 'fail-open', 'forbid-override')}")

    eventually(lambda: refused(installed.api.create(path, bad, dryRun="All")))


def test_a_namespace_that_asks_for_denials_gets_them_in_warn_mode_too(installed: Administrator) -> None:
    bad = rollout("hello", {"rolloutStrategy": "blue-green"})
    namespace = create_namespace(installed.api, "asks-for-denials", {"stagegate.dev/enforce": "deny"})

    installed.does("kubectl apply -k manifests/overlays/enforce-warn")

    eventually(lambda: refused(installed.api.create(namespace.path(ROS), bad, dryRun="All")))
    eventually(
        lambda: installed.api.create(Namespace("default").path(ROS), bad, dryRun="All").status == HTTPStatus.CREATED
    )


@pytest.mark.parametrize("name", ["stagegate-webhook", "stagegate-loop"])
def test_the_pods_are_let_in_by_the_restricted_level(administrator: Administrator, name: str) -> None:
    pod = pod_of(administrator, name)

    answer = create_pod(administrator, pod)

    assert answer.status == HTTPStatus.CREATED, answer.message
    assert answer.warnings == []
    assert answer.body["spec"]["priority"] == 1_000_000_000


def test_a_pod_that_wants_more_is_not_let_in(administrator: Administrator) -> None:
    pod = pod_of(administrator, "stagegate-webhook")
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True

    eventually(lambda: "restricted" in create_pod(administrator, pod).message)


def pod_of(administrator: Administrator, name: str) -> Wire:
    objects = kustomized(administrator, DEFAULT)
    (template,) = (
        each["spec"]["template"]
        for each in objects
        if each["kind"] == "Deployment" and each["metadata"]["name"] == name
    )
    metadata = template["metadata"] | {"name": "probe", "namespace": "stagegate-system"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def create_pod(administrator: Administrator, pod: Wire) -> Any:
    return administrator.api.create("/api/v1/namespaces/stagegate-system/pods", pod, dryRun="All")
