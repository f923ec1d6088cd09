"""The traffic list of a Knative Service while a rollout is on its way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.planning.config import RolloutConfig


@dataclass(frozen=True, slots=True)
class RouteTraffic:
    """Traffic entries on the wire, and the recorded status of the RO, which upstream changes at the same time."""

    traffic: list[dict[str, Any]]
    stage_revision_status: list[TargetRevision]


def route_traffic(
    service: Mapping[str, Any], ro: RolloutOrchestrator, config: RolloutConfig, spas: Mapping[str, int | None]
) -> RouteTraffic:
    """Who gets how many percent of the traffic now.

    ``service`` is the Knative Service on the wire, ``spas`` the actual scale by SPA name, None where it has none yet.
    Raises InvalidRollout without target revisions, or without a stage where its last entry is needed.
    Mirrors ``TransformService``.
    """
    raise NotImplementedError
