"""The simulated autoscaler's decision: what happens to the pods and scales of every revision at one tick."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """Where a pod is in its life; only a ready one is a replica that runs."""

    STARTING = "starting"
    READY = "ready"
    TERMINATING = "terminating"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, and for how many ticks the autoscaler has seen it in its present phase (0: seen for the first time)."""

    name: str
    uid: str
    phase: Phase
    ticks: int = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """One revision: its effective bounds (maximum 0 is no limit), its traffic and what runs of it.

    ``demand`` is the number of replicas that all traffic of the service needs, ``percent`` this revision's share of
    it; ``calm_ticks`` says for how many ticks that has been less than what runs. ``desired`` and ``actual`` are what
    its PodAutoscaler reports, None where it reports nothing yet; ``initialized`` whether it reports that what it scales
    has run. Pods of a revision that ``hangs`` never end by themselves, those of one that ``fails`` never start.
    """

    namespace: str
    revision: str
    minimum: int = 0
    maximum: int = 0
    percent: int = 0
    demand: int = 0
    calm_ticks: int = 0
    pods: tuple[Pod, ...] = ()
    desired: int | None = None
    actual: int | None = None
    initialized: bool = True
    hangs: bool = False
    fails: bool = False

    @property
    def running(self) -> int:
        """The pods that run or are about to."""
        return sum(pod.phase is not Phase.TERMINATING for pod in self.pods)

    @property
    def share(self) -> int:
        """The replicas that this revision's traffic needs, rounded up."""
        return -(-self.demand * self.percent // 100)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast things move: pods started per tick and revision, ticks until a pod is ready, ticks until it is gone.

    Less demand is believed after ``stable_ticks`` (Knative's stable window), no traffic and other bounds at once.
    Pods are deleted all at once, and stop counting as running at the next tick; a start-up of a tick or more makes
    that replicas which go from one revision to another at the same time never run twice.
    """

    starts_per_tick: int = 4
    startup_ticks: int = 1
    termination_ticks: int = 2
    stable_ticks: int = 120


@dataclass(frozen=True, slots=True)
class StartPod:
    namespace: str
    revision: str
    name: str


@dataclass(frozen=True, slots=True)
class MarkPodReady:
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class TerminatePod:
    """Delete with the pod's own grace period, after which it is gone."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class RemovePod:
    """The pod has ended: what a kubelet says by deleting it without a grace period."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class ReportScale:
    """Write the PodAutoscaler's status; replicas. ``initialized`` once the revision has run."""

    namespace: str
    revision: str
    desired: int
    actual: int
    initialized: bool = True
    fails: bool = False


Action = StartPod | MarkPodReady | TerminatePod | RemovePod | ReportScale


def wanted_replicas(workload: Workload, stable_ticks: int) -> int:
    """What the traffic needs, or what runs while that is more and within the stable window; then within the bounds.

    A revision that has not run yet wants one replica at least, as with Knative's initial scale of 1.
    """
    wanted = max(workload.share, 0 if workload.initialized else 1)
    if workload.share > 0 and workload.calm_ticks < stable_ticks:
        wanted = max(wanted, workload.running)
    wanted = max(wanted, workload.minimum)
    return min(wanted, workload.maximum) if workload.maximum > 0 else wanted


def decide(workloads: Iterable[Workload], pace: Pace) -> list[Action]:
    """What to do at this tick. Revisions that shrink come first, so that a watcher never sees both full at once."""
    plans = [_Plan(workload, pace) for workload in workloads]
    plans.sort(key=lambda plan: plan.growth)
    return [action for plan in plans for action in plan.actions]


class _Plan:
    """One revision's actions at one tick, and by how many running replicas they change it."""

    def __init__(self, workload: Workload, pace: Pace) -> None:
        by_phase: dict[Phase, list[Pod]] = {phase: [] for phase in Phase}
        for pod in sorted(workload.pods, key=lambda pod: _number(pod.name)):
            by_phase[pod.phase].append(pod)
        starting, ready, terminating = by_phase.values()
        wanted = wanted_replicas(workload, pace.stable_ticks)

        kept = [*ready, *starting][:wanted]
        ends = [*ready, *starting][wanted:]
        begins = min(wanted - len(kept), pace.starts_per_tick)
        ripe = [pod for pod in starting if pod in kept and pod.ticks >= pace.startup_ticks and not workload.fails]
        gone = [pod for pod in terminating if pod.ticks >= pace.termination_ticks and not workload.hangs]
        # What was deleted just now still runs: a client sees the terminating pods before the lower number of replicas.
        actual = len(ready) + len(ripe)

        where = workload.namespace
        self.growth = actual - (workload.actual or 0)
        self.actions: list[Action] = [RemovePod(where, pod.name, pod.uid) for pod in gone]
        self.actions += [TerminatePod(where, pod.name, pod.uid) for pod in ends]
        self.actions += [MarkPodReady(where, pod.name) for pod in ripe]
        self.actions += [
            StartPod(where, workload.revision, name) for name in _free_names(workload.revision, workload.pods, begins)
        ]
        initialized = workload.initialized or actual > 0
        if (workload.desired, workload.actual, workload.initialized) != (wanted, actual, initialized):
            self.actions.append(ReportScale(where, workload.revision, wanted, actual, initialized, workload.fails))


def _free_names(revision: str, pods: Sequence[Pod], count: int) -> list[str]:
    taken = {pod.name for pod in pods}
    names: list[str] = []
    number = 0
    while len(names) < count:
        name = f"{revision}-{number}"
        if name not in taken:
            names.append(name)
        number += 1
    return names


def _number(name: str) -> tuple[int, str]:
    """Pods in the order of their numbers; one with a name of another make comes last."""
    suffix = name.rpartition("-")[2]
    return (int(suffix), name) if suffix.isdecimal() else (2**31, name)


def age(pods: Mapping[str, Pod], uid: str, phase: Phase) -> int:
    """For how many ticks a pod has been in this phase, given what the last tick saw (by uid)."""
    before = pods.get(uid)
    return before.ticks + 1 if before is not None and before.phase is phase else 0
