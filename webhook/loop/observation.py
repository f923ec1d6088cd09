"""Observation: what the caches show of one rollout."""

from collections.abc import Mapping
from typing import Any

from webhook.api import RolloutOrchestrator, wire
from webhook.loop.caches import BY_SERVICE, Cache, Caches
from webhook.loop.rollout_settings import settings_of
from webhook.loop.spec_decision import Observed


def observe(ro: RolloutOrchestrator, caches: Caches, settings: Mapping[str, str]) -> Observed:
    """Read what the caches show of a rollout; ``settings`` is the data of the ConfigMap in force.

    A cluster that serves no PodAutoscalers shows no scale but that in the SPAs' status, so that one counts there.
    """
    spas = {name: spa for name in _names(ro) if (spa := caches.spas.get(ro.namespace, name)) is not None}
    sources = spas if caches.pod_autoscalers.absent else _found(caches.pod_autoscalers, ro)
    scales = {name: _actual_scale(one) for name, one in sources.items()}
    deployments = None
    if caches.deployments.synced:
        deployments = caches.deployments.store.by_index(BY_SERVICE, f"{ro.namespace}/{ro.name}")
    return Observed(
        config=settings_of(ro, settings, caches.services.get(ro.namespace, ro.name)),
        pod_autoscalers=scales,
        spas=frozenset(spas),
        deployments=deployments,
        route_has_traffic=_route_has_traffic(ro, caches.routes),
    )


def _route_has_traffic(ro: RolloutOrchestrator, routes: Cache) -> bool | None:
    route = routes.get(ro.namespace, ro.name)
    return None if route is None else bool((route.get("status") or {}).get("traffic"))


def _actual_scale(one: Mapping[str, Any]) -> int | None:
    return wire.integer(wire.mapping(one, "status", ""), "actualScale", "status", 32)


def _found(cache: Cache, ro: RolloutOrchestrator) -> dict[str, Mapping[str, Any]]:
    return {name: one for name in _names(ro) if (one := cache.get(ro.namespace, name)) is not None}


def _names(ro: RolloutOrchestrator) -> set[str]:
    lists = (
        ro.spec.initial_revisions,
        ro.spec.target_revisions,
        ro.spec.stage_target_revisions,
        ro.status.stage_revision_status,
    )
    return {entry.revision_name for entries in lists for entry in entries}
