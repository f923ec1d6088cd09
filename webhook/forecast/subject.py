"""Subject: the rollout that a forecast is about, put together from files and a cluster, and what is assumed of it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from webhook.api import InvalidRollout, MalformedObject, RolloutOrchestrator
from webhook.api.kinds import SERVICE_LABEL, SETTINGS_NAME
from webhook.api.target_revision import one_per_revision
from webhook.api.wire import Wire
from webhook.forecast.demand import demand_of
from webhook.forecast.objects import Objects
from webhook.forecast.usage import PODS, Usage, usage_of_pod, usage_of_template
from webhook.knative.annotations import PROGRESSIVE, labels_of, texts
from webhook.knative.opt_in import is_opted_in, obstacle
from webhook.knative.rollout_config import settings_of
from webhook.knative.service_rollout import entries, new_rollout
from webhook.knative.settings import default_bounds, hold_settings
from webhook.knative.stage_traffic import held_for
from webhook.knative.traffic import shares
from webhook.planning import Bounds, RolloutConfig, UnreadableSettings, newest_revision_name
from webhook.planning.abort import as_carried, is_back

_NUMBER: Final = re.compile(r"-([0-9]{5,})$")
_WHOLE: Final = 100


class NoForecast(Exception):
    """These objects are not a rollout that can be forecast; the message says why, and the way out."""


class NothingToRollOut(NoForecast):
    """The old and the new Service have the same template; Knative makes no Revision then."""


class Unreadable(NoForecast):
    """An object is not what its kind says; the message names it and the field."""


@dataclass(frozen=True, slots=True)
class Subject:
    """``scales``, ``traffic`` and ``bounds`` are empty before the first stage; ``running`` is what runs now, if that is
    known. ``replica`` is the usage of one replica by revision. ``assumptions`` are sentences for people.
    """

    ro: RolloutOrchestrator
    config: RolloutConfig
    demand: int
    is_held: bool
    keeps_floor: bool = True
    scales: Mapping[str, int] = field(default_factory=dict)
    running: Mapping[str, int] = field(default_factory=dict)
    traffic: Mapping[str, int] = field(default_factory=dict)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    replica: Mapping[str, Usage] = field(default_factory=dict)
    quotas: Sequence[Wire] = ()
    assumptions: tuple[str, ...] = ()


def revisions_of(ro: RolloutOrchestrator) -> list[str]:
    """The revisions that a rollout names, those of its start first."""
    lists = (*ro.spec.initial_revisions, *ro.spec.stage_target_revisions, *ro.spec.target_revisions)
    return list(dict.fromkeys(entry.revision_name for entry in lists))


def subject_of(
    given: Objects,
    live: Objects,
    name: str = "",
    *,
    namespace: str = "",
    demand: int | None = None,
    per_replica: Usage | None = None,
) -> Subject:
    """The rollout of ``given`` objects, of files, else that of ``name`` in the ``live`` ones.

    A given RO is taken as it is. Two given Services are the old one and the new one; one alone is new, and the live
    one old. In the live objects it is the rollout on its way, else the next edit of the Service. Raises NoForecast.
    """
    try:
        return _Assembly(given, live, name, namespace).subject(demand, per_replica or {})
    except (InvalidRollout, MalformedObject) as problem:
        raise Unreadable(f"RolloutOrchestrator {name or _only_name(given)}: {problem}") from problem
    except UnreadableSettings as problem:
        raise Unreadable(f"ConfigMap {SETTINGS_NAME}: {problem}") from problem


class _Assembly:
    def __init__(self, given: Objects, live: Objects, name: str, namespace: str) -> None:
        self.given, self.live, self.namespace = given, live, namespace
        self.name = name or _only_name(given)
        self.services = [one for one in given.all("Service") if one["metadata"].get("name") == self.name]
        self.service = self.services[-1] if self.services else live.named("Service", self.name)
        self.assumptions: list[str] = []
        self.settings = given.settings or live.settings
        self.defaults = default_bounds(given.autoscaler or live.autoscaler)
        self.templates: dict[str, Mapping[str, Any]] = {}

    def subject(self, demand: int | None, per_replica: Usage) -> Subject:
        wire = self.given.named("RolloutOrchestrator", self.name)
        is_live = wire is None and not self.services
        if is_live:
            wire = self.live.named("RolloutOrchestrator", self.name)
        on_its_way = wire is not None
        if wire is not None and is_live and self.service is not None:
            on_its_way = not RolloutOrchestrator.from_dict(wire).is_complete
        route = self.live.named("Route", self.name)
        if wire is not None and on_its_way:
            ro = self._as_carried(RolloutOrchestrator.from_dict(wire))
            is_held = held_for(ro, route) is not None
        else:
            ro, is_held = self._edited(route), True
        if is_held:
            self._assume_held()
        data = texts(self.settings, "data")
        config = settings_of(ro, data, self.service)
        running = self._scales(ro)
        scales = running if is_live and on_its_way else {}
        needed = demand_of(ro, running, demand)
        replica = self._replica(ro, per_replica)
        return Subject(
            ro=ro,
            config=config,
            demand=needed.replicas,
            is_held=is_held,
            keeps_floor=hold_settings(self.settings).keeps_floor,
            scales=scales,
            running=running,
            traffic=self._traffic(ro, route) if scales else {},
            bounds=self._bounds(ro) if scales else {},
            replica=replica,
            quotas=[*self.given.all("ResourceQuota"), *self.live.all("ResourceQuota")],
            assumptions=(str(needed), *self.assumptions, *_ALWAYS),
        )

    def _as_carried(self, ro: RolloutOrchestrator) -> RolloutOrchestrator:
        """The RO as the loop carries it out."""
        carried = as_carried(ro)
        if is_back(ro):
            self.assumptions.append("it was aborted, and is back where it began")
        elif carried is not ro:
            self.assumptions.append("it was aborted, and goes back to where it began")
        return carried

    def _edited(self, route: Wire | None) -> RolloutOrchestrator:
        """The RO that an edit of the Service gets."""
        if self.service is None:
            of = f"{self.namespace}/" if self.namespace else ""
            raise NoForecast(
                f"there is neither a RolloutOrchestrator nor a Knative Service {of}{self.name}; "
                "check the name and the namespace (-n), or give files with -f"
            )
        new, old = self.service, self.live.named("Service", self.name)
        if len(self.services) > 1:
            old = self.services[-2]
        if old is None:
            raise NoForecast(
                f"Service {self.name} is new, so Knative creates it without stages; "
                "give the old one too, before it in the files, or a cluster that has it"
            )
        if self.services and _template(old) == _template(new):
            raise NothingToRollOut(f"Service {self.name}: old and new template are the same: nothing to roll out")
        found = obstacle(new, {PROGRESSIVE: "true"}, True)
        if found is not None:
            raise NoForecast(f"Service {self.name}: {found.message}")
        labels = texts((self.live.named("Namespace", _namespace(new)) or {}).get("metadata"), "labels")
        if not is_opted_in(new, labels, False):
            self.assumptions.append(
                f"its edits roll out in stages: {PROGRESSIVE} is not set on the Service, so its namespace or the flag "
                "of webhook and loop has to opt it in"
            )
        before = shares(((route or {}).get("status") or {}).get("traffic"))
        revisions = self._mine("Revision", before)
        newest = _newest(old, revisions)
        if sum(before.values()) != _WHOLE:
            before = {newest: _WHOLE}
        revisions.setdefault(newest, _as_revision(newest, old))
        following = newest_revision_name(self.name, _number(newest) + 1)
        revisions[following] = _as_revision(following, new)
        self.templates = {key: one.get("spec") or {} for key, one in revisions.items()}
        if not self.services:
            self.assumptions.append(
                f"the next edit makes {following}, with the bounds and resources of today's template"
            )
        initial = entries(before, revisions, self.defaults, following)
        targets = entries({following: _WHOLE}, revisions, self.defaults, following)
        metadata = {"namespace": "default", "uid": "", **new["metadata"]}
        return RolloutOrchestrator.from_dict(new_rollout({**new, "metadata": metadata}, initial, targets, ""))

    def _assume_held(self) -> None:
        self.assumptions.append("the Route is held (stock Knative), so that traffic moves once the new replicas run")

    def _mine(self, kind: str, names: Collection[str]) -> dict[str, Wire]:
        """The live objects with these names, and with the label of the Service: a namespace has other rollouts too."""
        return {
            name: one
            for name, one in self.live.by_name(kind).items()
            if name in names or labels_of(one).get(SERVICE_LABEL) == self.name
        }

    def _scales(self, ro: RolloutOrchestrator) -> dict[str, int]:
        found = {}
        for name, one in self._mine("PodAutoscaler", revisions_of(ro)).items():
            actual = (one.get("status") or {}).get("actualScale")
            if isinstance(actual, int):
                found[name] = actual
        return found

    def _traffic(self, ro: RolloutOrchestrator, route: Wire | None) -> dict[str, int]:
        shown = shares(((route or {}).get("status") or {}).get("traffic"))
        stage = one_per_revision(ro.spec.stage_target_revisions or ro.spec.initial_revisions)
        return shown or {entry.revision_name: entry.percent or 0 for entry in stage}

    def _bounds(self, ro: RolloutOrchestrator) -> dict[str, Bounds]:
        found = self._mine("StagePodAutoscaler", revisions_of(ro))
        specs = {name: one.get("spec") or {} for name, one in found.items()}
        return {name: (spec.get("stageMinScale"), spec.get("stageMaxScale")) for name, spec in specs.items()}

    def _replica(self, ro: RolloutOrchestrator, given: Usage) -> dict[str, Usage]:
        found: dict[str, Usage] = {}
        proxied = False
        for name in revisions_of(ro):
            deployment = self.live.deployment_of(name)
            pod = (((deployment or {}).get("spec") or {}).get("template") or {}).get("spec")
            spec = self.templates.get(name) or (self.live.named("Revision", name) or {}).get("spec")
            spec = spec or (_template(self.service).get("spec") if self.service is not None else None)
            if pod:
                found[name] = usage_of_pod(pod)
            elif spec:
                found[name], proxied = usage_of_template(spec), True
            else:
                found[name] = {PODS: Decimal(1)}
            found[name] = {**found[name], **given}
        if given:
            self.assumptions.append("each replica takes what --per-replica gives")
        elif proxied:
            self.assumptions.append("each replica takes what its template requests, and 25m CPU for Knative's proxy")
        elif all(set(usage) == {PODS} for usage in found.values()):
            self.assumptions.append(
                "no resources of a replica are known: neither a template nor --per-replica says them"
            )
        return found


_ALWAYS: Final = (
    "the demand stays the same, every replica gets ready, and no stage runs into its time-out",
    "a replica counts until its pod is deleted; until its grace period is over it still takes room",
)


def _only_name(given: Objects) -> str:
    found = {str(one["metadata"].get("name")) for kind in ("RolloutOrchestrator", "Service") for one in given.all(kind)}
    if not found:
        raise NoForecast("there is neither a RolloutOrchestrator nor a Knative Service in these files")
    if len(found) > 1:
        raise NoForecast(f"these files have several rollouts ({', '.join(sorted(found))}); name one of them")
    return found.pop()


def _namespace(service: Mapping[str, Any]) -> str:
    return str(service["metadata"].get("namespace") or "default")


def _template(service: Mapping[str, Any]) -> Mapping[str, Any]:
    template = (service.get("spec") or {}).get("template")
    return template if isinstance(template, Mapping) else {}


def _as_revision(name: str, service: Mapping[str, Any]) -> Wire:
    """The Revision that Knative makes of the template of a Service, as far as it counts here."""
    template = _template(service)
    annotations = texts(template.get("metadata"), "annotations")
    return {"metadata": {"name": name, "annotations": annotations}, "spec": template.get("spec") or {}}


def _newest(service: Mapping[str, Any], revisions: Mapping[str, Wire]) -> str:
    """The newest revision of a Service: as its status says, else the last that exists, else the first of all."""
    said = (service.get("status") or {}).get("latestCreatedRevisionName")
    name = str(service["metadata"]["name"])
    return said or max(revisions, key=_number, default=newest_revision_name(name, 1))


def _number(revision: str) -> int:
    found = _NUMBER.search(revision)
    return int(found[1]) if found else 1
