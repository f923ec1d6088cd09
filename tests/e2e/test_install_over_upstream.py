"""An install over upstream's own definitions, with objects in them, and the way back."""

import copy
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import yaml

from tests.controlplane import Binaries, ControlPlane
from tests.documents import section
from tests.e2e.administrator import Administrator, Wire
from tests.e2e.cluster import ROS, SPAS, Namespace, eventually, rollout, spa
from tests.e2e.upstream_crds import upstream_crds

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OVER_UPSTREAM = section("Beside upstream's controllers").command("kubectl apply -k manifests/overlays/steps-off ")
SPARES_STATUS = (1, 33)
"""The first Kubernetes that does not judge an old spec when the status is written."""
DEFAULT = Namespace("default")
ENTRY = {
    "revisionName": "hello-00001",
    "percent": 60,
    "latestRevision": True,
    "configurationName": "hello",
    "tag": "current",
    "url": "http://current.example.com",
    "direction": "up",
    "targetReplicas": 3,
    "minScale": 0,
    "maxScale": 0,
}
CONDITION = {
    "type": "Ready",
    "status": "Unknown",
    "severity": "Info",
    "reason": "Why",
    "message": "What.",
    "lastTransitionTime": "2030-01-01T00:00:00Z",
}
STATUS = {"observedGeneration": 1, "annotations": {"targets": "recorded"}, "conditions": [CONDITION]}
# What upstream lets pass and our rules would not: a revision that goes up and down, a sum of 120, a name with blanks.
SPECS: dict[str, Wire] = {
    "sound": {"targetRevisions": [ENTRY | {"percent": 100}], "rolloutStrategy": "availability"},
    "broken": {
        "initialRevisions": [ENTRY | {"revisionName": "not a name"}],
        "targetRevisions": [ENTRY, ENTRY | {"direction": "down"}],
        "stageTargetRevisions": [{}],
        "rolloutStrategy": "sideways",
        "targetFinishTime": "2030-01-01T00:00:00Z",
    },
}


@pytest.fixture
def administrator(binaries: Binaries) -> Iterator[Administrator]:
    """A cluster with upstream's definitions and objects of every shape in them."""
    with ControlPlane.start(binaries=binaries, manifests=False, knative=False) as plane:
        administrator = Administrator(plane)
        administrator.applies(upstream_crds())
        eventually(lambda: all(plane.admin.get(DEFAULT.path(plural)).status == HTTPStatus.OK for plural in (ROS, SPAS)))
        for name, spec in SPECS.items():
            create(administrator, ROS, rollout(name, spec), STATUS | {"stageRevisionStatus": [ENTRY]})
        scales = {"desiredScale": 3, "actualScale": 2, "replicasTerminating": 1}
        create(administrator, SPAS, spa("hello-00001", {"stageMinScale": 3, "stageMaxScale": 1}), STATUS | scales)
        yield administrator


def create(administrator: Administrator, plural: str, body: Wire, status: Wire) -> None:
    created = administrator.api.create(DEFAULT.path(plural), body).body
    path = DEFAULT.path(plural, body["metadata"]["name"], "status")
    answer = administrator.api.update(path, created | {"status": status})
    assert answer.status == HTTPStatus.OK, answer.message


def objects(administrator: Administrator) -> dict[str, Wire]:
    """Every RO and SPA, whole, as soon as the server is done with a change of their definitions."""
    lists = [DEFAULT.path(plural) for plural in (ROS, SPAS)]
    eventually(lambda: all(administrator.api.get(path).status == HTTPStatus.OK for path in lists))
    found = [each for path in lists for each in administrator.api.get(path).body["items"]]
    assert len(found) == 3
    return {each["metadata"]["name"]: each for each in found}


def definitions(administrator: Administrator) -> list[Wire]:
    found: list[Wire] = administrator.api.get(CRDS).body["items"]
    return found


@pytest.mark.parametrize("way", [OVER_UPSTREAM, "kubectl apply -k manifests/"])
def test_no_object_is_touched(administrator: Administrator, way: str) -> None:
    before = objects(administrator)

    administrator.does(way)

    assert objects(administrator) == before


@pytest.mark.parametrize("way", [OVER_UPSTREAM, "kubectl apply -k manifests/"])
def test_the_version_stays_served_and_stored(administrator: Administrator, way: str) -> None:
    administrator.does(way)

    for crd in definitions(administrator):
        assert [(each["name"], each["served"], each["storage"]) for each in crd["spec"]["versions"]] == [
            ("v1", True, True)
        ]
        assert crd["status"]["storedVersions"] == ["v1"]
        assert {each["type"]: each["status"] for each in crd["status"]["conditions"]}["Established"] == "True"


