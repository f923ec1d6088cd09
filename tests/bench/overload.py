"""A webhook that is sent more than it can answer: what it refuses, and how long the others wait."""

import argparse
import json
import tempfile
from pathlib import Path

from tests.admission.reviews import request_of
from tests.admission.worst_reviews import OBJECTS
from tests.bench import machine_load
from tests.server.conftest import make_certificates
from tests.server.live import running
from tests.server.overloading import overload


def main(arguments: list[str]) -> int:
    """Exit code 1 if one answer in a hundred came later than its API server waits, or if nothing was answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench overload")
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--timeout", type=int, default=1, help="seconds that an API server waits")
    given = parser.parse_args(arguments)
    body = json.dumps(request_of(OBJECTS["full lists of one name"]())).encode()
    with tempfile.TemporaryDirectory() as folder:
        certificates = make_certificates(Path(folder) / "certs")
        with running(certificates, Path(folder), "--handshake-timeout=60", "--header-timeout=60") as server:
            context = server.client_context()
            outcome = overload(
                server.port, context, body, callers=given.callers, seconds=given.seconds, timeout=given.timeout
            )
    print(f"{given.callers} callers, reviews of {len(body) / 1024:.0f} KiB, time-out {given.timeout} s")
    print(f"{outcome}; load {machine_load()}")
    in_time = outcome.statuses[200] > 0 and outcome.percentile(200, 0.99) <= given.timeout
    return 0 if in_time and set(outcome.statuses) <= {200, 503} else 1
