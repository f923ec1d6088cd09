"""The Service reconciler: one reconcile of one Knative Service, its Route and its Revisions."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from webhook.api import RolloutOrchestrator, wire
from webhook.api.conditions import READY, SCALE_TARGET_INITIALIZED, TRUE
from webhook.api.kinds import AUTOSCALER_SETTINGS_NAME, REVISION_LABEL, SERVICE_LABEL, SETTINGS_NAME
from webhook.api.reasons import ABORTED, WRITE_REFUSED
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.events import Event, reference_to
from webhook.cluster.indexer import version_of
from webhook.cluster.resource import DEPLOYMENTS, KNATIVE_SERVICES, POD_AUTOSCALERS, ROUTES
from webhook.knative.annotations import HOLD, annotations_of, labels_of, template_annotations_of
from webhook.knative.bounds import has_record, minimum_in_force
from webhook.knative.hold import readable_hold_of
from webhook.knative.service_decision import ServiceDecision, ServiceEvent, decide_service
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.service_writes import CreateRollout, PatchRevision, PatchRollout, PatchRoute, ServiceWrite
from webhook.knative.settings import default_bounds, hold_settings
from webhook.knative.stage_traffic import Scale, StageTraffic, condition_of, held_for, stage_traffic
from webhook.loop.caches import BY_SERVICE, Cache, Caches, trimmed
from webhook.loop.repeated_events import RepeatedEvents
from webhook.loop.resource_writer import ResourceWriter
from webhook.loop.rollout_settings import ClusterSettings
from webhook.loop.spas import status_number
from webhook.planning import rollout_config
from webhook.strategies import DEFAULT_STRATEGY, normalise_strategy

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class ServiceReconciler:
    """Carries out what is decided about Services. Called for one Service by one thread at a time.

    ``record`` takes an Event without waiting, and ``count`` its reason. ``foreign`` names upstream's controllers if
    they run in the cluster.
    """

    caches: Caches
    client: Client
    routes: ResourceWriter
    revisions: ResourceWriter
    rollouts: ResourceWriter
    record: Callable[[Event], None]
    clock: Clock
    settings: ClusterSettings
    options: ServiceOptions = field(default_factory=ServiceOptions)
    foreign: Callable[[], str] = lambda: ""
    count: Callable[[str], None] = lambda _reason: None
    _missing_since: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _refused: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _born: dict[tuple[str, str], str] = field(default_factory=dict)
    _decided: RepeatedEvents[ServiceEvent] = field(default_factory=RepeatedEvents)
    _refusals: RepeatedEvents[ServiceEvent] = field(default_factory=RepeatedEvents)

    def reconcile(self, namespace: str, name: str) -> ServiceDecision:
        """Observe, decide, write what differs; returns the decision. Raises ApiError, MalformedObject."""
        seen = self._observe(namespace, name)
        held = hold_settings(_config_map(self.caches.settings, SETTINGS_NAME))
        options = replace(
            self.options,
            keeps_floor=held.keeps_floor,
            gives_failed_shares_back=held.gives_failed_shares_back,
        )
        decision = decide_service(seen, options)
        if decision.phase == "orphan" and decision.writes:
            # The caches of Routes and Revisions are watched apart: the Route may have been pinned meanwhile.
            seen = replace(seen, route=self._read_route(namespace, name))
            decision = decide_service(seen, options)
        self._born.pop((namespace, name), None)
        try:
            for write in decision.writes:
                self._carry_out(namespace, name, seen, write)
        except ApiError as problem:
            if problem.is_refusal:
                refusal = ServiceEvent("Warning", WRITE_REFUSED, str(problem))
                self._emit(namespace, name, seen.service, self._refusals, [refusal])
            raise
        self._emit(namespace, name, seen.service, self._refusals, [])
        self._emit(namespace, name, seen.service, self._decided, decision.events)
        return decision

    def was_refused(self, namespace: str, name: str, problem: Exception | None) -> None:
        """A reconcile of the Service and of its rollout ended with this problem; None for a success."""
        if isinstance(problem, ApiError) and problem.is_refusal:
            _, since = self._refused.get((namespace, name), ("", self.clock.monotonic()))
            self._refused[namespace, name] = str(problem), since
        elif problem is None:
            self._refused.pop((namespace, name), None)

    def was_born(self, revision: Wire) -> None:
        """A Revision was created while this process leads."""
        service = labels_of(revision).get(SERVICE_LABEL)
        if service:
            metadata = revision["metadata"]
            self._born[metadata.get("namespace") or "", service] = metadata["name"]

    def concerns(self, namespace: str, name: str) -> bool:
        """True if a Service of that name has, or had, anything to do with a rollout."""
        if self.caches.rollouts.get(namespace, name) is not None:
            return True
        if (namespace, name) in self._born or HOLD in annotations_of(self.caches.routes.get(namespace, name)):
            return True
        revisions = self.caches.revisions.store.by_index(BY_SERVICE, f"{namespace}/{name}")
        return any(has_record(annotations_of(one)) for one in revisions)

    def _observe(self, namespace: str, name: str) -> ServiceSeen:
        """Revisions before the Route: a Revision is stored only after the Route was pinned for it."""
        caches = self.caches
        revisions = revisions_of(caches, namespace, name)
        scales = scales_of(caches, namespace, revisions)
        ro = caches.rollouts.get(namespace, name)
        bounds = {
            revision: (_bound(spa, "stageMinScale"), _bound(spa, "stageMaxScale"))
            for revision in revisions
            if (spa := caches.spas.get(namespace, revision)) is not None
        }
        label_holder = caches.namespaces.get("", namespace) if caches.namespaces.synced else None
        route, service = caches.routes.get(namespace, name), caches.services.get(namespace, name)
        if HOLD not in annotations_of(route):
            self._refused.pop((namespace, name), None)
        refusal, refused_since = self._refused.get((namespace, name), ("", self.clock.monotonic()))
        return ServiceSeen(
            service=service,
            route=route,
            revisions=revisions,
            ro=RolloutOrchestrator.from_dict(ro) if ro is not None else None,
            complete_for=self._complete_for(ro),
            stage_bounds=bounds,
            scales=scales,
            namespace_labels=labels_of(label_holder) if label_holder is not None else None,
            defaults=default_bounds(_config_map(caches.autoscaler_settings, AUTOSCALER_SETTINGS_NAME)),
            strategy=self._strategy(service),
            missing_for=self._missing_for(namespace, name, route, revisions),
            refusal=refusal,
            refused_for=self.clock.monotonic() - refused_since,
            # Asked only then: a cluster without rollouts costs no request.
            foreign=self.foreign() if HOLD in annotations_of(route) else "",
            born=self._born.get((namespace, name), ""),
            now=self.clock.now(),
        )

    def _complete_for(self, ro: Wire | None) -> float:
        """For how many seconds an RO on the wire has been complete, or back after an abort; 0 for any other."""
        ready = condition_of(ro, READY)
        if ready is None or not (ready.status == TRUE or ready.reason == ABORTED) or ready.last_transition_time is None:
            return 0.0
        return (self.clock.now() - ready.last_transition_time).total_seconds()

    def _strategy(self, service: Wire | None) -> str:
        """The strategy that is configured for a Service: an RO that states none would be given another one."""
        if service is None:
            return DEFAULT_STRATEGY
        config = rollout_config(
            self.settings.current().data, {}, template_annotations_of(service), annotations_of(service)
        )
        return normalise_strategy(config.progressive_rollout_strategy)

    def _missing_for(self, namespace: str, name: str, route: Wire | None, revisions: dict[str, Wire]) -> float:
        """For how many seconds the new revision of the hold has not been there."""
        hold = readable_hold_of(route)
        if hold is None or hold.new in revisions:
            self._missing_since.pop((namespace, name), None)
            return 0.0
        now = self.clock.monotonic()
        new, since = self._missing_since.get((namespace, name), ("", now))
        if new != hold.new:
            since = now
        self._missing_since[namespace, name] = hold.new, since
        return now - since

    def _read_route(self, namespace: str, name: str) -> Wire | None:
        try:
            route = trimmed(ROUTES, self.client.get(ROUTES, namespace, name))
        except NotFound:
            return None
        self.caches.routes.store.assume(route)
        return route

    def _carry_out(self, namespace: str, name: str, seen: ServiceSeen, write: ServiceWrite) -> None:
        match write:
            case CreateRollout(body):
                self.rollouts.create(body)
                _LOG.info("created RolloutOrchestrator %s/%s for the Service of its name", namespace, name)
            case PatchRollout(patch):
                if seen.ro is not None:
                    self.rollouts.patch({"metadata": seen.ro.metadata.wire}, patch)
                    _LOG.info("set RolloutOrchestrator %s/%s: %s", namespace, name, ", ".join(sorted(patch)))
            case PatchRevision(revision, annotations):
                self.revisions.patch(revision, {"metadata": {"annotations": dict(annotations)}})
                _LOG.info("set Revision %s/%s: %s", namespace, revision["metadata"]["name"], dict(annotations))
            case PatchRoute(route):
                self.routes.patch(route, write.patch())
                phase = "no hold any more" if write.hold is None else write.hold.phase
                _LOG.info("set Route %s/%s: %s", namespace, name, phase)

    def _emit(
        self,
        namespace: str,
        name: str,
        service: Wire | None,
        repeated: RepeatedEvents[ServiceEvent],
        events: Iterable[ServiceEvent],
    ) -> None:
        """Emit Events once, and again after a reconcile without them."""
        if service is None:
            repeated.forget(namespace, name)
            return
        metadata = service["metadata"]
        for event in repeated.new(namespace, name, str(metadata.get("uid")), events):
            _LOG.info("Service %s/%s: %s: %s", namespace, name, event.reason, event.message)
            self.record(Event(reference_to(KNATIVE_SERVICES, metadata), *event, repeats=False))
            self.count(event.reason)


class ClusterTraffic:
    """The traffic of a pass: what the caches show of a held Route, and the write to it."""

    def __init__(self, caches: Caches, routes: ResourceWriter) -> None:
        self._caches = caches
        self._routes = routes

    def observe(self, ro: RolloutOrchestrator) -> StageTraffic | None:
        """The traffic of the stage; None if no Route is held for this RO. Revisions are read before the Route."""
        revisions = revisions_of(self._caches, ro.namespace, ro.name)
        scales = scales_of(self._caches, ro.namespace, revisions)
        route = self._caches.routes.get(ro.namespace, ro.name)
        if route is None or held_for(ro, route) is None:
            return None
        settings = hold_settings(_config_map(self._caches.settings, SETTINGS_NAME))
        return stage_traffic(
            ro,
            route,
            revisions,
            scales,
            redundant=settings.keeps_service_waiting,
            keeps_floor=settings.keeps_floor,
        )

    def write(self, route: Wire, entries: list[Wire]) -> None:
        """Set the traffic of a Route, if it is still at the version that was observed. Raises ApiError."""
        self._routes.patch(route, {"spec": {"traffic": entries}})
        metadata = route["metadata"]
        _LOG.info(
            "moved the traffic of Route %s/%s (decided on version %s)",
            metadata.get("namespace"),
            metadata["name"],
            version_of(route),
        )


def revisions_of(caches: Caches, namespace: str, service: str) -> dict[str, Wire]:
    """The Revisions of a Service by name."""
    found = caches.revisions.store.by_index(BY_SERVICE, f"{namespace}/{service}")
    return {one["metadata"]["name"]: one for one in found}


def scales_of(caches: Caches, namespace: str, revisions: dict[str, Wire]) -> dict[str, Scale]:
    """What the PodAutoscalers of these Revisions want and have.

    A PodAutoscaler reports late that a pod has gone, so that no more count than the Deployment has available.
    """
    found = {name: caches.pod_autoscalers.get(namespace, name) for name in revisions}
    service = next((labels_of(one).get(SERVICE_LABEL) for one in revisions.values()), None)
    deployments = caches.deployments.store.by_index(BY_SERVICE, f"{namespace}/{service}")
    available = {
        labels_of(one).get(REVISION_LABEL): status_number(DEPLOYMENTS, one, "availableReplicas") or 0
        for one in deployments
    }
    return {
        name: Scale(
            status_number(POD_AUTOSCALERS, one, "desiredScale"),
            _least(status_number(POD_AUTOSCALERS, one, "actualScale"), available.get(name)),
            minimum_in_force(annotations_of(one)),
            (started := condition_of(one, SCALE_TARGET_INITIALIZED)) is not None and started.status == TRUE,
        )
        for name, one in found.items()
        if one is not None
    }


def _least(one: int | None, other: int | None) -> int | None:
    return one if other is None or one is None else min(one, other)


def _bound(spa: Wire, member: str) -> int | None:
    return wire.integer(wire.mapping(spa, "spec", ""), member, "spec", 32)


def _config_map(cache: Cache, name: str) -> Wire | None:
    return next((one for one in cache.store.objects() if one["metadata"]["name"] == name), None)
