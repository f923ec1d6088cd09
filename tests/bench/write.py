"""What the webhook adds to a write through a real API server: with and without it in turns, and the calls it causes."""

import argparse
import re
import statistics
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from sandbox.demo.stack import Stack
from tests.bench import machine_load
from tests.controlplane import ControlPlane, Unavailable
from tests.controlplane.response import Response
from tests.controlplane.session import Session
from tests.e2e.cluster import API, REGISTRATION, ROS, SPAS, Namespace, create_namespace, eventually, rollout, spa

Wire = dict[str, Any]
Send = Callable[[Session, Namespace, int], Response]

JUDGED: Final = Namespace("default")
SPARED: Final = Namespace("spared")
"""A namespace whose writes no webhook sees. CRDs and policies judge in both."""
AT_MOST: Final = 0.0015
"""Seconds that one call may add to a write, at the median."""
PERSON: Final = "jane"
CONTROLLER: Final = "system:serviceaccount:knative-serving:controller"
_WARM_UP: Final = 20
_REVIEWS: Final = re.compile(r'^stagegate_admission_reviews_total\{.*path="/?(\w+)".*\} (\S+)$', re.MULTILINE)
_REVISION: Final = "hello-00002"
_SERVICE_LABEL: Final = "serving.knative.dev/service"
_LABELS: Final = {"serving.knative.dev/revision": _REVISION, _SERVICE_LABEL: "hello"}


@dataclass
class Write:
    """One kind of write. ``send`` makes the n-th of them in a namespace; ``undo`` is what is deleted after each.

    ``writer`` is a user name. ``mutating`` and ``validating`` are the most calls that one may cause.
    """

    name: str
    writer: str
    send: Send
    mutating: int
    validating: int
    undo: str = ""
    seconds: dict[Namespace, list[float]] = field(default_factory=lambda: {JUDGED: [], SPARED: []})
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def medians(self) -> tuple[float, float]:
        """Seconds with the webhook, and without."""
        return statistics.median(self.seconds[JUDGED]), statistics.median(self.seconds[SPARED])

    @property
    def added(self) -> float:
        """Seconds that the webhook adds to what the write takes without it."""
        judged, spared = self.medians
        return judged - spared

    def per_write(self, path: str) -> float:
        return self.calls[path] / len(self.seconds[JUDGED])

    def missed(self) -> list[str]:
        most = {"mutate": self.mutating, "validate": self.validating}
        lines = [
            f"missed: {self.name}: {self.per_write(path):.2f} calls of /{path} a write, wanted at most {number}"
            for path, number in most.items()
            if self.per_write(path) > number
        ]
        most_added = AT_MOST * max(1, self.mutating + self.validating)
        if self.added > most_added:
            lines.append(
                f"missed: {self.name}: {self.added * 1000:.2f} ms added, wanted at most {most_added * 1000:.2f} ms"
            )
        return lines


