"""Edges of rollouts on stock Knative: scale to zero, names, classes and bounds that people choose, stale holds."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.e2e.progressive import (
    NEW,
    NEWER,
    OLD,
    QUARTERS,
    STAGES,
    complete,
    deployed,
    faults,
    hello,
    traces,
    under_way,
)
from tests.e2e.standing import explained
from tests.e2e.tenant import Tenant
from tests.rig.installation import LOOP, WEBHOOK
from tests.rig.rig import create
from tests.rig.stagegate import Stagegate
from tests.rig.timeline import condition_of
from webhook.planning.config import GIVE_FAILED_SHARES_BACK as GIVE_BACK

pytestmark = pytest.mark.usefixtures("stagegate")

OF_THE_SYSTEM = ("knative-serving", "stagegate-system")
SETTINGS = "/api/v1/namespaces/knative-serving/configmaps"
IDLE = {"rollout.knative.dev/over-consumption-ratio": "25"}


def said(tenant: Tenant, condition: str) -> str:
    """Reason and message of a condition of the RO; empty if it is not there."""
    listed = tenant.get("rolloutorchestrators", "hello")["status"]["conditions"]
    return next((f"{each.get('reason')}: {each.get('message')}" for each in listed if each["type"] == condition), "")


def test_a_service_that_runs_no_pods_rolls_out_without_any(tenant: Tenant) -> None:
    """Scaled to zero before the edit. Knative itself starts one pod of a new revision, and its last pod goes."""
    deployed(tenant, scaling=IDLE)
    tenant.eventually(lambda state: not state.running())
    since = tenant.version()

    tenant.apply(hello("2", scaling=IDLE))

    record = complete(tenant, NEW, pods=0)
    assert record.peak(since) <= 1
    assert record.created(since)[OLD] == 0


def test_a_service_born_with_no_pods_gets_none(tenant: Tenant) -> None:
    scaling = {**IDLE, "autoscaling.knative.dev/initial-scale": "0"}
    deployed(tenant, scaling=scaling)
    since = tenant.version()

    tenant.apply(hello("2", scaling=scaling))

    record = complete(tenant, NEW, pods=0)
    assert record.created(since)[OLD] == 0


def test_names_of_revisions_that_the_owner_chooses(tenant: Tenant) -> None:
    first, second = hello("1"), hello("2")
    first["spec"]["template"]["metadata"]["name"] = "hello-blue"
    second["spec"]["template"]["metadata"]["name"] = "hello-green"
    tenant.apply(first)
    tenant.await_ready("hello")
    since = tenant.version()

    tenant.apply(second)

    record = complete(tenant, "hello-green")
    assert record.path("hello", since)[1] == {"hello-blue": 75, "hello-green": 25}
    assert faults(record, since) == []
    assert record.peak(since) == 5


def test_another_autoscaler_is_left_alone_with_a_word(tenant: Tenant) -> None:
    """The autoscaler of that class is not simulated here; the Route is what counts."""
    deployed(tenant)
    scaling = {**QUARTERS, "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"}

    tenant.apply(hello("2", scaling=scaling))

    tenant.eventually(lambda state: NEW in state.all("revisions"))
    tenant.eventually(lambda _: bool(tenant.events("OtherAutoscaler")))
    assert "hpa.autoscaling.knative.dev" in tenant.events("OtherAutoscaler")[0]
    assert traces(tenant.record().end) == []


def test_start_and_end_are_events_of_the_service_once_each(tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    complete(tenant)

    tenant.eventually(lambda _: len(tenant.events("RolloutComplete")) == 1)
    assert len(tenant.events("RolloutStarted")) == 1


def test_pods_of_a_revision_with_traffic_that_turn_unready_move_no_traffic(tenant: Tenant) -> None:
    since = deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})

    tenant.rig.kubelet.turn(tenant.name, NEW, ready=False)
    tenant.eventually(lambda state: state.ready(NEW) == 0)
    tenant.settle(3)
    assert tenant.record().end.shares("hello").get(NEW, 0) <= 50
    tenant.rig.kubelet.turn(tenant.name, NEW, ready=True)

    record = complete(tenant)
    assert record.path("hello", since)[-1] == {NEW: 100}


@pytest.fixture
def gives_failed_shares_back(tenant: Tenant) -> Iterator[Callable[[], object]]:
    """Has the cluster set so, until the test is over."""
    admin, name = tenant.rig.plane.admin, "config-rolloutorchestrator"
    metadata = {"name": name, "namespace": "knative-serving"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {GIVE_BACK: "true"}}
    yield lambda: create(admin, body)
    admin.delete(f"{SETTINGS}/{name}")


def test_a_failed_revision_keeps_its_share_unless_the_cluster_is_set_to_give_it_back(
    tenant: Tenant, gives_failed_shares_back: Callable[[], object]
) -> None:
    """Its containers exit, so that Knative says Ready False; the Route then refuses every entry that leads to it."""
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})

    tenant.rig.kubelet.crash(tenant.name, NEW)

    tenant.eventually(lambda _: bool(tenant.events("RolloutFailed")))
    assert f"{NEW} is not Ready (ExitCode1" in tenant.events("RolloutFailed")[0]
    tenant.settle(4)
    assert tenant.record().end.shares("hello") == {OLD: 50, NEW: 50}
    since = tenant.version()
    gives_failed_shares_back()
    tenant.eventually(lambda state: state.shares("hello") == {OLD: 100} and bool(said(tenant, "Aborted")))
    record = tenant.record()
    assert record.path("hello", since) == [{OLD: 50, NEW: 50}, {OLD: 100}]
    moved = next(state for state in record.since(since) if state.shares("hello") == {OLD: 100})
    assert moved.ready(OLD) == 4, "it has its replicas before the requests"
    assert "ExitCode1" in said(tenant, "Aborted")

    tenant.apply(hello("3"))

    # Knative keeps the pods of a revision that has failed until its progress deadline.
    tenant.eventually(lambda state: state.is_ready("hello") and traces(state) == [])
    state = tenant.record().end
    assert (state.shares("hello"), state.ready_pods()) == ({NEWER: 100}, {NEWER: 4})


def test_a_route_that_does_not_move_stops_the_rollout(tenant: Tenant) -> None:
    """Pods of the old revision stay for as long as the ingress sends them requests."""
    since = deployed(tenant)
    tenant.rig.ingress.stalled.add(tenant.name)
    tenant.apply(hello("2"))
    tenant.eventually(lambda state: state.ready(NEW) == 1)
    tenant.settle(4)
    assert tenant.record().end.ready_pods() == {OLD: 4, NEW: 1}
    assert f"Route hello to move to {OLD} 75%, {NEW} 25%" in said(tenant, "StageTrafficReady")
    assert said(tenant, "RouteHeld")
    _, explanation = explained(tenant.rig.plane.kubeconfig, tenant.name)
    assert explanation["causes"][0]["id"] == "route-not-moving"
    assert f"shows {OLD} 75%, {NEW} 25%, which its ingress does not serve yet" in explanation["causes"][0]["says"]

    tenant.rig.ingress.resume(tenant.name)

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []


def test_bounds_that_somebody_edits_in_the_middle_become_the_revisions_own(tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})

    tenant.patch("revisions", NEW, {"metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "5"}}})

    record = complete(tenant, NEW, pods=5)
    assert record.end.annotation("revisions", NEW, "autoscaling.knative.dev/min-scale") == "5"


def test_each_account_does_with_its_roles(stagegate: Stagegate, tenant: Tenant) -> None:
    """Writes to a namespace that is being deleted are refused to everybody; those of former tests do not count."""
    deployed(tenant)
    tenant.apply(hello("2"))
    complete(tenant)

    refused = [
        f"{event['user']['username']} {event['verb']} {event['requestURI']}"
        for event in stagegate.rig.plane.audit_events()
        if event["user"]["username"] in (LOOP, WEBHOOK)
        and event["responseStatus"]["code"] == 403
        and event.get("objectRef", {}).get("namespace", tenant.name) in (tenant.name, *OF_THE_SYSTEM)
    ]
    assert refused == []


@pytest.mark.parametrize("phase", ["held", "releasing"])
def test_a_hold_from_a_backup_is_not_believed(tenant: Tenant, phase: str) -> None:
    """Restored under another uid of the Service; Knative goes on by itself, and nothing stays."""
    deployed(tenant)
    hold = f'{{"initial":{{"{OLD}":100}},"new":"{NEW}","phase":"{phase}","since":"uid-of-former-times"}}'
    own: dict[str, Any] = {"metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}}}
    own["metadata"]["annotations"]["autoscaling.knative.dev/stagegate-own"] = (
        '{"min-scale":"4","set":{"min-scale":"1"}}'
    )
    tenant.patch("revisions", OLD, own)

    tenant.patch("routes", "hello", {"metadata": {"annotations": {"stagegate.dev/hold": hold}}})

    tenant.eventually(lambda state: traces(state) == [] and state.running() == {OLD: 4})
    assert tenant.record().end.annotation("revisions", OLD, "autoscaling.knative.dev/min-scale") == "4"


def test_a_hold_whose_revision_never_comes_is_released(tenant: Tenant) -> None:
    """As after a forged review. What Knative was about to do, it does then."""
    deployed(tenant)
    uid = tenant.get("services", "hello")["metadata"]["uid"]
    hold = f'{{"initial":{{"{OLD}":100}},"new":"hello-00009","phase":"held","since":"{uid}"}}'

    tenant.patch("routes", "hello", {"metadata": {"annotations": {"stagegate.dev/hold": hold}}})

    tenant.eventually(lambda state: traces(state) == [] and state.is_ready("hello"), 90)
    assert tenant.record().end.shares("hello") == {OLD: 100}


def test_a_domain_mapping_keeps_its_target(tenant: Tenant) -> None:
    """It leads to the Service, whose address a rollout does not change."""
    domain = f"{tenant.name}.example.org"
    claim = {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "ClusterDomainClaim",
        "metadata": {"name": domain},
        "spec": {"namespace": tenant.name},
    }
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello"}
    mapping = {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": domain, "namespace": tenant.name},
        "spec": {"ref": ref},
    }
    since = deployed(tenant)
    for wire in (claim, mapping):
        assert create(tenant.rig.plane.admin, wire).status == HTTPStatus.CREATED
    path = f"/apis/serving.knative.dev/v1beta1/namespaces/{tenant.name}/domainmappings/{domain}"
    admin = tenant.rig.plane.admin
    tenant.eventually(lambda _: condition_of(admin.get(path).body, "Ready") == "True")
    before = admin.get(path).body

    tenant.apply(hello("2"))

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert admin.get(path).body == before, "somebody wrote the DomainMapping"
