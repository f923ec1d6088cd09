"""Observation: what the caches show of one rollout."""

from collections.abc import Callable, Mapping
from typing import Any

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, wire
from webhook.loop.caches import BY_REVISION, BY_SERVICE, Cache, Caches
from webhook.loop.ownership_conflict import is_over, owners_in_conflict, revisions_moved_by
from webhook.loop.rollout_settings import ConfigMapSettings, ignored_annotations, settings_of
from webhook.loop.spec_decision import Observed


def observe(ro: RolloutOrchestrator, caches: Caches, settings: ConfigMapSettings) -> Observed:
    """Read what the caches show of a rollout.

    A cluster that serves no PodAutoscalers shows no scale but that in the SPAs' status, so that one counts there.
    """
    spas = {name: spa for name in _names(ro) if (spa := caches.spas.get(ro.namespace, name)) is not None}
    sources = spas if caches.pod_autoscalers.absent else _found(caches.pod_autoscalers, ro)
    scales = {name: _actual_scale(one) for name, one in sources.items()}
    deployments = None
    if caches.deployments.synced:
        deployments = caches.deployments.store.by_index(BY_SERVICE, f"{ro.namespace}/{ro.name}")
    service = caches.services.get(ro.namespace, ro.name)
    config = settings_of(ro, settings.data, service)
    # The problems of the ConfigMap concern every rollout; those that are over would only repeat them.
    of_all = [] if is_over(ro) else settings.events
    return Observed(
        config=config,
        ignored_settings=(*of_all, *ignored_annotations(ro, config, service)),
        pod_autoscalers=scales,
        spas=frozenset(spas),
        deployments=deployments,
        route_has_traffic=_route_has_traffic(ro, caches.routes),
    )


def observe_conflict(
    ro: RolloutOrchestrator, caches: Caches, rollout_of: Callable[[wire.Wire], str | None]
) -> dict[str, str]:
    """``owners_in_conflict`` of a rollout; ``rollout_of`` gives the name of the RO that an SPA belongs to."""
    rollouts, spas = caches.rollouts.store, caches.spas
    found = {name: spa for name in revisions_moved_by(ro) if (spa := spas.get(ro.namespace, name)) is not None}
    return owners_in_conflict(
        ro,
        owners={name: rollout_of(spa) for name, spa in found.items()},
        listing={name: rollouts.by_index(BY_REVISION, f"{ro.namespace}/{name}") for name in found},
    )


def observe_running(ro: RolloutOrchestrator, caches: Caches) -> dict[str, int | None]:
    """The replicas that run of the revisions of the stage and of what is recorded, by name; None if not known."""
    lists = (ro.spec.stage_target_revisions, ro.spec.initial_revisions, ro.status.stage_revision_status)
    names = {entry.revision_name for entries in lists for entry in entries}
    seen = {name: caches.spas.get(ro.namespace, name) for name in names}
    return {name: StagePodAutoscaler.from_dict(spa).actual_scale for name, spa in seen.items() if spa is not None}


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
