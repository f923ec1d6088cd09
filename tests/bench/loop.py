"""What the companion loop costs: API writes per stage, start, memory, idle requests, reaction; on a real API server."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from sandbox.demo.stack import LOOP
from tests.bench import machine_load, plain
from tests.bench.cluster import Cluster, control_plane_of, wait
from tests.bench.process import running_loop, server_cpu
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS

UPSTREAM: Final = {
    "SPA specs": 6.7,
    "RO status": 3.0,
    "conflicts": 0.4,
    "pod lists": 0.6,
    "Events": 1.3,
}
"""Requests per stage of upstream's controllers, where they were counted."""
AT_MOST: Final = {
    "SPA specs": 2.25,
    "RO specs": 1.0,
    "RO status": 3.0,
    "needless SPA status": 0.0,
    "conflicts": 0.0,
    "pod lists": 0.0,
    "Events": 4.0,
}
"""Ours, at most: two SPA specs per stage, one more in the first of the four that a rollout has here."""
PLAIN: Final = 0.75
"""The rate of requests for new rollouts, compared with a client that only sends them, at least."""
MEGABYTES: Final = 150.0
MEASURED: Final = 1000
"""Rollouts up to which that holds."""


def main(arguments: list[str]) -> int:
    """Print the figures, and whether they are reached; 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench loop", description=__doc__)
    parser.add_argument("--control-plane", choices=("auto", "sandbox", "real"), default="auto")
    parser.add_argument("--rollouts", type=int, default=1000, metavar="N", help="with five SPAs each (%(default)s)")
    parser.add_argument("--moves", type=int, default=100, metavar="N", help="rollouts that go on among them")
    parser.add_argument(
        "--rounds", type=int, default=6, metavar="N", help="beside a plain client, 0: none (%(default)s)"
    )
    parser.add_argument("--idle", type=float, default=60.0, metavar="S", help="seconds of rest (%(default)s)")
    options = parser.parse_args(arguments)
    print(f"load before: {machine_load()}")
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="stagegate-bench-") as folder, ExitStack() as ends:
        cluster = ends.enter_context(control_plane_of(options.control_plane, Path(folder)))
        print(f"API server: {cluster.kind}")
        missed += writes_per_stage(cluster)
        if options.rounds and cluster.kind == "real":
            with control_plane_of("real", Path(folder)) as other:
                missed += beside_plain(cluster, other, options.rounds)
        if options.rollouts:
            missed += at_scale(ends.enter_context(control_plane_of(options.control_plane, Path(folder))), options)
    print(f"\nload after: {machine_load()}")
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
            # The last versions may not have been received yet.
            wait(lambda: cluster.status_changes(STAGE_POD_AUTOSCALERS, version) >= counts["SPA status"], "", 5.0)
    # The people's own writes: one RO each.
    counts["RO specs"] -= services
    counts["needless SPA status"] = counts["SPA status"] - cluster.status_changes(STAGE_POD_AUTOSCALERS, version)
    kinds = ("SPA specs", "RO specs", "RO status", "SPA status", "needless SPA status", "conflicts", "pod lists")
    figures = {kind: counts[kind] for kind in kinds} | {"Events": counts["events"]}
    print(f"\nAPI requests per stage, from the API server's metrics: {stages} stages of {services} rollouts")
    print(f"{cluster.pods.ended} pods have ended meanwhile")
    print(f"  {'':20} {'ours':>6} {'upstream':>9}")
    for what, count in figures.items():
        upstream = f"{UPSTREAM[what]:.1f}" if what in UPSTREAM else "-"
        print(f"  {what:20} {count / stages:6.2f} {upstream:>9}")
    missed = [
        f"{what}: {figures[what] / stages:.2f} per stage, wanted at most {most:g}"
        for what, most in AT_MOST.items()
        if figures[what] / stages > most
    ]
    # Each stage has these writes, so that a count of 0 means that the API server's metrics were not read.
    return missed + [f"{what}: none was counted" for what in ("SPA specs", "RO status") if not figures[what]]


# Beside a plain client


def beside_plain(cluster: Cluster, other: Cluster, rounds: int, each: int = 40) -> list[str]:
    """In turns: the loop begins some rollouts, and a client that decides nothing sends the same to another server.

    What else a machine has to do changes from minute to minute, so that only what was measured side by side compares.
    """
    ratios, rates = [], []
    for turn in range(rounds):
        names = [f"turn-{turn}-{number}" for number in range(each)]
        for one in (cluster, other):
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(one.make_settled, names))
        plainly = plain_rate(other, names)
        with running_loop(cluster) as loop:
            began = time.monotonic()
            loop.first_reconciles((turn + 1) * each)
            rates.append(loop.requests() / (time.monotonic() - began))
            ratios.append(rates[-1] / plainly)
            wait(loop.queue_is_empty, "the loop comes to rest")
    print(f"\nnew rollouts, {each} at once, in {rounds} turns with a plain client on 16 connections")
    print(f"  the loop: median {statistics.median(rates):.0f} requests a second", end="")
    ratio = statistics.median(ratios)
    print(f", {ratio:.2f} of the plain client's ({min(ratios):.2f} to {max(ratios):.2f})")
    return [f"new rollouts: {ratio:.2f} of the plain client's rate, wanted {PLAIN:g}"] if ratio < PLAIN else []


def plain_rate(cluster: Cluster, names: list[str]) -> float:
    """Requests per second of a client that sends what the loop would, as fast as it can."""
    command = [sys.executable, "-m", "tests.bench.plain", "--kubeconfig", str(cluster.loop_kubeconfig), *names]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return plain.REQUESTS * len(names) / float(done.stdout)


# At scale


def at_scale(cluster: Cluster, options: argparse.Namespace) -> list[str]:
    """Many rollouts, nearly all of them at rest."""
    names = [f"service-{number}" for number in range(options.rollouts)]
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cluster.make_settled, names))
    print(f"\n{len(names)} rollouts with {5 * len(names)} SPAs, made in {time.monotonic() - began:.0f} s")

    servers = server_cpu()
    with running_loop(cluster) as loop:
        first = loop.first_reconciles(len(names))
        count, cpu, load = loop.requests(), loop.cpu(), machine_load()
        spent = {name: seconds - servers[name] for name, seconds in server_cpu().items()}
        print(f"  first start, everything to be written: all reconciled once after {first:.1f} s at a load of {load}")
        print(f"    {count} requests, {count / first:.0f} a second; CPU per request: {_per(cpu, count)} here", end="")
        print("".join(f", {_per(seconds, count)} {name}" for name, seconds in spent.items() if seconds))
        wait(loop.queue_is_empty, "the loop comes to rest", 600.0, pause=0.25)
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
    if not asked:
        missed.append("requests: none was counted")
    return missed


def _per(seconds: float, count: int) -> str:
    return f"{seconds / count * 1000:.2f} ms"


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"median {statistics.median(ordered) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms ({len(ordered)} times)"
