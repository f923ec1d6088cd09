"""What rollouts on stock Knative cost: requests at rest, and per stage with many at once, on Knative's own programs."""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.bench import machine_load
from tests.bench.process import megabytes_of
from tests.e2e.tenant import MIN_SCALE, Tenant, service
from tests.rig import Rig
from tests.rig.installation import LOOP, WEBHOOK
from tests.rig.stagegate import Stagegate
from tests.rig.timeline import Record, condition_of

KNATIVE: Final = "system:serviceaccount:knative-serving:controller"
USERS: Final = {LOOP: "loop", WEBHOOK: "webhook", KNATIVE: "Knative"}
_STANDING: Final = ("watch", "leases")
"""What goes on at rest: watches, and the renewal of the Lease."""
_STAGES: Final = 4
_OPTED_IN: Final = {"stagegate.dev/progressive": "true"}
_AT_REST: Final = {MIN_SCALE: "0", "autoscaling.knative.dev/initial-scale": "0"}
_FOUR: Final = {MIN_SCALE: "4"}
_PEAK: Final = 5
_AT_LEAST_QUIET: Final = 10.0
Wire = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Print the figures, and whether they are reached; 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench knative", description=__doc__)
    parser.add_argument("--services", type=int, default=1000, metavar="N", help="at rest, opted in (%(default)s)")
    parser.add_argument("--rollouts", type=int, default=20, metavar="N", help="at once (%(default)s)")
    parser.add_argument("--idle", type=float, default=60.0, metavar="S", help="seconds of rest (%(default)s)")
    options = parser.parse_args(arguments)
    print(f"load before: {machine_load()}")
    missed: list[str] = []
    with running() as (rig, stagegate):
        print(f"Knative Serving {rig.release.version} on a real API server")
        if options.rollouts:
            missed += at_once(rig, options.rollouts)
        if options.services:
            missed += at_rest(rig, stagegate, options.services, options.idle)
    print(f"\nload after: {machine_load()}")
    print("\n".join(f"missed: {one}" for one in missed) if missed else "every figure was reached")
    return 1 if missed else 0


@contextmanager
def running() -> Iterator[tuple[Rig, Stagegate]]:
    """Knative with Stagegate beside it; the calling thread works in its network."""
    with tempfile.TemporaryDirectory(prefix="stagegate-bench-") as folder, Rig.start() as rig, rig.inside():
        stagegate = Stagegate(rig, Path(folder))
        try:
            stagegate.install()
            stagegate.start()
            yield rig, stagegate
        finally:
            stagegate.stop()


def at_once(rig: Rig, count: int) -> list[str]:
    """Services of four replicas that are all edited at the same moment."""
    tenant = Tenant(rig, "at-once", _OPTED_IN)
    names = [f"service-{number}" for number in range(count)]
    for name in names:
        tenant.apply(service(name, scaling=_FOUR))
    _wait(lambda: all(tenant.record().end.is_ready(name) for name in names), 60 + 10 * count)
    tenant.settle(within=120)
    first, before = Events(rig), tenant.version()
    started = time.monotonic()
    for name in names:
        tenant.apply(service(name, version="2", scaling=_FOUR))
    _wait(lambda: all(_is_done(tenant.record(), name) for name in names), 120 + 30 * count)
    seconds = time.monotonic() - started
    tenant.settle(within=120)
    record, second = tenant.record(), Events(rig)
    print(f"\n{count} rollouts at once, of {_STAGES} stages each: {seconds:.0f} s")
    print(f"  peak {record.peak(before)} pods in all, {_PEAK} each: {_PEAK * count}")
    _print_requests(second.writes() - first.writes(), count * _STAGES)
    _print_latency("create a Revision, its Route not to be pinned", first.latencies())
    _print_latency("create a Revision, its Route pinned meanwhile", second.latencies()[len(first.latencies()) :])
    tenant.leave()
    return [] if record.peak(before) <= _PEAK * count else [f"peak {record.peak(before)}, wanted {_PEAK * count}"]


