"""The stage after the present one."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, OLD, snapshot
from tests.objects import entry
from webhook.cluster.resource import POD_AUTOSCALERS, ROLLOUT_ORCHESTRATORS
from webhook.diagnosis.next_stage import next_stage

Wire = dict[str, Any]
LAST = [entry(OLD, None, "down", targetReplicas=0), entry(NEW, 100, "up", targetReplicas=4)]
DONE = dict.fromkeys(("StageReady", "LastStageReady", "Ready"), "True")


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
