"""What stock Knative does with an edit, with and without its rollout duration: what rollouts are compared with."""

import pytest

from tests.e2e.tenant import MIN_SCALE, Tenant, service

DURATION = {"serving.knative.dev/rollout-duration": "10s"}
FOUR = {MIN_SCALE: "4"}
# Seven requests in flight for each pod, by Knative's default of 70 % of the target.
DRIVEN = {"autoscaling.knative.dev/target": "10", "autoscaling.knative.dev/target-burst-capacity": "0"}
IN_FLIGHT = 40.0
PODS = 6


def colds(tenant: Tenant, before: int) -> list[tuple[int, int]]:
    """Each share of the new revision with the fewest pods that were ready for it, where those were too few."""
    fewest: dict[int, int] = {}
    for state in tenant.record().since(before):
        share, ready = state.shares("hello").get("hello-00002", 0), state.ready("hello-00002")
        fewest[share] = min(fewest.get(share, ready), ready)
    return [(share, ready) for share, ready in sorted(fewest.items()) if ready * 100 < share * PODS]


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


@pytest.mark.parametrize("annotations", [{}, DURATION], ids=["alone", "with a duration"])
def test_traffic_that_drives_the_pods_is_moved_before_they_run(tenant: Tenant, annotations: dict[str, str]) -> None:
    tenant.apply(service(annotations=annotations, scaling=DRIVEN))
    tenant.await_ready("hello")
    tenant.rig.requests[tenant.name, "hello"] = IN_FLIGHT
    tenant.eventually(lambda state: state.ready("hello-00001") == PODS)
    before = tenant.version()

    tenant.apply(service(version="2", annotations=annotations, scaling=DRIVEN))
    tenant.eventually(
        lambda state: state.shares("hello") == {"hello-00002": 100} and state.ready("hello-00002") == PODS, within=120
    )

    assert colds(tenant, before)
