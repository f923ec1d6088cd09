"""Detail: what the page of one rollout shows: its stages, its chart, its pods, conditions and Events."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from webhook.api.conditions import STAGE_READY, Condition
from webhook.api.wire import Wire
from webhook.cluster.indexer import key_of
from webhook.cluster.resource import CONFIG_MAPS, RESOURCE_QUOTAS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS
from webhook.diagnosis.cause import Cause
from webhook.diagnosis.causes import causes_of
from webhook.diagnosis.chain import Link, chain_of
from webhook.diagnosis.pod_problem import pod_problem
from webhook.diagnosis.snapshot import Snapshot, event_time
from webhook.diagnosis.summary import Summary, summarise
from webhook.diagnosis.world import Unread, World
from webhook.forecast.chart import Chart, Column
from webhook.forecast.forecast import Forecast, Setting, forecasts
from webhook.forecast.objects import Objects
from webhook.forecast.report import moved_by
from webhook.forecast.subject import NoForecast, subject_of
from webhook.planning.prediction import Moment, Unpredictable
from webhook.strategies.stage import replicas
from webhook.web.history import Observed

_MOST_EVENTS: Final = 50
_MOST_PODS: Final = 200
_STEPS: Final = {"birth": "begins", "up": "up", "traffic": "traffic", "down": "down"}


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage: ``when`` is done, now or next. ``shares`` has a text for each revision of the page."""

    number: int | None
    when: str
    shares: Sequence[str]
    replicas: int
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PodRow:
    """A pod: ``says`` is Ready, or why it is not."""

    name: str
    revision: str
    says: str
    is_ready: bool
    node: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class EventRow:
    """An Event; ``is_warning`` as its type says."""

    at: datetime | None
    reason: str
    message: str
    about: str
    count: int
    is_warning: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """``no_forecast`` says why the stages to come are not known; empty if they are."""

    snapshot: Snapshot
    summary: Summary
    causes: Sequence[Cause]
    chain: Link
    revisions: Sequence[str]
    chart: Chart
    stages: Sequence[StageRow]
    no_forecast: str
    pods: Sequence[PodRow]
    conditions: Sequence[Condition]
    events: Sequence[EventRow]
    commands: Sequence[str]
    unread: Sequence[Unread]

    @property
    def says(self) -> str:
        """One sentence, for those who cannot see the page change."""
        one = self.summary
        of = f", stage {one.stage} of {one.stages}" if one.stage and one.stages else ""
        waits = f": {one.waits_for}" if one.waits_for else ""
        return f"{one.name} is {one.state}{of}{waits}"


def detail_of(world: World, snapshot: Snapshot, history: Sequence[Observed]) -> Detail:
    """Everything about one rollout at the time of its snapshot."""
    summary = summarise(snapshot)
    forecast, no_forecast = _forecast(world, snapshot, summary)
    revisions = _revisions(snapshot, summary, history, forecast)
    return Detail(
        snapshot=snapshot,
        summary=summary,
        causes=causes_of(snapshot),
        chain=chain_of(snapshot, summary),
        revisions=revisions,
        chart=_chart(summary, revisions, history, forecast),
        stages=_stages(summary, revisions, history, forecast, _begun(snapshot)),
        no_forecast=no_forecast,
        pods=list(_pods(snapshot)),
        conditions=list(snapshot.ro.status.conditions),
        events=[_event(one) for one in list(reversed(snapshot.events))[:_MOST_EVENTS]],
        commands=_commands(snapshot, summary),
        unread=snapshot.unread,
    )


def _forecast(world: World, snapshot: Snapshot, summary: Summary) -> tuple[Forecast | None, str]:
    if summary.state == "Complete" or not snapshot.exists:
        return None, ""
    try:
        subject = subject_of(Objects(), Objects(_objects(world, snapshot)), snapshot.name)
        (found,) = forecasts(subject, [Setting()], (), snapshot.at)
    except (NoForecast, Unpredictable) as problem:
        return None, str(problem)
    return found, ""


