"""Snapshot: what was read of one rollout, as one value; everything that is said of a rollout is a function of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from webhook.api import MalformedObject, RolloutOrchestrator, StagePodAutoscaler, wire
from webhook.api.conditions import READY, ROUTE_HELD, SCALE_TARGET_INITIALIZED
from webhook.api.kinds import LEASE_NAME, LEASE_NAMESPACE, SETTINGS_NAME
from webhook.api.wire import Wire
from webhook.cluster.indexer import key_of, uid_of
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    KNATIVE_SERVICES,
    LEASES,
    POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.diagnosis.world import Unread, World
from webhook.knative.annotations import HOLD, annotations_of, texts
from webhook.knative.hold import Hold, readable_hold_of
from webhook.knative.revision import absence_of
from webhook.knative.rollout_config import settings_of
from webhook.knative.settings import hold_settings
from webhook.knative.stage_traffic import condition_of
from webhook.knative.traffic import shares
from webhook.planning import RolloutConfig, UnreadableSettings, strategy_in_force
from webhook.strategies import STRATEGIES, ObservedRevision, RevisionConditions, Strategy
from webhook.strategies.stage import Stage
from webhook.strategies.terminating_pod import counts_as_terminating, is_terminating

_START_OF_TIME: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RevisionSnapshot:
    """One revision of a rollout and what runs for it, on the wire where no type says otherwise.

    ``absence`` says why the Revision does not exist, None if it does or if Revisions cannot be seen. A Deployment has
    several ReplicaSets after a change of its template; ``pods`` are those of all.
    """

    name: str
    revision: Wire | None = None
    spa: StagePodAutoscaler | None = None
    pod_autoscaler: Wire | None = None
    deployment: Wire | None = None
    replica_sets: tuple[Wire, ...] = ()
    pods: tuple[Wire, ...] = ()
    absence: str | None = None

    @property
    def desired(self) -> int | None:
        """The replicas that the autoscaler wants, as its PodAutoscaler says, else as the SPA repeats it."""
        return self._scale("desiredScale", self.spa.desired_scale if self.spa is not None else None)

    @property
    def running(self) -> int | None:
        """The replicas that are ready, as the PodAutoscaler says, else as the SPA repeats it."""
        return self._scale("actualScale", self.spa.actual_scale if self.spa is not None else None)

    @property
    def ending(self) -> int | None:
        """The pods that terminate and still run; from the pods, else as the SPA repeats it."""
        if self.pods:
            return sum(map(counts_as_terminating, self.pods))
        return self.spa.replicas_terminating if self.spa is not None else None

    @property
    def live_pods(self) -> list[Wire]:
        """The pods that do not terminate and have not ended."""
        return [
            pod
            for pod in self.pods
            if not is_terminating(pod) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]

    @property
    def conditions(self) -> RevisionConditions:
        return RevisionConditions(
            scale_target_initialized=condition_of(self.pod_autoscaler, SCALE_TARGET_INITIALIZED),
            pod_autoscaler_ready=condition_of(self.pod_autoscaler, READY),
            revision_ready=condition_of(self.revision, READY),
        )

    def _scale(self, member: str, otherwise: int | None) -> int | None:
        status = (self.pod_autoscaler or {}).get("status")
        value = status.get(member) if isinstance(status, Mapping) else None
        return value if type(value) is int else otherwise


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One rollout at a time ``at``. ``exists`` is False for a held Route that has no RO; ``ro`` is empty then.

    ``revisions`` holds each that the RO names or that has an SPA of its service, by name. ``quotas`` are those of the
    namespace, ``leases`` those of loops and ``loops`` their Deployments, ``events`` those about the rollout and what
    belongs to it, oldest first.
    ``config`` are the settings in force, and ``keeps_floor`` is that of ``HoldSettings``; those of the ConfigMap count
    only where it could be read.
    """

    ro: RolloutOrchestrator
    at: datetime
    config: RolloutConfig = field(default_factory=RolloutConfig)
    keeps_floor: bool = True
    service: Wire | None = None
    route: Wire | None = None
    revisions: Mapping[str, RevisionSnapshot] = field(default_factory=dict)
    quotas: tuple[Wire, ...] = ()
    leases: tuple[Wire, ...] = ()
    loops: tuple[Wire, ...] = ()
    installed_in: str = LEASE_NAMESPACE
    events: tuple[Wire, ...] = ()
    unread: tuple[Unread, ...] = ()
    exists: bool = True

    @property
    def namespace(self) -> str:
        return self.ro.namespace

    @property
    def name(self) -> str:
        return self.ro.name

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return Stage.of(self.ro.spec)

    @property
    def strategy(self) -> Strategy:
        return STRATEGIES[strategy_in_force(self.ro, self.config)]

    @property
    def hold(self) -> Hold | None:
        """The hold of the Route, None if it is not held or cannot be seen."""
        return readable_hold_of(self.route)

    @property
    def is_held(self) -> bool:
        """True for the rollout of a Service on stock Knative, whose edits set the targets."""
        return self.hold is not None or self.ro.status.conditions.is_true(ROUTE_HELD)

    @property
    def traffic(self) -> Mapping[str, int] | None:
        """The percents that requests follow now, by revision; None where no Route shows them."""
        if self.route is None:
            return None
        return shares((self.route.get("status") or {}).get("traffic"))

    @property
    def observed(self) -> dict[str, ObservedRevision]:
        """The revisions as the steps of a strategy see them."""
        return {
            name: ObservedRevision(spa=one.spa, conditions=one.conditions, absence=one.absence)
            for name, one in self.revisions.items()
        }

    def sees(self, resource: Resource) -> bool:
        """False if the resource could not be read in the namespace of the rollout: an object may exist there then."""
        where = ("", self.namespace)
        return all(one.resource != resource or one.namespace not in where for one in self.unread)

    def of(self, revision: str) -> RevisionSnapshot:
        """A revision by name; empty if nothing of it was seen."""
        return self.revisions.get(revision, RevisionSnapshot(revision))

    def events_of(self, reason: str, kind: str = "") -> list[Wire]:
        """The Events of this reason, newest first, about objects of this kind, of any kind if it is empty."""
        found = (one for one in reversed(self.events) if one.get("reason") == reason)
        return [one for one in found if not kind or (one.get("involvedObject") or {}).get("kind") == kind]


