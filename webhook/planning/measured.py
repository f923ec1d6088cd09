"""The replicas that the next stage of a held rollout is planned from."""

from collections.abc import Mapping

from webhook.api import RolloutOrchestrator
from webhook.api.target_revision import one_per_revision


def measured_while_held(
    ro: RolloutOrchestrator, pod_autoscalers: Mapping[str, int | None], spas: frozenset[str]
) -> tuple[Mapping[str, int | None], frozenset[str]]:
    """The arguments of ``plan_stages`` for a rollout whose Route is held.

    A revision that runs at most its own minimum counts with its share of it, rounded down: its traffic may have moved a
    moment ago, and the one pod of a small share stands for no more than that share.
    """
    scales, spec = dict(pod_autoscalers), ro.spec
    recorded = ro.status.stage_revision_status
    listed = recorded if recorded and spec.stage_target_revisions else spec.initial_revisions
    for entry in one_per_revision(listed):
        actual, minimum = scales.get(entry.revision_name), entry.min_scale or 0
        if actual is not None and entry.percent and actual <= minimum:
            scales[entry.revision_name] = minimum * entry.percent // 100
    return scales, spas | scales.keys()
