"""What the companion loop costs: API writes per stage, start, memory, idle requests, reaction; on a real API server."""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.bench import plain
from tests.bench.cluster import Cluster, control_plane_of, wait
from webhook.cli.demo.process import Process
from webhook.cli.demo.stack import LOOP
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS

UPSTREAM: Final = {
    "SPA specs": 6.7,
    "RO status": 3.0,
    "conflicts": 0.4,
    "pod lists": 0.6,
}
"""Requests per stage of upstream's controllers, where they were counted."""
AT_MOST: Final = {
    "SPA specs": 2.25,
    "RO specs": 1.0,
    "RO status": 3.0,
    "needless SPA status": 0.0,
    "conflicts": 0.0,
    "pod lists": 0.0,
}
"""Ours, at most: two SPA specs per stage, one more in the first of the four that a rollout has here."""
MEGABYTES: Final = 150.0
MEASURED: Final = 1000
"""Rollouts up to which that holds."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def main(arguments: list[str]) -> int:
    """Print the figures, and whether they are reached; 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench loop", description=__doc__)
    parser.add_argument("--control-plane", choices=("auto", "sandbox", "real"), default="auto")
    parser.add_argument("--rollouts", type=int, default=1000, metavar="N", help="with five SPAs each (%(default)s)")
    parser.add_argument("--moves", type=int, default=100, metavar="N", help="rollouts that go on among them")
    parser.add_argument("--plain", type=int, default=200, metavar="N", help="rollouts for the plain client; 0: none")
    parser.add_argument("--idle", type=float, default=60.0, metavar="S", help="seconds of rest (%(default)s)")
    options = parser.parse_args(arguments)
    print(f"load before: {_load()}")
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="stagegate-bench-") as folder, ExitStack() as ends:
        cluster = ends.enter_context(control_plane_of(options.control_plane, Path(folder)))
        print(f"API server: {cluster.kind}")
        missed += writes_per_stage(cluster)
        if options.rollouts:
            missed += at_scale(
                ends.enter_context(control_plane_of(options.control_plane, Path(folder))), cluster, options
            )
    print(f"\nload after: {_load()}")
    print("\n".join(f"missed: {one}" for one in missed) if missed else "every figure was reached")
    return 1 if missed else 0


# Writes per stage


def writes_per_stage(cluster: Cluster, services: int = 4) -> list[str]:
    """Rollouts from one revision to the next in four stages and more, and what the API server was asked meanwhile."""
    names = [f"hello-{number}" for number in range(services)]
    with running_loop(cluster) as loop:
        for name in names:
            cluster.make_service(name, 1, replicas=8)
        before, version = cluster.counts(), cluster.version()
        for name in names:
            cluster.make_rollout(name, {"over-consumption-ratio": "25"}, low=1, high=20)
        stages = cluster.carry(names, demand=8)
        wait(loop.queue_is_empty, "the loop comes to rest")
        counts = cluster.counts() - before
        with suppress(TimeoutError):
            # The last versions may not have been heard of yet.
            wait(lambda: cluster.status_changes(STAGE_POD_AUTOSCALERS, version) >= counts["SPA status"], "", 5.0)
    # The people's own writes: one RO each.
    counts["RO specs"] -= services
    counts["needless SPA status"] = counts["SPA status"] - cluster.status_changes(STAGE_POD_AUTOSCALERS, version)
    kinds = ("SPA specs", "RO specs", "RO status", "SPA status", "needless SPA status", "conflicts", "pod lists")
    figures = {kind: counts[kind] for kind in (*kinds, "events")}
    print(f"\nAPI requests per stage, from the API server's metrics: {stages} stages of {services} rollouts")
    print(f"{cluster.pods.ended} pods have ended meanwhile")
    print(f"  {'':20} {'ours':>6} {'upstream':>9}")
    for what, count in figures.items():
        upstream = f"{UPSTREAM[what]:.1f}" if what in UPSTREAM else "-"
        print(f"  {what:20} {count / stages:6.2f} {upstream:>9}")
    return [
        f"{what}: {figures[what] / stages:.2f} per stage, wanted at most {most:g}"
        for what, most in AT_MOST.items()
        if figures[what] / stages > most
    ]


# At scale