def test_the_labels_by_which_knative_finds_them_stay(administrator: Administrator) -> None:
    """kubectl takes over what kubectl applied before: two labels that describe upstream's release go."""
    administrator.does(OVER_UPSTREAM)

    for crd in definitions(administrator):
        assert crd["metadata"]["labels"] == {
            "knative.dev/crd-install": "true",
            "duck.knative.dev/podspecable": "true",
            "app.kubernetes.io/part-of": "stagegate",
        }


def test_another_applier_of_upstreams_keeps_what_is_its_own(administrator: Administrator) -> None:
    """An operator or a Git sync that applies on the server: both own what both state, each what it alone states."""
    administrator.does("kubectl delete crd --all")
    administrator.applies(upstream_crds(), "--server-side --field-manager=knative-operator")

    conflict = administrator.types(OVER_UPSTREAM.replace("--force-conflicts ", ""))
    administrator.does(OVER_UPSTREAM)

    assert conflict.code == 1
    assert 'conflict with "knative-operator": .spec.versions' in conflict.err
    for crd in definitions(administrator):
        assert crd["metadata"]["labels"]["app.kubernetes.io/version"] == "1.16.0"
        owners = {entry["manager"]: str(entry["fieldsV1"]) for entry in crd["metadata"]["managedFields"]}
        assert "f:versions" in owners["stagegate"]
        assert "f:versions" not in owners["knative-operator"]
        assert "f:app.kubernetes.io/version" in owners["knative-operator"]
        assert "f:knative.dev/crd-install" in owners["knative-operator"]
        assert "f:knative.dev/crd-install" in owners["stagegate"]


def test_an_object_that_broke_the_rules_before_can_be_carried_on(administrator: Administrator) -> None:
    """Old findings are accepted; a write that breaks a rule anew is refused.

    An older Kubernetes takes no status before the spec is mended, as documented.
    """
    spares_status = administrator.plane.version >= SPARES_STATUS
    administrator.does(OVER_UPSTREAM)
    administrator.does("kubectl delete -f manifests/webhooks")
    path = DEFAULT.path(ROS, "broken")

    def rules_hold() -> bool:
        fresh = rollout("fresh", SPECS["broken"])
        return administrator.plane.admin.create(DEFAULT.path(ROS), fresh, dryRun="All").status == 422

    eventually(rules_hold)

    status = administrator.api.patch(f"{path}/status", {"status": {"observedGeneration": 2}})
    spec = administrator.api.patch(path, {"spec": {"rolloutStrategy": "availability"}})
    worse = administrator.api.patch(path, {"spec": {"targetRevisions": [ENTRY | {"direction": "sideways"}]}})

    assert status.status == (HTTPStatus.OK if spares_status else HTTPStatus.UNPROCESSABLE_ENTITY), status.message
    assert spec.status == HTTPStatus.OK, spec.message
    assert worse.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "RO004" in worse.message


def test_upstreams_release_goes_back_over_ours(administrator: Administrator) -> None:
    before = objects(administrator)
    administrator.does(OVER_UPSTREAM)

    administrator.applies(upstream_crds(), "--server-side --force-conflicts --field-manager=knative")

    assert objects(administrator) == before
    for crd in definitions(administrator):
        assert "x-kubernetes-validations" not in yaml.safe_dump(crd["spec"])
        assert crd["status"]["storedVersions"] == ["v1"]


def test_a_later_version_that_is_stored_is_not_taken_back(administrator: Administrator) -> None:
    """An upstream of the future: the server refuses to remove its version, and everything stays as it is."""
    later: list[Any] = []
    for crd in copy.deepcopy(upstream_crds()):
        crd["spec"]["versions"][0]["storage"] = False
        crd["spec"]["versions"].append(crd["spec"]["versions"][0] | {"name": "v2", "storage": True})
        later.append(crd)
    administrator.applies(later)
    before = {crd["metadata"]["name"]: crd["spec"] for crd in definitions(administrator)}

    refused = administrator.types(OVER_UPSTREAM)

    assert refused.code == 1
    assert 'status.storedVersions[1]: Invalid value: "v2"' in refused.err
    assert {crd["metadata"]["name"]: crd["spec"] for crd in definitions(administrator)} == before