def main(arguments: list[str]) -> int:
    """Print a table, and whether the figures are reached; 1 when one is not, 2 where no API server can be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench write", description=__doc__)
    parser.add_argument("--writes", type=int, default=300, metavar="N", help="of each kind (%(default)s)")
    parser.add_argument("--pause", type=float, default=0.02, metavar="S", help="between two writes (%(default)s)")
    parser.add_argument("--no-fsync", action="store_true", help="an etcd that does not wait for the disk")
    options = parser.parse_args(arguments)
    disk = "etcd does not wait" if options.no_fsync else "etcd waits"
    print(f"load before: {machine_load()}; {options.writes} writes of each kind, one by one; {disk} for the disk")
    with tempfile.TemporaryDirectory(prefix="stagegate-bench-") as folder, ExitStack() as ends:
        try:
            plane = ends.enter_context(
                ControlPlane.start(Path(folder), manifests=False, knative=False, durable=not options.no_fsync)
            )
        except Unavailable as problem:
            print(problem)
            return 2
        stack = ends.enter_context(Stack(plane, Path(folder)))
        stack.install()
        stack.start_webhook(("--log-level", "warning"))
        _spare(plane.admin)
        sessions = {
            PERSON: ends.enter_context(plane.session(PERSON)),
            CONTROLLER: ends.enter_context(plane.session(CONTROLLER, ["system:masters"])),
        }
        writes = _kinds(_prepare(sessions[PERSON]))
        for write in writes:
            _measure(write, sessions[write.writer], stack.pages_url, options)
    print(
        f"  {'medians of a write':45} {'with':>8} {'without':>8} {'added':>8}   calls a write, mutating and validating"
    )
    for write in writes:
        judged, spared = (seconds * 1000 for seconds in write.medians)
        calls = f"{write.per_write('mutate'):.2f} {write.per_write('validate'):.2f}"
        print(f"  {write.name:45} {judged:5.2f} ms {spared:5.2f} ms {write.added * 1000:5.2f} ms   {calls}")
    print(f"load after: {machine_load()}")
    missed = [line for write in writes for line in write.missed()]
    print("\n".join(missed) if missed else "every figure was reached")
    return 1 if missed else 0


def _spare(admin: Session) -> None:
    """Have neither webhook called for what is written in the spared namespace."""
    create_namespace(admin, SPARED.name, {})
    there = "/webhooks/0/namespaceSelector/matchExpressions/0/values/-"
    for path in (
        "mutatingwebhookconfigurations/mutate.stagegate.dev",
        "validatingwebhookconfigurations/validate.stagegate.dev",
    ):
        patch = [{"op": "add", "path": there, "value": SPARED.name}]
        _must(admin.patch(f"{REGISTRATION}/{path}", patch, "json-patch+json"), HTTPStatus.OK)


def _prepare(session: Session) -> Wire:
    """A rollout in both namespaces; answers once the webhook fills in from it, with the owner reference to it."""
    for namespace in (JUDGED, SPARED):
        for name in ("hello", "kept"):
            _must(session.create(namespace.path(ROS), _complete_rollout(name)), HTTPStatus.CREATED)
        _must(session.create(namespace.path(SPAS), spa("kept-00002")), HTTPStatus.CREATED)

    def filled_in() -> bool:
        answer = session.create(JUDGED.path(SPAS), spa(_REVISION), dryRun="All")
        return "stageMaxScale" in (answer.body.get("spec") or {})

    eventually(filled_in)
    filled = session.create(JUDGED.path(SPAS), spa(_REVISION), dryRun="All").body
    (owner,) = filled["metadata"]["ownerReferences"]
    return {**owner, "apiVersion": API}


def _kinds(owner: Wire) -> list[Write]:
    bounds = {"stageMinScale": 1, "stageMaxScale": 9}
    complete_spa = spa(_REVISION, bounds, labels=_LABELS, ownerReferences=[owner])
    plain_ro = rollout("other", _targets("other", 9))
    one_spa, one_ro = f"{SPAS}/{_REVISION}", f"{ROS}/other"
    return [
        Write("a person creates a complete SPA", PERSON, _creating(SPAS, complete_spa), 1, 1, one_spa),
        Write("a person creates an SPA to be filled in", PERSON, _creating(SPAS, spa(_REVISION)), 1, 1, one_spa),
        Write("a person changes the bounds of an SPA", PERSON, _changing(SPAS, "kept-00002", _bounds), 1, 1),
        Write("a person annotates an SPA", PERSON, _changing(SPAS, "kept-00002", _note), 0, 0),
        Write("a person creates a complete RO", PERSON, _creating(ROS, _complete_rollout("other")), 1, 1, one_ro),
        Write("a person creates an RO without a strategy", PERSON, _creating(ROS, plain_ro), 1, 1, one_ro),
        Write("a person changes the targets of an RO", PERSON, _changing(ROS, "kept", _limits), 1, 1),
        Write("a controller creates a complete SPA", CONTROLLER, _creating(SPAS, complete_spa), 0, 1, one_spa),
        Write("a controller changes the bounds of an SPA", CONTROLLER, _changing(SPAS, "kept-00002", _bounds), 0, 1),
        Write("a controller changes the targets of an RO", CONTROLLER, _changing(ROS, "kept", _limits), 0, 1),
    ]


def _complete_rollout(name: str) -> Wire:
    return rollout(name, {**_targets(name, 9), "rolloutStrategy": "availability"}, labels={_SERVICE_LABEL: name})


def _targets(name: str, limit: int) -> Wire:
    return {"targetRevisions": [{"revisionName": f"{name}-00002", "percent": 100, "minScale": 1, "maxScale": limit}]}


def _creating(plural: str, body: Wire) -> Send:
    return lambda session, namespace, number: session.create(namespace.path(plural), body)


def _changing(plural: str, name: str, change: Callable[[int], Wire]) -> Send:
    return lambda session, namespace, number: session.patch(namespace.path(plural, name), change(number))


def _bounds(number: int) -> Wire:
    return {"spec": {"stageMinScale": 0, "stageMaxScale": 2 + number % 2}}


def _limits(number: int) -> Wire:
    return {"spec": _targets("kept", 9 + number % 2)}


def _note(number: int) -> Wire:
    return {"metadata": {"annotations": {"example.com/note": str(number)}}}


def _measure(write: Write, session: Session, url: str, options: argparse.Namespace) -> None:
    """In turns, with and without; the first few count for nothing. A pause lets the API server's watch cache follow."""
    for number in range(_WARM_UP + options.writes):
        if number == _WARM_UP:
            before = _calls(url)
        for namespace in (JUDGED, SPARED) if number % 2 else (SPARED, JUDGED):
            began = time.perf_counter()
            answer = write.send(session, namespace, number)
            seconds = time.perf_counter() - began
            _must(answer, HTTPStatus.OK, HTTPStatus.CREATED)
            if number >= _WARM_UP:
                write.seconds[namespace].append(seconds)
            if write.undo:
                plural, _, name = write.undo.partition("/")
                _must(session.delete(namespace.path(plural, name)), HTTPStatus.OK)
            time.sleep(options.pause)
    write.calls = _calls(url)
    write.calls.subtract(before)


def _calls(url: str) -> Counter[str]:
    """Calls that the webhook has answered, by path."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as page:
        found: Counter[str] = Counter()
        for path, count in _REVIEWS.findall(page.read().decode()):
            found[path] += int(float(count))
        return found


def _must(answer: Response, *statuses: HTTPStatus) -> None:
    if answer.status not in statuses:
        raise SystemExit(f"the API server answered {answer.status}: {answer.message}")
