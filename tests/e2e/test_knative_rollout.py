"""Rollouts on stock Knative: a Service is edited, and all the rest happens by itself."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from tests.e2e.progressive import (
    NEW,
    NEWER,
    OLD,
    QUARTERS,
    STAGES,
    STRATEGY,
    complete,
    deployed,
    faults,
    hello,
    left_over,
    stages,
    traces,
    under_way,
)
from tests.e2e.standing import explained
from tests.e2e.tenant import Tenant, Wire
from tests.rig.installation import LOOP, WEBHOOK
from tests.rig.rig import CONTROLLER
from tests.rig.stagegate import Stagegate
from tests.rig.timeline import Record
from webhook.forecast.forecast import Setting, forecasts
from webhook.forecast.objects import Objects
from webhook.forecast.subject import subject_of

pytestmark = pytest.mark.usefixtures("stagegate")


class Rollout(NamedTuple):
    """One rollout from its edit on, and the end of an untouched twin."""

    record: Record
    since: int
    writes: dict[str, int]
    end: dict[str, Wire]
    twin: dict[str, Wire]


@pytest.fixture(scope="module")
def rollout(running_stagegate: Stagegate) -> Rollout:
    rig = running_stagegate.rig
    with rig.inside():
        tenant, twin = Tenant(rig, "staged"), Tenant(rig, "twin")
        since = deployed(tenant)
        deployed(twin, annotations={})
        before = rig.route_writes(tenant.name)
        tenant.apply(hello("2"))
        twin.apply(hello("2", annotations={}))
        record = complete(tenant)
        complete(twin)
        for each in (tenant, twin):
            each.settle()
        writes = rig.route_writes(tenant.name) - before
        return Rollout(record, since, dict(writes), tenant.stored(), twin.stored())


def test_shares_and_pods_move_by_stages(rollout: Rollout) -> None:
    assert stages(rollout.record, rollout.since) == [
        ({OLD: 100}, {OLD: 4}),
        ({OLD: 75, NEW: 25}, {OLD: 3, NEW: 1}),
        ({OLD: 50, NEW: 50}, {OLD: 2, NEW: 2}),
        ({OLD: 25, NEW: 75}, {OLD: 1, NEW: 3}),
        ({NEW: 100}, {NEW: 4}),
    ]


def test_it_went_as_forecast(rollout: Rollout) -> None:
    subject = subject_of(Objects([hello("1"), hello("2")]), Objects())
    (forecast,) = forecasts(subject, [Setting()], (), datetime.now(UTC))
    moments = [forecast.prediction.start, *(stage.end for stage in forecast.prediction.stages)]

    assert stages(rollout.record, rollout.since) == [(seen(one.traffic), seen(one.replicas)) for one in moments]
    assert rollout.record.peak(rollout.since) == forecast.prediction.peak


def seen(numbers: Mapping[str, int]) -> dict[str, int]:
    """What is not 0."""
    return {name: number for name, number in numbers.items() if number}


def test_no_moment_breaks_a_law(rollout: Rollout) -> None:
    assert faults(rollout.record, rollout.since) == []


def test_the_peak_is_one_stage_above_the_old_number(rollout: Rollout) -> None:
    assert rollout.record.peak(rollout.since) == 5


def test_no_pod_is_restarted(rollout: Rollout) -> None:
    assert rollout.record.created(rollout.since) == {NEW: 4}
    assert rollout.record.deleted(rollout.since) == {OLD: 4}


def test_the_end_equals_that_of_an_untouched_twin(rollout: Rollout) -> None:
    assert left_over(rollout.end, rollout.twin) == []


def test_each_writes_the_route_a_bounded_number_of_times(rollout: Rollout) -> None:
    """Knative tries a Route again that the guard keeps; four stages, the hold and its end are our own writes."""
    assert rollout.writes.keys() == {CONTROLLER, LOOP, WEBHOOK}
    assert rollout.writes[WEBHOOK] == 1
    assert rollout.writes[LOOP] <= 8
    assert rollout.writes[CONTROLLER] <= 60


def test_waiting_clients_wait_for_the_end(stagegate: Stagegate, tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    tenant.eventually(lambda state: state.all("services")["hello"]["status"]["observedGeneration"] == 2)

    stagegate.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "-n", tenant.name, "--timeout=120s")

    assert tenant.record().end.shares("hello") == {NEW: 100}


def test_resources_first_never_runs_more_pods_than_before(tenant: Tenant) -> None:
    """The newcomer is born with one pod, since no minimum can be written that is none."""
    scaling = {**QUARTERS, STRATEGY: "resourceutil"}
    since = deployed(tenant, scaling=scaling)

    tenant.apply(hello("2", scaling=scaling))

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert record.peak(since) == 5
    assert record.created(since) == {NEW: 4}


def test_an_edit_in_the_middle_leads_to_the_newest(tenant: Tenant) -> None:
    since = deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})

    tenant.apply(hello("3"))

    record = complete(tenant, NEWER)
    assert faults(record, since) == []
    raised = [shares.get(NEW, 0) for shares in record.path("hello", since)]
    after = raised[raised.index(50) :]
    assert after == sorted(after, reverse=True), "the revision in the middle got more traffic after it was replaced"
    # The newest is born before the pods that the last stage no longer needs are gone.
    assert record.peak(since) <= 6
    assert record.created(since)[NEWER] == 4


def test_a_rollback_by_template_rolls_out_like_an_edit(tenant: Tenant) -> None:
    since = deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})

    tenant.apply(hello("1"))

    record = complete(tenant, NEWER)
    assert faults(record, since) == []
    assert max(shares.get(NEW, 0) for shares in record.path("hello", since)) == 25


def test_a_rollback_by_traffic_acts_at_once(tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    since = tenant.version()

    tenant.apply(hello("2", traffic=[{"revisionName": OLD, "percent": 100}]))

    tenant.eventually(lambda state: state.shares("hello") == {OLD: 100} and traces(state) == [])
    record = tenant.record()
    assert max(shares.get(NEW, 0) for shares in record.path("hello", since)) == 25
    tenant.eventually(lambda state: state.running() == {OLD: 4})


def reason_of(wire: Wire) -> str:
    """Why an object is not Ready, as Knative says."""
    (ready,) = (each for each in wire["status"]["conditions"] if each["type"] == "Ready")
    return str(ready["reason"])


@pytest.mark.parametrize("image", ["dev.local/no-image", "dev.local/never-ready"])
def test_a_newcomer_that_is_never_ready_gets_no_traffic(tenant: Tenant, image: str) -> None:
    since = deployed(tenant)

    tenant.apply(hello("2", image=image))

    tenant.eventually(lambda state: len(state.pods(NEW)) == 1)
    tenant.settle(4)
    state = tenant.record().end
    assert state.shares("hello") == {OLD: 100}
    assert state.ready_pods() == {OLD: 4}
    assert not state.is_ready("hello")
    reasons = [reason_of(state.all(plural)[NEW]) for plural in ("revisions", "podautoscalers")]
    messages = [each.get("message", "") for each in state.all("rolloutorchestrators")["hello"]["status"]["conditions"]]
    assert any(reason in message for reason in reasons for message in messages), (
        f"the RO quotes none of {reasons}: {messages}"
    )
    if image == "dev.local/no-image":
        code, explanation = explained(tenant.rig.plane.kubeconfig, tenant.name)
        assert (code, explanation["causes"][0]["id"]) == (1, "image")

    tenant.apply(hello("3"))

    tenant.eventually(lambda state: state.is_ready("hello") and traces(state) == [])
    record = tenant.record()
    assert faults(record, since) == []
    assert record.end.shares("hello") == {NEWER: 100}
    assert record.end.ready_pods() == {NEWER: 4}


def test_a_hold_that_stands_writes_nothing(tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2", image="dev.local/never-ready"))
    tenant.eventually(lambda state: len(state.pods(NEW)) == 1)
    tenant.settle(4)
    before, version = tenant.rig.route_writes(tenant.name), tenant.version()

    tenant.settle(10)
    assert tenant.version() == version
    assert tenant.rig.route_writes(tenant.name) == before

    tenant.patch("services", "hello", {"metadata": {"labels": {"touched": "true"}}})
    tenant.settle(4)
    assert (tenant.rig.route_writes(tenant.name) - before)[CONTROLLER] <= 6
    assert tenant.record().end.shares("hello") == {OLD: 100}


def test_a_deleted_service_leaves_nothing_behind(tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})

    tenant.delete("hello")

    plurals = ("services", "routes", "revisions", "pods", "rolloutorchestrators", "stagepodautoscalers")
    tenant.eventually(lambda state: not any(state.all(plural) for plural in plurals))


def test_a_route_that_somebody_deletes_is_made_anew_and_nothing_stays_lowered(tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})

    assert tenant.rig.plane.admin.delete(tenant.path("routes", "hello")).status == 200

    complete(tenant)


def test_traffic_that_a_service_splits_itself_is_left_alone(tenant: Tenant) -> None:
    traffic = [{"latestRevision": True, "percent": 50}, {"revisionName": OLD, "percent": 50}]
    deployed(tenant)

    tenant.apply(hello("2", traffic=traffic))

    tenant.eventually(lambda state: state.shares("hello") == {OLD: 50, NEW: 50} and state.ready(NEW) == 4)
    assert traces(tenant.record().end) == []
    tenant.eventually(lambda _: len(tenant.events("TrafficIsSplit")) == 1)


def test_traffic_with_a_tag_is_left_alone(tenant: Tenant) -> None:
    traffic = [{"latestRevision": True, "percent": 100, "tag": "latest"}]
    since = deployed(tenant, traffic=traffic)

    tenant.apply(hello("2", traffic=traffic))

    record = complete(tenant)
    assert record.path("hello", since) == [{OLD: 100}, {NEW: 100}]
    assert record.peak(since) == 8
    tenant.eventually(lambda _: len(tenant.events("TrafficHasTags")) == 1)


@pytest.mark.parametrize(
    ("namespace", "annotations", "peak"),
    [
        pytest.param({}, {}, 8, id="nobody asks"),
        pytest.param({"stagegate.dev/progressive": "true"}, {}, 5, id="the namespace asks"),
        pytest.param(
            {"stagegate.dev/progressive": "true"}, {"stagegate.dev/progressive": "false"}, 8, id="the Service declines"
        ),
    ],
)
def test_only_who_asks_is_rolled_out_in_stages(
    new_tenant: Callable[..., Tenant], namespace: dict[str, str], annotations: dict[str, str], peak: int
) -> None:
    tenant = new_tenant(namespace)
    since = deployed(tenant, annotations=annotations)

    tenant.apply(hello("2", annotations=annotations))

    assert complete(tenant).peak(since) == peak


def test_who_declines_in_the_middle_gets_the_new_revision_at_once(tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    since = tenant.version()

    tenant.apply(hello("2", annotations={"stagegate.dev/progressive": "false"}))

    record = complete(tenant)
    assert record.path("hello", since)[-2:] == [{OLD: 75, NEW: 25}, {NEW: 100}]
    assert faults(record, since) == []


def test_other_spellings_and_an_activation_scale_come_back_as_they_were(tenant: Tenant) -> None:
    own = {
        "autoscaling.knative.dev/minScale": "4",
        "autoscaling.knative.dev/activation-scale": "4",
        "autoscaling.knative.dev/initial-scale": "3",
        "rollout.knative.dev/over-consumption-ratio": "25",
    }
    since = deployed(tenant, scaling=own)

    tenant.apply(hello("2", scaling=own))

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    annotations = record.end.all("revisions")[NEW]["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if "scale" in key.lower()} == {
        key: value for key, value in own.items() if "scale" in key.lower()
    }


def test_traffic_driven_services_have_pods_behind_every_share(tenant: Tenant) -> None:
    """No minimum at all: pods are there because requests are."""
    scaling = {
        "autoscaling.knative.dev/target": "10",
        "autoscaling.knative.dev/target-utilization-percentage": "100",
        "autoscaling.knative.dev/target-burst-capacity": "0",
        "rollout.knative.dev/over-consumption-ratio": "25",
    }
    tenant.rig.requests[tenant.name, "hello"] = 40.0
    deployed(tenant, scaling=scaling)
    tenant.eventually(lambda state: state.ready(OLD) == 4)
    since = tenant.version()

    tenant.apply(hello("2", scaling=scaling))

    tenant.eventually(lambda state: state.shares("hello") == {NEW: 100} and traces(state) == [], 180)
    record = tenant.record()
    assert [line for line in faults(record, since) if "pods" in line] == []
    assert len(record.path("hello", since)) >= 4
