"""An edit by Knative alone, with its rollout duration, and in stages: the figures that the README compares."""

import pytest

from tests.e2e.tenant import MIN_SCALE, Tenant, service
from tests.rig.stagegate import Stagegate

DURATION = {"serving.knative.dev/rollout-duration": "10s"}
STAGES = {"stagegate.dev/progressive": "true"}
FOUR = {MIN_SCALE: "4"}
# Seven requests in flight for each pod, by Knative's default of 70 % of the target.
DRIVEN = {"autoscaling.knative.dev/target": "10", "autoscaling.knative.dev/target-burst-capacity": "0"}
IN_FLIGHT = 40.0
PODS = 6


def cold_shares(tenant: Tenant, before: int) -> list[tuple[int, int]]:
    """Each share of the new revision with the fewest pods that were ready for it, where those were too few."""
    fewest: dict[int, int] = {}
    for state in tenant.record().since(before):
        share, ready = state.shares("hello").get("hello-00002", 0), state.ready("hello-00002")
        fewest[share] = min(fewest.get(share, ready), ready)
    return [(share, ready) for share, ready in sorted(fewest.items()) if ready < share * PODS // 100]


def test_a_duration_moves_the_traffic_in_steps_beside_twice_the_pods(tenant: Tenant) -> None:
    tenant.apply(service(annotations=DURATION, scaling=FOUR))
    tenant.await_ready("hello")
    before = tenant.version()

    tenant.apply(service(version="2", annotations=DURATION, scaling=FOUR))
    tenant.eventually(lambda state: state.running() == {"hello-00002": 4}, within=120)

    record = tenant.record()
    assert len(record.path("hello", before)) > 4
    assert record.peak(before) == 8
    assert record.created(before) == {"hello-00002": 4}


def edited_under_traffic(tenant: Tenant, annotations: dict[str, str]) -> int:
    """Edit a Service whose six pods are there because requests are, and wait for the end; the write before."""
    tenant.apply(service(annotations=annotations, scaling=DRIVEN))
    tenant.await_ready("hello")
    tenant.rig.requests[tenant.name, "hello"] = IN_FLIGHT
    tenant.eventually(lambda state: state.ready("hello-00001") == PODS)
    before = tenant.version()
    tenant.apply(service(version="2", annotations=annotations, scaling=DRIVEN))
    tenant.eventually(
        lambda state: state.shares("hello") == {"hello-00002": 100} and state.ready("hello-00002") == PODS, within=180
    )
    return before


@pytest.mark.parametrize("annotations", [{}, DURATION], ids=["alone", "with a duration"])
def test_knative_moves_traffic_to_pods_that_do_not_run_yet(tenant: Tenant, annotations: dict[str, str]) -> None:
    before = edited_under_traffic(tenant, annotations)

    assert cold_shares(tenant, before)


def test_stages_move_traffic_to_pods_that_run(stagegate: Stagegate, tenant: Tenant) -> None:
    before = edited_under_traffic(tenant, STAGES)

    # The last stage has the floor of the one before, and the autoscaler adds what is missing.
    assert cold_shares(tenant, before) in ([], [(100, PODS - 1)])
    assert len(tenant.record().path("hello", before)) > 4


def test_stages_run_one_pod_more(stagegate: Stagegate, tenant: Tenant) -> None:
    scaling = {**FOUR, "rollout.knative.dev/over-consumption-ratio": "25"}
    tenant.apply(service(annotations=STAGES, scaling=scaling))
    tenant.await_ready("hello")
    before = tenant.version()

    tenant.apply(service(version="2", annotations=STAGES, scaling=scaling))
    tenant.eventually(lambda state: state.is_ready("hello") and state.running() == {"hello-00002": 4}, within=120)

    assert tenant.record().peak(before) == 5
    assert tenant.record().created(before) == {"hello-00002": 4}
