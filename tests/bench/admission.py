"""Answers to admission calls per core: ours beside others, interleaved in one run, as ratios."""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from certs.directory import DirectoryStore
from certs.renewal import renew
from certs.rotation import RotationPolicy
from tests.bench import fixed_answer, flask_app, machine_load
from tests.bench.contender import Contender, Unavailable, function, knative, kopf, ours, started
from tests.bench.load import Result, http_call, press
from tests.server.reviews import review, spa
from webhook.admission import EmptyLookup, Settings, examine

SERVER_CORE: Final = 0
CLIENT_CORE: Final = 1
OURS: Final = "stagegate"
FIXED: Final = "stagegate, fixed answer"
"""What the server costs without a decision: no webhook on it can be faster."""
AT_LEAST: Final = {"knative (go), log info": 4.0, "kopf": 15.0}
"""Our calls per core to theirs, at least, as the median of several runs."""
CALLS: Final = {
    "/mutate": review({"apiVersion": "serving.knative.dev/v1", "kind": "StagePodAutoscaler",
                       "metadata": {"name": "hello-00001", "namespace": "default",
                                    "labels": {"serving.knative.dev/service": "hello"}},
                       "spec": {"stageMinScale": 1, "stageMaxScale": 3}}),
    "/validate": review(spa(stageMinScale=1, stageMaxScale=3)),
}  # fmt: skip
"""An object that is filled in, and a complete one that passes."""


def main(arguments: list[str]) -> int:
    """Print a table for each path, and whether the figures are reached; 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench admission", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="times each contender has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="length of a turn")
    parser.add_argument("--connections", type=int, default=8, metavar="N", help="kept open, one call each at a time")
    parser.add_argument("--without", nargs="+", default=[], choices=("knative", "kopf"), help="leave these out")
    options = parser.parse_args(arguments)
    if (os.cpu_count() or 1) < 2:
        print("two cores are needed: one for the server, one for the client")
        return 2
    os.sched_setaffinity(0, {CLIENT_CORE})
    print(f"load before: {machine_load()}; server on core {SERVER_CORE}, client on core {CLIENT_CORE}")
    print(f"Python {platform.python_version()} at {os.path.realpath(sys.executable)}")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        certificates = Path(folder)
        renew(DirectoryStore(certificates), ["localhost", "127.0.0.1"], datetime.now(UTC), RotationPolicy())
        contenders = _contenders(options.without)
        running = {each.name: stack.enter_context(started(each, certificates)) for each in contenders}
        missed = []
        for path in CALLS:
            results = _measure(path, contenders, running, options)
            _print_table(path, results)
            missed += _missed(path, results)
    print(f"\nload after: {machine_load()}")
    print("\n".join(missed) if missed else "every figure was reached")
    return 1 if missed else 0


def _contenders(left_out: list[str]) -> list[Contender]:
    paths = {path: path for path in CALLS}
    answers = {path: examine(body, path, EmptyLookup(), Settings()) for path, body in CALLS.items()}
    contenders = [
        ours(SERVER_CORE),
        Contender(FIXED, function(fixed_answer.serve, answers, core=SERVER_CORE), paths),
        Contender("flask, gthread", function(flask_app.serve, core=SERVER_CORE), paths),
    ]
    others = {
        "knative": [partial(knative, SERVER_CORE, "info"), partial(knative, SERVER_CORE, "error")],
        "kopf": [partial(kopf, SERVER_CORE)],
    }
    for name, makers in others.items():
        try:
            contenders += [make() for make in makers if name not in left_out]
        except Unavailable as problem:
            print(f"not measured: {name}: {problem}")
    return contenders


def _measure(
    path: str, contenders: list[Contender], running: dict[str, tuple[int, int]], options: argparse.Namespace
) -> dict[str, list[Result]]:
    """Turn by turn, each round in another order, so that a slow minute of the machine is everybody's."""
    taking_part = [each for each in contenders if path in each.paths]
    calls = {each.name: http_call(each.paths[path], CALLS[path]) for each in taking_part}
    results: dict[str, list[Result]] = {each.name: [] for each in taking_part}
    for number in range(options.rounds + 1):
        shift = number % len(taking_part)
        for each in taking_part[shift:] + taking_part[:shift]:
            result = press(*running[each.name], calls[each.name], options.connections, options.seconds)
            if number:
                results[each.name].append(result)
    return results


def _print_table(path: str, results: dict[str, list[Result]]) -> None:
    turns_of_ours = results[OURS]
    print(f"\n{path}: medians of {len(turns_of_ours)} turns, best turn in brackets; ratios are ours to theirs")
    print(f"  {'server':24} {'calls/s':>8} {'p50 ms':>7} {'p99 ms':>7}   {'calls per core second':22} ratio per core")
    for name, turns in results.items():
        rate, per_core = (statistics.median(values) for values in zip(*map(_rates, turns), strict=True))
        p50, p99 = (statistics.median(turn.percentile(share) for turn in turns) * 1000 for share in (0.5, 0.99))
        best = max(turn.rate_per_core for turn in turns)
        ratio, best_ratio = _ratios(turns_of_ours, turns)
        cores = f"{per_core:.0f} ({best:.0f})"
        print(f"  {name:24} {rate:8.0f} {p50:7.2f} {p99:7.2f}   {cores:22} {ratio:.2f} ({best_ratio:.2f})")


def _ratios(ours: list[Result], theirs: list[Result]) -> tuple[float, float]:
    """Calls per core second, ours to theirs: the median within a round, and best turn to best turn.

    What else runs on the machine disturbs the caches of all; the best turns are those that were disturbed least.
    """
    within = [our.rate_per_core / their.rate_per_core for our, their in zip(ours, theirs, strict=True)]
    best = max(our.rate_per_core for our in ours) / max(their.rate_per_core for their in theirs)
    return statistics.median(within), best


def _missed(path: str, results: dict[str, list[Result]]) -> list[str]:
    missed = []
    for name, least in AT_LEAST.items():
        if name in results:
            ratio, best_ratio = _ratios(results[OURS], results[name])
            if ratio < least:
                figures = f"{ratio:.2f} times {name} ({best_ratio:.2f} in the best turns)"
                missed.append(f"missed: {path}: {figures}, wanted {least:g}")
    return missed


def _rates(result: Result) -> tuple[float, float]:
    return result.rate, result.rate_per_core