def snapshot_of(world: World, namespace: str, name: str) -> Snapshot | None:
    """The snapshot of one rollout; None if the world has neither an RO nor a held Route of that name.

    Raises MalformedObject.
    """
    seen = world.get(ROLLOUT_ORCHESTRATORS, namespace, name)
    if seen is None and HOLD not in annotations_of(world.get(ROUTES, namespace, name)):
        return None
    ro = RolloutOrchestrator.from_dict(seen or {"metadata": {"name": name, "namespace": namespace}})
    malformed: list[Unread] = []
    revisions = {each: _revision(world, ro, each, malformed) for each in sorted(_names(world, ro))}
    service = world.get(KNATIVE_SERVICES, namespace, name)
    settings = next((one for one in world.objects_of(CONFIG_MAPS) if key_of(one)[1] == SETTINGS_NAME), None)
    return Snapshot(
        ro=ro,
        at=world.at,
        config=_config(settings, ro, service, malformed),
        keeps_floor=hold_settings(settings).keeps_floor,
        service=service,
        route=world.get(ROUTES, namespace, name),
        revisions=revisions,
        quotas=tuple(world.objects_of(RESOURCE_QUOTAS, namespace)),
        leases=tuple(one for one in world.objects_of(LEASES) if key_of(one)[1] == LEASE_NAME),
        loops=tuple(world.loops()),
        installed_in=world.installed_in,
        events=tuple(_events(world, ro, revisions)),
        unread=(*world.unread, *malformed),
        exists=seen is not None,
    )


