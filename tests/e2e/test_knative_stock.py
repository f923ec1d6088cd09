"""Stock Knative on the rig, without a hold: the baseline that rollouts are compared with, and what they rest on."""

from collections.abc import Callable

import pytest

from tests.e2e.tenant import MIN_SCALE, Tenant, differences, service
from tests.rig import kubelet
from tests.rig.rig import CONTROLLER

FOUR = {MIN_SCALE: "4"}


def deployed(tenant: Tenant, scaling: dict[str, str]) -> int:
    """Have the first revision there; the number of the last write then."""
    tenant.apply(service(scaling=scaling))
    tenant.await_ready("hello")
    return tenant.version()


def test_an_edit_runs_twice_the_pods_and_moves_all_traffic_at_once(tenant: Tenant) -> None:
    before = deployed(tenant, FOUR)

    tenant.apply(service(version="2", scaling=FOUR))

    tenant.eventually(lambda state: state.is_ready("hello") and state.running() == {"hello-00002": 4})
    record = tenant.record()
    assert record.path("hello", before) == [{"hello-00001": 100}, {"hello-00002": 100}]
    assert record.peak(before) == 8
    assert record.created(before) == {"hello-00002": 4}
    assert record.deleted(before) == {"hello-00001": 4}


def test_a_new_template_writes_no_route(tenant: Tenant) -> None:
    """So a guard of the Route's writes alone would not notice the start of a rollout."""
    deployed(tenant, FOUR)
    before = tenant.rig.route_writes(tenant.name)

    tenant.apply(service(version="2", scaling=FOUR))
    tenant.eventually(lambda state: state.shares("hello") == {"hello-00002": 100})

    assert tenant.rig.route_writes(tenant.name) == before
    assert before[CONTROLLER] > 0


def test_bounds_of_a_live_revision_move_its_pods_and_restart_none(tenant: Tenant) -> None:
    before = deployed(tenant, FOUR)

    tenant.patch("revisions", "hello-00001", {"metadata": {"annotations": {MIN_SCALE: "5"}}})

    tenant.eventually(lambda state: state.ready("hello-00001") == 5)
    assert tenant.record().created(before) == {"hello-00001": 1}
    assert not tenant.record().deleted(before)


def test_a_record_under_the_key_of_autoscaling_restarts_no_pod(tenant: Tenant) -> None:
    before = deployed(tenant, FOUR)
    key = "autoscaling.knative.dev/noted-by-somebody"

    tenant.patch("revisions", "hello-00001", {"metadata": {"annotations": {key: "{}", MIN_SCALE: "5"}}})

    tenant.eventually(lambda state: state.ready("hello-00001") == 5)
    assert tenant.record().end.annotation("podautoscalers", "hello-00001", key) == "{}"
    assert tenant.record().end.annotation("deployments", "hello-00001-deployment", key) is None
    assert not tenant.record().deleted(before)


def test_a_revision_that_is_never_ready_gets_no_traffic(tenant: Tenant) -> None:
    deployed(tenant, FOUR)

    tenant.apply(service(version="2", image=kubelet.NO_IMAGE, scaling={MIN_SCALE: "1"}))

    tenant.eventually(lambda state: bool(state.all("revisions").get("hello-00002")))
    tenant.eventually(lambda state: len(state.pods("hello-00002")) == 1)
    assert tenant.record().end.shares("hello") == {"hello-00001": 100}


def test_traffic_scales_pods(tenant: Tenant) -> None:
    """Scraped from queue proxies; a target of 10 in flight is 70 % of it by Knative's default."""
    scaling = {"autoscaling.knative.dev/target": "10", "autoscaling.knative.dev/target-burst-capacity": "0"}
    deployed(tenant, scaling)

    tenant.rig.requests[tenant.name, "hello"] = 20.0

    tenant.eventually(lambda state: state.ready("hello-00001") == 3)


def test_twins_end_alike(new_tenant: Callable[[], Tenant]) -> None:
    twins = [new_tenant(), new_tenant()]
    for tenant in twins:
        deployed(tenant, FOUR)
        tenant.apply(service(version="2", scaling=FOUR))
    for tenant in twins:
        tenant.eventually(lambda state: state.is_ready("hello") and state.running() == {"hello-00002": 4})
        tenant.settle()

    one, other = (tenant.stored() for tenant in twins)
    assert differences(one, other) == []
    assert len(one) > 15


@pytest.mark.parametrize("name", ["autoscaler", "controller", "webhook"])
def test_the_programs_run_to_the_end(tenant: Tenant, name: str) -> None:
    assert tenant.rig.program(name).running