def at_scale(cluster: Cluster, other: Cluster, options: argparse.Namespace) -> list[str]:
    """Many rollouts, nearly all of them at rest. ``other`` is where a plain client sends the same requests."""
    names = [f"service-{number}" for number in range(options.rollouts)]
    aside = [f"plain-{number}" for number in range(options.plain)] if cluster.kind == "real" else []
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cluster.make_settled, names))
        list(pool.map(other.make_settled, aside))
    print(f"\n{len(names)} rollouts with {5 * len(names)} SPAs, made in {time.monotonic() - began:.0f} s")

    rates = [plain_rate(other, aside[: len(aside) // 2])]
    servers = server_cpu()
    with running_loop(cluster) as loop:
        first = loop.first_reconciles(len(names))
        count, cpu, load = sum(cluster.requests_of(LOOP).values()), loop.cpu(), _load()
        spent = {name: seconds - servers[name] for name, seconds in server_cpu().items()}
        print(f"  first start, everything to be written: all reconciled once after {first:.1f} s at a load of {load}")
        print(f"    {count} requests, {count / first:.0f} a second; CPU per request: {_per(cpu, count)} here", end="")
        print("".join(f", {_per(seconds, count)} {name}" for name, seconds in spent.items()))
        wait(loop.queue_is_empty, "the loop comes to rest", 600.0, pause=0.25)
    rates.append(plain_rate(other, aside[len(aside) // 2 :]))
    if aside:
        told = " and ".join(f"{rate:.0f}" for rate in rates)
        seconds = count * statistics.mean(1 / rate for rate in rates)
        print(f"    a plain client, before and after: {told} of the same requests a second; all: {seconds:.1f} s")
    with running_loop(cluster) as loop:
        again = loop.first_reconciles(len(names))
        print(
            f"  restart: all reconciled once after {again:.1f} s; {loop.cpu():.1f} s of CPU; {loop.megabytes():.0f} MB"
        )
        wait(loop.queue_is_empty, "the loop comes to rest", 600.0, pause=0.25)

        asked, cpu = Counter(cluster.requests_of(LOOP)), loop.cpu()
        time.sleep(options.idle)
        idle = Counter(cluster.requests_of(LOOP)) - asked
        renewals = sum(count for key, count in idle.items() if "leases" in key)
        busy = sum(idle.values()) - renewals
        print(
            f"  idle for {options.idle:.0f} s: {busy} requests ({dict(idle)} in all), {loop.cpu() - cpu:.2f} s of CPU"
        )

        moved = min(options.moves, len(names) // 2)
        for together, some in ((10, names[:moved]), (1, names[moved : moved + moved // 4])):
            cpu = loop.cpu()
            reactions = cluster.move(some, together)
            print(f"  {len(some)} stages, {together} at once: {_per(loop.cpu() - cpu, len(some))} of CPU for each")
            for what, seconds_of in reactions.items():
                print(f"    {what}: {_spread(seconds_of)}")
        memory = loop.megabytes()
        print(f"  memory: {memory:.0f} MB, at most {loop.peak_megabytes():.0f} MB")
    missed = []
    if memory > MEGABYTES and len(names) <= MEASURED:
        missed.append(f"memory: {memory:.0f} MB, wanted at most {MEGABYTES:.0f}")
    if busy > 0:
        missed.append(f"idle requests: {busy}, wanted none")
    return missed


def plain_rate(cluster: Cluster, names: list[str]) -> float:
    """Requests per second of a client that sends what the loop would, as fast as it can; 0 without names."""
    if not names:
        return 0.0
    command = [sys.executable, "-m", "tests.bench.plain", "--kubeconfig", str(cluster.loop_kubeconfig), *names]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return plain.REQUESTS * len(names) / float(done.stdout)


def server_cpu() -> dict[str, float]:
    """Seconds of CPU so far by program, of the control planes that this process has started."""
    found = {"kube-apiserver": 0.0, "etcd": 0.0}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            if name in found and int(fields[1]) == os.getpid():
                found[name] += (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def _per(seconds: float, count: int) -> str:
    return f"{seconds / count * 1000:.2f} ms"


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"median {statistics.median(ordered) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms ({len(ordered)} times)"


# The process


class LoopUnderTest:
    """The loop as a process, looked at from outside."""

    def __init__(self, cluster: Cluster, process: Process, port: int, began: float) -> None:
        self._cluster, self._process, self._port, self._began = cluster, process, port, began

    def first_reconciles(self, count: int) -> float:
        """Seconds since the start after which so many rollouts have been looked at."""
        wait(
            lambda: self._reconciles() >= count and self.queue_is_empty(), "everything is looked at", 900.0, pause=0.25
        )
        return time.monotonic() - self._began

    def queue_is_empty(self) -> bool:
        return self._metric("stagegate_loop_queue_depth") == 0.0

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def megabytes(self) -> float:
        return self._status("VmRSS")

    def peak_megabytes(self) -> float:
        return self._status("VmHWM")

    def _status(self, key: str) -> float:
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
        return int(found.group(1)) / 1024 if found else 0.0

    def _reconciles(self) -> float:
        return self._metric('stagegate_loop_reconciles_total{kind="rollout"')

    def _metric(self, start: str) -> float:
        page = self._cluster.page(self._port)
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(start))


@contextmanager
def running_loop(cluster: Cluster) -> Iterator[LoopUnderTest]:
    """The loop under its own account, with leader election as in a cluster."""
    log = cluster.folder / f"loop-{time.monotonic_ns()}.log"
    arguments = ["loop", "--kubeconfig", str(cluster.loop_kubeconfig), "--metrics-host", "127.0.0.1"]
    arguments += ["--metrics-port", "0"]
    process = Process(arguments, log)
    try:
        began = time.monotonic()
        wait(lambda: "pages at" in log.read_text(), "the loop starts")
        found = re.search(r"pages at http://127\.0\.0\.1:(\d+)/", log.read_text())
        assert found is not None
        loop = LoopUnderTest(cluster, process, int(found.group(1)), began)
        wait(lambda: "working" in log.read_text(), "the loop leads", 600.0)
        yield loop
    finally:
        process.stop(20.0)


def _load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())
