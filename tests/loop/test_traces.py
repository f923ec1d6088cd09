"""Recorded rollouts, tick by tick, through the real controller and an API server: the same as plan and pass alone."""

from copy import deepcopy
from typing import Any

import pytest

from tests.loop.world import World
from tests.vectors.rows import recorded_rows
from tests.vectors.trace import Row, Trace, entry_of
from tests.vectors.trace_suite import answer_trace, our_planner
from webhook.api.conditions import RECONCILING, STALLED
from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL
from webhook.cluster.resource import POD_AUTOSCALERS, REVISIONS, ROLLOUT_ORCHESTRATORS, ROUTES, STAGE_POD_AUTOSCALERS
from webhook.planning.planned_targets import PLANNED_TARGETS

ROWS = recorded_rows("rollout_traces")
CONFIG = {
    "overConsumptionRatio": "over_consumption_ratio",
    "progressiveRolloutEnabled": "progressive_rollout_enabled",
    "progressiveRolloutStrategy": "progressive_rollout_strategy",
}


class LiveTrace(Trace):
    """A trace whose plan and pass are one reconcile of the loop; the rest of the world stands in the API server."""

    def start(self) -> "LiveTrace":
        self.world = self.make_world()
        self.namespace, self.service = self.given["namespace"], self.given["service"]
        config = {CONFIG[key]: value for key, value in self.given["config"].items() if key in CONFIG}
        # A time-out would shift traffic; in a recorded trace time stands still.
        self.world.settings(
            stage_rollout_timeout_minutes="9999",
            **{key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in config.items()},
        )
        for name in self.revisions:
            labels = {SERVICE_LABEL: self.service, CONFIGURATION_LABEL: self.service}
            self.put(REVISIONS, name, {"metadata": {"labels": labels}})
        for spa in self.spas.values():
            self.put(STAGE_POD_AUTOSCALERS, spa["metadata"]["name"], spa)
        self.put(ROLLOUT_ORCHESTRATORS, self.service, {"spec": self.ro["spec"]})
        self.put(ROUTES, self.service, {"status": {"traffic": [{"percent": 100}]}})
        self.world.observe()
        return self

    def make_world(self) -> Any:
        return World()

    def put(self, resource: Any, name: str, one: Row) -> None:
        metadata = {**one.get("metadata", {}), "name": name, "namespace": self.namespace}
        self.world.api.put(resource, {**one, "metadata": metadata})

    def new_target(self, second: Row) -> None:
        self.bounds[second["name"]] = {key: second[key] for key in ("minScale", "maxScale") if key in second}
        self.scales.setdefault(second["name"], 0)
        ro = self.world.api.get(ROLLOUT_ORCHESTRATORS, self.namespace, self.service)
        assert ro is not None
        final = [entry_of(second, latestRevision=True, percent=100)]
        self.world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "spec": {**ro["spec"], "targetRevisions": final}})

    def plan(self) -> None:
        for name, scale in self.scales.items():
            self.put(POD_AUTOSCALERS, name, {"status": {"desiredScale": scale, "actualScale": scale}})
        self.world.observe()
        self.world.clock.advance(1)
        outcome = self.world.loop.reconciler.reconcile(self.namespace, self.service)
        self.errors += outcome.error is not None
        stored = deepcopy(self.world.api.get(ROLLOUT_ORCHESTRATORS, self.namespace, self.service) or {})
        stored["spec"].pop("targetFinishTime", None)
        stored.get("status", {}).get("annotations", {}).pop(PLANNED_TARGETS, None)
        status = stored.get("status", {})
        # Upstream knows neither; kstatus reads them.
        status["conditions"] = [
            one for one in status.get("conditions", []) if one["type"] not in (STALLED, RECONCILING)
        ]
        self.ro = {"metadata": {**self.ro["metadata"]}, "spec": stored["spec"], "status": status}

    def carry(self) -> None:
        path = STAGE_POD_AUTOSCALERS.path()
        self.spas = {
            name: {"metadata": one["metadata"], "spec": one.get("spec") or {}, "status": one.get("status") or {}}
            for (where, _, name), one in self.world.api.objects.items()
            if where == path
        }

    def observed(self, spa: Row, scale: int) -> Row:
        # The loop copies the status of the PodAutoscaler to the SPA.
        return super().observed(spa, scale) if not hasattr(self, "world") else spa


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_recorded_rollout(row: Row) -> None:
    wanted = answer_trace(deepcopy(row["input"]))
    live = LiveTrace(deepcopy(row["input"]), our_planner()).start().run()
    recorded = live.recorded_part()
    assert {key: recorded[key] for key in ("finished", "ticks", "errors", "peakReplicas", "stageRevisionStatus")} == {
        key: wanted[key] for key in ("finished", "ticks", "errors", "peakReplicas", "stageRevisionStatus")
    }
    assert recorded["stages"] == wanted["stages"]
    assert recorded["conditions"] == wanted["conditions"]
    assert live.log == wanted["allTicks"]
