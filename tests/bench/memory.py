"""Memory: an hour's worth of calls of the webhook, and 10,000 rollouts of the loop, as fast as they can."""

import argparse
import http.client
import json
import os
import tempfile
from pathlib import Path
from typing import Final

from tests.admission.reviews import entry, request_of, ro, spa
from tests.bench import machine_load
from tests.loop.replaced_rollouts import Succession
from tests.server.conftest import make_certificates
from tests.server.live import JSON, Live, running
from tests.soak.footprint import GROWTH, Sample, sample

_TENTHS: Final = 10
_CALLS_OF_A_CONNECTION: Final = 50


def main(arguments: list[str]) -> int:
    """Exit code 1 if the memory of either is above that of its second tenth by more than 5 percent at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench memory")
    parser.add_argument("--calls", type=int, default=36_000, help="ten a second, for an hour")
    parser.add_argument("--rollouts", type=int, default=10_000)
    given = parser.parse_args(arguments)
    print(f"load {machine_load()}")
    return max(webhook(given.calls), loop(given.rollouts))


def webhook(calls: int) -> int:
    """Reviews of other objects each time, in new connections again and again."""
    with tempfile.TemporaryDirectory() as folder:
        certificates = make_certificates(Path(folder) / "certs")
        with running(certificates, Path(folder), "--log-level=warning") as server:
            samples = []
            for part in range(_TENTHS):
                send(server, part * calls // _TENTHS, (part + 1) * calls // _TENTHS)
                samples.append(sample(server.process.pid, part))
                print(f"webhook, {(part + 1) * calls // _TENTHS} calls: {samples[-1]}", flush=True)
    return judged("webhook", samples)


def send(server: Live, first: int, end: int) -> None:
    connection = server.connect()
    for number in range(first, end):
        if number % _CALLS_OF_A_CONNECTION == 0:
            connection.close()
            connection = server.connect()
        answer(connection, number)
    connection.close()


def answer(connection: http.client.HTTPSConnection, number: int) -> None:
    name = f"hello-{number:05d}"
    rollout = ro({"targetRevisions": [entry(f"{name}-{each}", 5) for each in range(number % 30)]}, name=name)
    one = rollout if number % 2 else spa({"stageMinScale": number % 7, "stageMaxScale": 3}, name=name)
    path = "/mutate?timeout=3s" if number % 4 < 2 else "/validate?timeout=3s"
    connection.request("POST", path, json.dumps(request_of(one, uid=name)), JSON)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise AssertionError(f"{path} was answered with {response.status}")


def loop(rollouts: int) -> int:
    """Rollouts that come, are complete, and are deleted, ten at a time, on an API server in this process."""
    succession, samples, items = Succession(), [], []
    for part in range(_TENTHS):
        while succession.replaced < (part + 1) * rollouts // _TENTHS:
            succession.replace()
        samples.append(sample(os.getpid(), part))
        items.append(succession.items())
        print(f"loop, {succession.replaced} rollouts: {samples[-1]}, {items[-1]} items in its containers", flush=True)
    return max(judged("loop", samples), int(items[-1] > items[1]))


def judged(what: str, samples: list[Sample]) -> int:
    """Exit code 1 if the last is above the second by more than 5 percent."""
    early, late = samples[1], samples[-1]
    has_grown = late.resident > early.resident * GROWTH or late.descriptors > early.descriptors
    print(f"{what}: {early} after the second tenth, {late} at the end: {'it grows' if has_grown else 'no growth'}")
    return int(has_grown)
