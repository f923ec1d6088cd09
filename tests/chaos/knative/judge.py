"""The judge: what holds at every moment of one Service, read from what was stored. It calls no code of the product."""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final, NamedTuple

from tests.rig.timeline import Record, State, condition_of

Wire = dict[str, Any]

HOLD: Final = "stagegate.dev/hold"
RELEASE: Final = "stagegate.dev/release"
PROGRESSIVE: Final = "stagegate.dev/progressive"
SCALING: Final = "autoscaling.knative.dev/"
OWN: Final = f"{SCALING}stagegate-own"
_REVISION: Final = "serving.knative.dev/revision"
_WHOLE: Final = 100
_LATE: Final = 6.0
"""Seconds after its creation within which a Revision may still be pinned for: more than a webhook is stopped for."""
_HASH: Final = "pod-template-hash"


class Broken(NamedTuple):
    """A law that a write broke: the number of the write, when it was, Unix time, and what was wrong."""

    version: int
    at: float
    problem: str


class Judge:
    """Judges a Service whose every revision has ``number`` pods, in stages of ``step`` pods.

    ``broken`` are the laws broken, each with the write that broke it. ``pinned`` and ``stock`` count the edits whose
    new Revision was held, and those whose was not: there the rollout is Knative's own, and nothing is judged but that
    it ends.
    """

    def __init__(self, service: str, number: int = 4, step: int = 1) -> None:
        self._service, self._number, self._step = service, number, step
        self.broken: list[Broken] = []
        self.pinned = 0
        self.stock = 0
        self.states = 0
        self._at = 0.0
        self._forget()

    def _forget(self) -> None:
        self._phase, self._new = "", ""
        self._staged = self._covered = False
        self._above = 0
        self._pinned = 0
        self._whole: set[str] = set()
        self._born: dict[str, float] = {}
        self._hashes: dict[str, str] = {}
        self._shrunk: set[str] = set()

    def judge(self, record: Record) -> None:
        """Go through everything that happened."""
        before = State({})
        writes = {change.version: change for change in record.changes}
        for (version, last), state in zip(writes.items(), record.since(0), strict=True):
            self.states += 1
            self._at = last.at
            self.broken += [Broken(version, last.at, problem) for problem in self._see(before, state)]
            before = state

    def _see(self, before: State, state: State) -> Iterator[str]:
        service, route = (state.all(plural).get(self._service) for plural in ("services", "routes"))
        if service is None or route is None or _is_deleting(service) or _is_deleting(route):
            self._forget()
            return
        hold = _hold(route)
        phase, new = str(hold.get("phase", "")), str(hold.get("new", ""))
        asked = _asks_for_release(service, state.all("rolloutorchestrators").get(self._service))
        yield from self._held_again(before, state, phase, new, asked)
        self._note_births(before, state, phase)
        if asked:
            self._staged = False
        if _names_revision(service):
            self._covered = False
        self._phase, self._new = phase, new
        yield from self._routed(before, state, route)
        yield from self._peak(before, state)
        yield from self._above_stage(before, state)
        yield from self._capacity(before, state)
        yield from self._restarts(before, state)
        yield from self._waits(before, state)

    def _held_again(self, before: State, state: State, phase: str, new: str, asked: str) -> Iterator[str]:
        """A hold begins with a Revision that is created next, never after a release; it ends through its release.

        A webhook that was stopped answers late about a Revision that is created without it meanwhile.
        """
        if phase == "held" and (self._phase, self._new) != (phase, new):
            if new in before.all("revisions") and self._at - self._born.get(new, self._at) > _LATE:
                yield f"held for {new}, which exists already"
            if self._phase != "held":
                self._pinned = _generation(state.all("routes")[self._service])
                if asked:
                    yield f"held again after a release ({asked})"
                self._staged = self._covered = True
                self._shrunk.clear()
                self._whole.clear()
                self._whole |= self._reachable(state)
                at_rest = dict(state.running()) == dict.fromkeys(state.shares(self._service), self._number)
                self._above = 0 if at_rest else self._number
        if self._phase == "held" and not phase:
            yield "the hold is gone, and nobody released it"

    def _note_births(self, before: State, state: State, phase: str) -> None:
        """A Revision that is not lowered at its birth starts with all its pods: nothing held the Route for it."""
        for name in state.all("revisions").keys() - before.all("revisions").keys():
            lowered = state.annotation("revisions", name, OWN) is not None
            self._born[name] = self._at
            self.pinned += lowered
            if not lowered:
                self.stock += len(state.all("revisions")) > 1
                self._whole.add(name)
            if phase != "held":
                self._staged = self._covered = False

    def _reachable(self, state: State) -> set[str]:
        """The latest ready revision, if it has no traffic: what floats leads there until the new one is Ready."""
        ready = state.all("services")[self._service].get("status", {}).get("latestReadyRevisionName", "")
        return {ready} - {"", *state.shares(self._service)}

    def _routed(self, before: State, state: State, route: Wire) -> Iterator[str]:
        """While a Route is held, it names what is Ready, and nothing floats with a share."""
        entries = route.get("spec", {}).get("traffic", [])
        old = before.all("routes").get(self._service)
        if self._phase != "held" or (old is not None and _hold(old) and old["spec"].get("traffic") == entries):
            return
        for entry in entries:
            name = entry.get("revisionName")
            if not name and entry.get("percent"):
                yield f"{entry['percent']} % float while the Route is held"
            if name and condition_of(state.all("revisions").get(name, {}), "Ready") != "True":
                yield f"the Route names {name}, which is not Ready"

    def _peak(self, before: State, state: State) -> Iterator[str]:
        """One stage above the old number; one pod more for each revision that a later edit replaced before its end."""
        count = len(state.pods())
        if not self._staged or count <= len(before.pods()):
            return
        running = {pod["metadata"]["labels"].get(_REVISION, "") for pod in state.pods()}
        most = self._number + self._step + max(0, len(running) - 2) + self._above
        most += (self._number - 1) * len(running & self._whole)
        if count > most:
            yield f"{count} pods run where {most} are the most: {_counted(state)}"

    def _above_stage(self, before: State, state: State) -> Iterator[str]:
        """A revision that is lowered runs no more pods than its share needs, and those of one stage."""
        if not self._staged:
            return
        shares, here = state.shares(self._service), _pods_of(before)
        for name, pods in _pods_of(state).items():
            most = -(-self._number * shares.get(name, 0) // _WHOLE) + self._step
            if name not in self._whole and len(pods) > max(len(here.get(name, {})), most):
                yield f"{name} runs {len(pods)} pods where {most} are the most with {shares.get(name, 0)} %"

    def _capacity(self, before: State, state: State) -> Iterator[str]:
        """No share on fewer ready pods than it needs.

        Knative may still be at the Route as it was before it was pinned, and show that for a moment.
        """
        route = state.all("routes")[self._service]
        if not self._covered or route.get("status", {}).get("observedGeneration", 0) < self._pinned:
            return
        shares = state.shares(self._service)
        if sum(shares.values()) != _WHOLE:
            yield f"the shares are {shares}"
        for name, percent in self._short(state) - self._short(before):
            yield f"{name} has {percent} % of the traffic on {state.ready(name)} ready pods"

    def _short(self, state: State) -> set[tuple[str, int]]:
        shares = state.shares(self._service).items()
        return {(name, percent) for name, percent in shares if state.ready(name) * 100 < self._number * percent}

    def _restarts(self, before: State, state: State) -> Iterator[str]:
        """The pods of a revision are of one template; while stages go on, none comes after one has left."""
        for name in _pods_of(before).keys() | _pods_of(state).keys():
            here, there = _pods_of(before).get(name, {}), _pods_of(state).get(name, {})
            if self._staged and here.keys() - there.keys():
                self._shrunk.add(name)
            for pod in there.keys() - here.keys():
                labels = there[pod]["metadata"]["labels"]
                if self._hashes.setdefault(name, labels.get(_HASH, "")) != labels.get(_HASH, ""):
                    yield f"the pods of {name} are restarted with another template"
                if self._staged and name in self._shrunk - self._whole:
                    yield f"{name} gets a pod again after one was let go"

    def _waits(self, before: State, state: State) -> Iterator[str]:
        """The Service does not become Ready in the middle."""
        became = state.is_ready(self._service) and not before.is_ready(self._service)
        if self._staged and self._phase == "held" and became:
            yield f"the Service is Ready at {state.shares(self._service)}"


def problems_at_end(
    state: State, service: str, serving: str, scaling: Mapping[str, str], number: int = 4, broken: Container[str] = ()
) -> list[str]:
    """What a rollout to ``serving`` left undone; ``scaling`` are the annotations of every template.

    Knative keeps the pods of revisions that never were Ready: those of ``broken`` are not counted.
    """
    found = []
    if not state.is_ready(service):
        found.append(f"the Service is not Ready: {_conditions(state.all('services').get(service, {}))}")
    if (shares := state.shares(service)) != {serving: 100}:
        found.append(f"the shares are {shares}, and not all of {serving}")
    if (hold := state.annotation("routes", service, HOLD)) is not None:
        found.append(f"the Route is held: {hold}")
    for name, revision in state.all("revisions").items():
        annotations = revision["metadata"].get("annotations", {})
        bounds = {key: text for key, text in annotations.items() if key.startswith(SCALING)}
        if bounds != (own := {key: text for key, text in scaling.items() if key.startswith(SCALING)}):
            found.append(f"{name} has the bounds {bounds} and not its own, {own}")
    running = {name: count for name, count in state.running().items() if name not in broken}
    if running != {serving: number}:
        found.append(f"the pods are {running}")
    return found


def _hold(route: Wire) -> Wire:
    text = route["metadata"].get("annotations", {}).get(HOLD)
    hold: Wire = json.loads(text) if text else {}
    return hold


def _generation(wire: Wire) -> int:
    generation: int = wire["metadata"].get("generation", 0)
    return generation


def _asks_for_release(service: Wire, rollout: Wire | None) -> str:
    """How a person releases the Service to Knative; empty if none does."""
    if service["metadata"].get("annotations", {}).get(PROGRESSIVE) != "true":
        return "opted out"
    if _names_revision(service):
        return "traffic by name"
    if rollout is not None and RELEASE in rollout["metadata"].get("annotations", {}):
        return "asked for"
    return ""


def _names_revision(service: Wire) -> bool:
    return any(entry.get("revisionName") for entry in service["spec"].get("traffic") or ())


def _pods_of(state: State) -> dict[str, dict[str, Wire]]:
    """The pods that are not being deleted, by revision and uid."""
    found: dict[str, dict[str, Wire]] = {}
    for pod in state.pods():
        metadata = pod["metadata"]
        found.setdefault(metadata["labels"].get(_REVISION, ""), {})[metadata["uid"]] = pod
    return found


def _counted(state: State) -> dict[str, int]:
    return {name: len(pods) for name, pods in sorted(_pods_of(state).items())}


def _conditions(wire: Wire) -> dict[str, str]:
    return {
        each["type"]: f"{each['status']} {each.get('reason', '')}"
        for each in wire.get("status", {}).get("conditions", ())
    }


def _is_deleting(wire: Wire) -> bool:
    return "deletionTimestamp" in wire["metadata"]