def at_rest(rig: Rig, stagegate: Stagegate, count: int, seconds: float) -> list[str]:
    """Services that are opted in, run nothing, and are left alone for a while."""
    tenant = Tenant(rig, "at-rest", _OPTED_IN)
    for number in range(count):
        tenant.apply(service(f"service-{number}", scaling=_AT_REST))
    print(f"\nmaking {count} Services; Knative's own client takes about a second for each", flush=True)
    _wait(lambda: _ready(rig, tenant.name) == count, 120 + 2 * count)
    _wait_for_rest(rig, 600)
    before = Events(rig).requests()
    time.sleep(seconds)
    asked = Events(rig).requests() - before
    ours = {call: number for call, number in asked.items() if call[0] in ("loop", "webhook")}
    print(f"\n{count} Services at rest for {seconds:.0f} s")
    for (user, verb, resource), number in sorted(ours.items()):
        print(f"  {user:8} {verb:7} {resource:24} {number}")
    for name, process in (("loop", stagegate.loop), ("webhook", stagegate.webhook)):
        assert process is not None
        print(f"  memory of the {name}: {megabytes_of(process.pid):.0f} MB")
    needless = sum(number for (_, verb, resource), number in ours.items() if not {verb, resource} & set(_STANDING))
    return [f"{needless} requests beyond watches and the Lease"] if needless else []


class Events:
    """The audit log of the API server so far."""

    def __init__(self, rig: Rig) -> None:
        self._events = list(rig.plane.audit_events())

    def requests(self) -> Counter[tuple[str, str, str]]:
        """How often each of the users asked, by verb and resource."""
        return Counter(
            (USERS[name], event["verb"], _resource(event))
            for event in self._events
            if (name := event["user"]["username"]) in USERS
        )

    def writes(self) -> Counter[tuple[str, str, str]]:
        reads = ("get", "list", "watch")
        return Counter({call: number for call, number in self.requests().items() if call[1] not in reads})

    def latencies(self) -> list[float]:
        """Seconds that the API server took for each new Revision, admission included."""
        return [
            (_time(event["stageTimestamp"]) - _time(event["requestReceivedTimestamp"])).total_seconds()
            for event in self._events
            if event["verb"] == "create" and _resource(event) == "revisions" and event["user"]["username"] == KNATIVE
        ]


def _resource(event: Wire) -> str:
    target = event.get("objectRef") or {}
    plural = target.get("resource", event.get("requestURI", ""))
    return f"{plural}/{target['subresource']}" if target.get("subresource") else str(plural)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_done(record: Record, name: str) -> bool:
    return record.end.is_ready(name) and record.end.shares(name) == {f"{name}-00002": 100}


def _ready(rig: Rig, namespace: str) -> int:
    """How many Services of a namespace are Ready."""
    services = rig.plane.admin.get(f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services").body["items"]
    return sum(condition_of(each, "Ready") == "True" for each in services)


def _wait_for_rest(rig: Rig, within: float) -> None:
    """Until nothing but a Lease was written for ten seconds."""
    last, since, deadline = -1, time.monotonic(), time.monotonic() + within
    while time.monotonic() - since < _AT_LEAST_QUIET and time.monotonic() < deadline:
        count = sum(number for call, number in Events(rig).writes().items() if call[2] != "leases")
        if count != last:
            last, since = count, time.monotonic()
        time.sleep(1.0)


def _print_requests(writes: Counter[tuple[str, str, str]], stages: int) -> None:
    for user in USERS.values():
        of_user = {(verb, plural): number for (name, verb, plural), number in writes.items() if name == user}
        print(f"  writes of {user} per stage: {sum(of_user.values()) / stages:.1f}")
        for (verb, plural), number in sorted(of_user.items(), key=lambda item: -item[1]):
            print(f"    {verb:7} {plural:28} {number / stages:.2f}")


def _print_latency(what: str, seconds: list[float]) -> None:
    if len(seconds) > 1:
        p99 = statistics.quantiles(seconds, n=100, method="inclusive")[98]
        print(f"  {what}: median {statistics.median(seconds) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")


def _wait(condition: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not reached within {within:.0f} s")
        time.sleep(1.0)
