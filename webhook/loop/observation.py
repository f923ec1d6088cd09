"""Observation: everything that the caches show of one rollout, read once, before anything is decided."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, wire
from webhook.api.target_revision import one_per_revision
from webhook.cluster.resource import POD_AUTOSCALERS
from webhook.knative.rollout_config import settings_of
from webhook.knative.stage_traffic import held_for
from webhook.knative.traffic import is_moved, live_shares, shares_in
from webhook.loop.caches import BY_REVISION, BY_SERVICE, Cache, Caches
from webhook.loop.revisions import ClusterConditions, ClusterRevisions
from webhook.loop.rollout_settings import ClusterSettings, ignored_annotations
from webhook.loop.spas import status_number, with_scales
from webhook.planning import Note, RolloutConfig
from webhook.strategies import ObservedRevision
from webhook.strategies.stage import Stage


@dataclass(frozen=True, slots=True)
class Observed:
    """What the cluster shows of one rollout, apart from the RO itself.

    ``revisions`` holds each that the RO names. ``spas`` are those with an SPA, and ``running`` maps them to the
    replicas that run, None if that is not known. ``pod_autoscalers`` holds actual scales by revision name: None where
    the object has none yet, no entry where it does not exist. ``deployments`` are those of the service, None where they
    cannot be seen; ``route_has_traffic`` is None where there is no Route. ``ignored_settings`` are the settings without
    effect. ``is_held`` is True while the Route of a Knative Service is held for the rollout: new targets then come with
    the live traffic as their start. ``follows_stage`` is False while a held Route does not show the shares of the
    stage. ``served`` are the revisions to which a held Route sends requests, and ``live`` holds the percents by
    revision that it gives now.
    """

    config: RolloutConfig
    revisions: Mapping[str, ObservedRevision]
    spas: frozenset[str]
    running: Mapping[str, int | None]
    pod_autoscalers: Mapping[str, int | None]
    deployments: Sequence[Mapping[str, Any]] | None
    route_has_traffic: bool | None
    ignored_settings: tuple[Note, ...]
    is_held: bool = False
    follows_stage: bool = True
    served: frozenset[str] = frozenset()
    live: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads what the caches show. ``rollout_of`` gives the name of the RO that an SPA on the wire belongs to."""

    caches: Caches
    settings: ClusterSettings
    revisions: ClusterRevisions
    conditions: ClusterConditions
    rollout_of: Callable[[wire.Wire], str | None]

    def observe(self, ro: RolloutOrchestrator) -> Observed:
        """Read everything that bears on a rollout.

        A cluster that serves no PodAutoscalers shows no scale but that in the SPAs' status, so that one counts there.
        """
        caches, names = self.caches, _names(ro)
        revisions = {name: self._revision(ro, name) for name in names}
        running = {name: one.spa.actual_scale for name, one in revisions.items() if one.spa is not None}
        scales_of = caches.spas if caches.pod_autoscalers.absent else caches.pod_autoscalers
        deployments = None
        if caches.deployments.synced:
            deployments = caches.deployments.store.by_index(BY_SERVICE, f"{ro.namespace}/{ro.name}")
        route = caches.routes.get(ro.namespace, ro.name)
        service = caches.services.get(ro.namespace, ro.name)
        settings = self.settings.current()
        config = settings_of(ro, settings.data, service)
        is_held = held_for(ro, route) is not None
        # The problems of the ConfigMap concern every rollout; those that are over would only repeat them.
        of_all = [] if ro.is_complete or ro.has_failed else settings.events
        return Observed(
            config=config,
            revisions=revisions,
            spas=frozenset(running),
            running=running,
            pod_autoscalers={
                name: status_number(POD_AUTOSCALERS, one, "actualScale")
                for name, one in _found(scales_of, ro.namespace, names).items()
            },
            deployments=deployments,
            route_has_traffic=None if route is None else bool((route.get("status") or {}).get("traffic")),
            ignored_settings=(*of_all, *ignored_annotations(ro, config, service)),
            is_held=is_held,
            follows_stage=not is_held or is_moved(route or {}, _shares(ro)),
            served=frozenset(shares_in(route or {}, "status")) if is_held else frozenset(),
            live=live_shares(route) if is_held and route is not None else {},
        )

    def conflict(self, ro: RolloutOrchestrator) -> dict[str, str]:
        """``owners_in_conflict`` of a rollout."""
        if ro.is_complete or ro.has_failed:
            return {}
        rollouts = self.caches.rollouts.store
        found = _found(self.caches.spas, ro.namespace, revisions_moved_by(ro))
        return owners_in_conflict(
            ro,
            owners={name: self.rollout_of(spa) for name, spa in found.items()},
            listing={name: rollouts.by_index(BY_REVISION, f"{ro.namespace}/{name}") for name in found},
        )

    def _revision(self, ro: RolloutOrchestrator, name: str) -> ObservedRevision:
        spa, pod_autoscaler = (
            cache.get(ro.namespace, name) for cache in (self.caches.spas, self.caches.pod_autoscalers)
        )
        return ObservedRevision(
            spa=None if spa is None else with_scales(StagePodAutoscaler.from_dict(spa), pod_autoscaler),
            conditions=self.conditions.conditions(ro.namespace, name),
            absence=self.revisions.absence(ro.namespace, name, ro.name),
        )


def revisions_moved_by(ro: RolloutOrchestrator) -> list[str]:
    """The revisions whose bounds the rollout sets: those that its stage moves, or all if it has no stage."""
    spec = ro.spec
    if spec.stage_target_revisions:
        return sorted(Stage.of(spec).moved)
    return sorted({entry.revision_name for entry in (*spec.initial_revisions, *spec.target_revisions)})


def owners_in_conflict(
    ro: RolloutOrchestrator, owners: Mapping[str, str | None], listing: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, str]:
    """The revisions that the rollout moves although they belong to another, each with the name of that one.

    By revision name, ``owners`` holds the rollout that its SPA belongs to, None if it has no owner, no entry without an
    SPA; ``listing`` the ROs, on the wire, that name it. Upstream knows one service of a Revision, the one that the
    label of its SPA names; two rollouts that name one Revision set its SPA back and forth there, without end. While two
    rollouts name an SPA without an owner, neither moves it. A rollout that is over moves nothing.
    """
    if ro.is_complete or ro.has_failed:
        return {}
    found: dict[str, str] = {}
    for revision in revisions_moved_by(ro):
        if revision in owners:
            owner = owners[revision] or next(iter(_others(ro, listing.get(revision, ()))), ro.name)
            if owner != ro.name:
                found[revision] = owner
    return found


def _others(ro: RolloutOrchestrator, listing: Sequence[Mapping[str, Any]]) -> list[str]:
    alive = (one["metadata"] for one in listing if not one["metadata"].get("deletionTimestamp"))
    return sorted(str(metadata["name"]) for metadata in alive if metadata["name"] != ro.name)


def _found(cache: Cache, namespace: str, names: Iterable[str]) -> dict[str, wire.Wire]:
    return {name: one for name in names if (one := cache.get(namespace, name)) is not None}


def _names(ro: RolloutOrchestrator) -> set[str]:
    lists = (
        ro.spec.initial_revisions,
        ro.spec.target_revisions,
        ro.spec.stage_target_revisions,
        ro.status.stage_revision_status,
    )
    return {entry.revision_name for entries in lists for entry in entries}


def _shares(ro: RolloutOrchestrator) -> dict[str, int]:
    return {entry.revision_name: entry.percent or 0 for entry in one_per_revision(ro.spec.stage_target_revisions)}