def event_time(event: Mapping[str, Any]) -> datetime | None:
    """When an Event on the wire happened last."""
    series = event.get("series")
    later = series.get("lastObservedTime") if isinstance(series, Mapping) else None
    created = (event.get("metadata") or {}).get("creationTimestamp")
    texts_of = (later, event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"), created)
    return next((time for text in texts_of if text and (time := wire.parse_time(str(text))) is not None), None)


def _names(world: World, ro: RolloutOrchestrator) -> set[str]:
    spec, status = ro.spec, ro.status
    lists = (spec.initial_revisions, spec.target_revisions, spec.stage_target_revisions, status.stage_revision_status)
    names = {entry.revision_name for entries in lists for entry in entries if entry.revision_name}
    spas = world.of_service(STAGE_POD_AUTOSCALERS, ro.namespace, ro.name)
    return names | {key_of(one)[1] for one in spas}


def _revision(world: World, ro: RolloutOrchestrator, name: str, malformed: list[Unread]) -> RevisionSnapshot:
    namespace = ro.namespace
    revision = world.get(REVISIONS, namespace, name)
    spa = world.get(STAGE_POD_AUTOSCALERS, namespace, name)
    read = None
    if spa is not None:
        try:
            read = StagePodAutoscaler.from_dict(spa)
        except MalformedObject as problem:
            malformed.append(Unread(STAGE_POD_AUTOSCALERS, "failed", f"{name}: {problem}"))
    sees = all(one.resource != REVISIONS for one in world.unread)
    return RevisionSnapshot(
        name=name,
        revision=revision,
        spa=read,
        pod_autoscaler=world.get(POD_AUTOSCALERS, namespace, name),
        deployment=next(iter(world.of_revision(DEPLOYMENTS, namespace, name)), None),
        replica_sets=tuple(world.of_revision(REPLICA_SETS, namespace, name)),
        pods=tuple(world.of_revision(PODS, namespace, name)),
        absence=absence_of(revision, name, ro.name) if sees else None,
    )


def _config(
    settings: Wire | None, ro: RolloutOrchestrator, service: Wire | None, malformed: list[Unread]
) -> RolloutConfig:
    try:
        return settings_of(ro, texts(settings, "data"), service)
    except UnreadableSettings as problem:
        malformed.append(Unread(CONFIG_MAPS, "failed", f"{SETTINGS_NAME}: {problem}"))
        return settings_of(ro, {}, service)


def _events(world: World, ro: RolloutOrchestrator, revisions: Mapping[str, RevisionSnapshot]) -> list[Wire]:
    """The Events about the objects of a rollout, oldest first; those about an earlier object of a name are left out."""
    uids: dict[tuple[str, str], str] = {(ROLLOUT_ORCHESTRATORS.kind, ro.name): ro.metadata.uid}
    uids |= {(kind.kind, ro.name): "" for kind in (KNATIVE_SERVICES, ROUTES)}
    for name, one in revisions.items():
        uids |= {(kind.kind, name): "" for kind in (STAGE_POD_AUTOSCALERS, REVISIONS, POD_AUTOSCALERS)}
        owned = [(DEPLOYMENTS, one.deployment), *((REPLICA_SETS, each) for each in one.replica_sets)]
        owned += [(PODS, each) for each in one.pods]
        uids |= {(kind.kind, key_of(each)[1]): uid_of(each) for kind, each in owned if each is not None}
    found = []
    for name in {name for _, name in uids}:
        for event in world.events_about(ro.namespace, name):
            about = event["involvedObject"]
            uid = uids.get((str(about.get("kind")), name))
            if uid is not None and about.get("uid") in (None, "", uid or about.get("uid")):
                found.append(event)
    return sorted(found, key=lambda event: event_time(event) or _START_OF_TIME)
