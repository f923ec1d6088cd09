"""The stage after the present one."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, OLD, snapshot
from tests.objects import entry
from webhook.api import TargetRevision
from webhook.cluster.resource import POD_AUTOSCALERS, ROLLOUT_ORCHESTRATORS
from webhook.diagnosis.next_stage import next_stage
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


def test_it_is_not_known_where_no_replicas_are() -> None:
    silent = worlds.pod_autoscaler(OLD, None, None)
    begun = snapshot(
        {ROLLOUT_ORCHESTRATORS: [worlds.ro(spec__targetRevisions=[entry(NEW)])], POD_AUTOSCALERS: [silent]}
    )
    assert next_stage(begun) == ()