def _objects(world: World, snapshot: Snapshot) -> Iterable[Wire]:
    """What a forecast reads of this rollout; the items of a list lack their kind."""
    namespace, name = snapshot.namespace, snapshot.name
    found: list[tuple[Any, Wire | None]] = [(ROLLOUT_ORCHESTRATORS, world.get(ROLLOUT_ORCHESTRATORS, namespace, name))]
    yield from _kinded("serving.knative.dev/v1", "Service", snapshot.service)
    yield from _kinded("serving.knative.dev/v1", "Route", snapshot.route)
    for revision, seen in snapshot.revisions.items():
        yield from _kinded("serving.knative.dev/v1", "Revision", seen.revision)
        yield from _kinded("autoscaling.internal.knative.dev/v1alpha1", "PodAutoscaler", seen.pod_autoscaler)
        yield from _kinded("apps/v1", "Deployment", seen.deployment)
        found.append((STAGE_POD_AUTOSCALERS, world.get(STAGE_POD_AUTOSCALERS, namespace, revision)))
    found += [(CONFIG_MAPS, one) for one in world.objects_of(CONFIG_MAPS)]
    found += [(RESOURCE_QUOTAS, one) for one in snapshot.quotas]
    for resource, one in found:
        yield from _kinded(resource.api_version, resource.kind, one)


def _kinded(version: str, kind: str, one: Wire | None) -> Iterable[Wire]:
    if one is not None:
        yield {**one, "apiVersion": version, "kind": kind}


def _revisions(
    snapshot: Snapshot, summary: Summary, history: Sequence[Observed], forecast: Forecast | None
) -> list[str]:
    """The revisions that are live, and those that had or will have traffic or replicas."""
    names = [one.name for one in summary.revisions]
    names += moved_by(Moment("", one.traffic, one.replicas) for one in history)
    if forecast is not None:
        names += moved_by(forecast.prediction.moments)
    spec = snapshot.ro.spec
    order = [entry.revision_name for entry in (*spec.initial_revisions, *spec.target_revisions)]
    return sorted(dict.fromkeys(names), key=lambda name: (order.index(name) if name in order else -1, name))


def _chart(summary: Summary, revisions: Sequence[str], history: Sequence[Observed], forecast: Forecast | None) -> Chart:
    columns: list[Column] = []
    number = (summary.stage or 1) - len(_stages_seen(history)) + 1
    before: tuple[tuple[str, int | None], ...] = ()
    for place, one in enumerate(history):
        begins = one.stage and one.stage != before
        label = f"stage {number}" if begins and number > 0 else ""
        number += bool(begins)
        before = one.stage
        now = "now" if place == len(history) - 1 else ""
        columns.append(Column(now, one.traffic, one.replicas, label, planned=False))
    first = summary.stage or 1
    for place, stage in enumerate(forecast.prediction.stages if forecast is not None else ()):
        is_present = place == 0 and bool(before) and _is_under_way(summary)
        for index, moment in enumerate(stage.moments):
            border = "" if index or is_present else f"stage {first + place}"
            columns.append(Column(_STEPS[moment.step], moment.traffic, moment.replicas, border))
    return Chart(
        title=f"Traffic and replicas of {summary.namespace}/{summary.name}",
        description=_described(summary, forecast),
        revisions=revisions,
        columns=columns,
    )


def _described(summary: Summary, forecast: Forecast | None) -> str:
    now = ", ".join(
        f"{one.name} {one.wished if one.real is None else one.real} % on {one.running or 0}"
        for one in summary.revisions
    )
    text = f"Now: {now or 'no replicas'}."
    if forecast is not None and forecast.prediction.stages:
        count, peak = len(forecast.prediction.stages), forecast.prediction.peak
        text += f" Planned: {'1 stage' if count == 1 else f'{count} stages'}, {replicas(peak)} at the peak."
    return text


