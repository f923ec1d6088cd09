"""The stage after the present one."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, OLD, snapshot
from tests.objects import entry
from webhook.api import TargetRevision
from webhook.api.kinds import SETTINGS_NAME, SETTINGS_NAMESPACE
from webhook.cluster.resource import CONFIG_MAPS, POD_AUTOSCALERS, ROLLOUT_ORCHESTRATORS, ROUTES, STAGE_POD_AUTOSCALERS
from webhook.diagnosis.next_stage import next_stage
from webhook.knative.hold import Hold
from webhook.planning.abort import AbortRecord

Wire = dict[str, Any]
WAY_BACK = AbortRecord(
    f"{NEW}=100",
    (TargetRevision(OLD, percent=50), TargetRevision(NEW, percent=50)),
    (TargetRevision(OLD, percent=100, min_scale=4),),
).to_annotation()
LAST = [entry(OLD, None, "down", targetReplicas=0), entry(NEW, 100, "up", targetReplicas=4)]
DONE = dict.fromkeys(("StageReady", "LastStageReady", "Ready"), "True")


def aborted(reason: str) -> Wire:
    """The first stage of a way back from halves."""
    stage = [entry(NEW, 25, "down", targetReplicas=1), entry(OLD, 75, "up", minScale=4, targetReplicas=3)]
    ro = worlds.ro({"Aborted": {"status": "True", "reason": reason}}, spec__stageTargetRevisions=stage)
    ro["status"]["annotations"] = {"stagegate.dev/aborted": WAY_BACK}
    ro["status"]["stageRevisionStatus"] = [entry(NEW, 50, "up", targetReplicas=2), entry(OLD, 50, targetReplicas=2)]
    return ro


def shares(ro: Wire) -> list[tuple[str, int | None]]:
    return [(one.revision_name, one.percent) for one in next_stage(snapshot({ROLLOUT_ORCHESTRATORS: [ro]}))]


@pytest.mark.parametrize(
    ("ro", "wanted"),
    [
        pytest.param(worlds.ro(), [(OLD, 50), (NEW, 50)], id="the second, while the first is under way"),
        pytest.param(worlds.ro(spec__stageTargetRevisions=[]), [(OLD, 75), (NEW, 25)], id="the first, before it"),
        pytest.param(worlds.ro(spec__stageTargetRevisions=LAST), [], id="none after the last"),
        pytest.param(worlds.ro(DONE), [], id="none once it is complete"),
        pytest.param(worlds.ro({"StageReady": "False"}), [], id="none once it has failed"),
        pytest.param(worlds.ro(spec__targetRevisions=[]), [], id="none without targets"),
        pytest.param(aborted("Aborted"), [(NEW, 6), (OLD, 94)], id="of the way back, 75% on 4 replicas, one more"),
        pytest.param(aborted("AbortComplete"), [], id="none once it is back"),
    ],
)
def test_next_stage(ro: Wire, wanted: list[tuple[str, int | None]]) -> None:
    ro["metadata"]["annotations"] = {"rollout.knative.dev/over-consumption-ratio": "25"}
    assert shares(ro) == wanted


@pytest.mark.parametrize(
    ("keep", "replicas"),
    [
        pytest.param({}, 4, id="two for a quarter, so four for the half"),
        pytest.param({"keep-replicas-for-shares": "false"}, 2, id="what its traffic needs"),
    ],
)
def test_a_held_rollout_keeps_the_replicas_of_a_share_unless_the_setting_says_otherwise(
    keep: dict[str, str], replicas: int
) -> None:
    stage = [entry(OLD, 75, "down", targetReplicas=2), entry(NEW, 25, "up", targetReplicas=2)]
    ro = worlds.ro(
        spec__initialRevisions=[entry(OLD, 100)],
        spec__targetRevisions=[entry(NEW, 100)],
        spec__stageTargetRevisions=stage,
        metadata__annotations={"rollout.knative.dev/over-consumption-ratio": "25"},
        metadata__ownerReferences=[{"kind": "Service", "name": "hello", "uid": "uid-service", "controller": True}],
    )
    seen = snapshot(
        {
            ROLLOUT_ORCHESTRATORS: [ro],
            STAGE_POD_AUTOSCALERS: [],
            POD_AUTOSCALERS: [worlds.pod_autoscaler(OLD, 3, 3), worlds.pod_autoscaler(NEW, 1, 1)],
            ROUTES: [worlds.route({OLD: 100}, hold=Hold("held", {OLD: 100}, NEW, "uid-service").to_annotation())],
            CONFIG_MAPS: [{"metadata": {"name": SETTINGS_NAME, "namespace": SETTINGS_NAMESPACE}, "data": keep}],
        }
    )

    assert [one.target_replicas for one in next_stage(seen) if one.revision_name == NEW] == [replicas]


def test_it_is_not_known_where_no_replicas_are() -> None:
    silent = worlds.pod_autoscaler(OLD, None, None)
    begun = snapshot(
        {ROLLOUT_ORCHESTRATORS: [worlds.ro(spec__targetRevisions=[entry(NEW)])], POD_AUTOSCALERS: [silent]}
    )
    assert next_stage(begun) == ()