def _stages(
    summary: Summary,
    revisions: Sequence[str],
    history: Sequence[Observed],
    forecast: Forecast | None,
    begun: datetime | None,
) -> list[StageRow]:
    """The stages that were seen, the present one, which has ``begun`` then, and those that are planned."""
    seen = _stages_seen(history)
    present = summary.stage
    rows = []
    for place, (first, last) in enumerate(seen):
        behind = len(seen) - 1 - place
        number = present - behind if present is not None and present > behind else None
        is_done = behind > 0 or not _is_under_way(summary)
        shares = [f"{last.traffic.get(name, 0)} % on {last.replicas.get(name, 0)}" for name in revisions]
        total = sum(last.replicas.values())
        rows.append(StageRow(number, "done" if is_done else "now", shares, total, first.at if is_done else begun))
    planned = list(forecast.prediction.stages) if forecast is not None else []
    first_number = present or 1
    if planned and seen and _is_under_way(summary):
        planned, first_number = planned[1:], first_number + 1
    for place, stage in enumerate(planned):
        shares = [_share(stage.end, name) for name in revisions]
        rows.append(StageRow(first_number + place, "next", shares, stage.peak))
    return rows


def _begun(snapshot: Snapshot) -> datetime | None:
    """When the present stage began."""
    return snapshot.ro.status.conditions.changed_at(STAGE_READY)


def _stages_seen(history: Sequence[Observed]) -> list[tuple[Observed, Observed]]:
    """The first and the last moment of each stage that was seen."""
    seen: list[tuple[Observed, Observed]] = []
    for one in history:
        if not one.stage:
            continue
        if seen and seen[-1][1].stage == one.stage:
            seen[-1] = (seen[-1][0], one)
        else:
            seen.append((one, one))
    return seen


def _is_under_way(summary: Summary) -> bool:
    return summary.state not in ("Complete", "Pending", "Aborted")


def _share(moment: Moment, name: str) -> str:
    return f"{moment.traffic.get(name, 0)} % on {moment.replicas.get(name, 0)}"


def _pods(snapshot: Snapshot) -> Iterable[PodRow]:
    pods = [(name, pod) for name, one in snapshot.revisions.items() for pod in one.pods]
    for revision, pod in pods[:_MOST_PODS]:
        problem = pod_problem(pod, snapshot.at)
        yield PodRow(
            name=key_of(pod)[1],
            revision=revision,
            says="Ready" if problem is None else problem.says,
            is_ready=problem is None,
            node=str((pod.get("spec") or {}).get("nodeName") or ""),
            since=problem.since if problem is not None else None,
        )


def _event(one: Wire) -> EventRow:
    about = one.get("involvedObject") or {}
    count = one.get("count")
    return EventRow(
        at=event_time(one),
        reason=str(one.get("reason") or ""),
        message=str(one.get("message") or one.get("note") or ""),
        about=f"{about.get('kind', '')} {about.get('name', '')}".strip(),
        count=count if isinstance(count, int) else 1,
        is_warning=one.get("type") == "Warning",
    )


def _commands(snapshot: Snapshot, summary: Summary) -> list[str]:
    """What a person may want to run next; the page itself changes nothing."""
    where = f"{shlex.quote(snapshot.name)} -n {shlex.quote(snapshot.namespace)}"
    found = [f"stagegate explain {where}", f"stagegate get {where} -w", f"stagegate plan {where}"]
    if summary.state == "Failed":
        found.append(f"stagegate retry {where}")
    if summary.state == "Paused" or summary.pause_ahead is not None:
        found.append(f"stagegate resume {where}")
    elif summary.state not in ("Complete", "Aborted"):
        found.append(f'stagegate pause {where} --reason "..."')
        found.append(f'stagegate abort {where} --reason "..."')
    return found
