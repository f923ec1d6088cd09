"""Footprints: measured of a real process, and judged by their means."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from tests.soak.footprint import Sample, growth, sample
from tests.waiting import eventually

SECONDS = 100.0
MIB = 2**20


def samples(early: int, late: int, descriptors: tuple[int, int] = (40, 40)) -> list[Sample]:
    """One a second: the first tenth is small, then ``early``, and ``late`` (MiB) in the last tenth."""
    whole = [(1, 10)] * 10 + [(early, descriptors[0])] * 80 + [(late, descriptors[1])] * 10
    return [Sample(float(at), resident * MIB, count) for at, (resident, count) in enumerate(whole)]


@pytest.mark.parametrize(
    ("found", "has_grown"),
    [
        pytest.param(samples(100, 105), False, id="within 5 percent"),
        pytest.param(samples(100, 106), True, id="memory"),
        pytest.param(samples(100, 100, (40, 42)), False, id="descriptors within 5 percent"),
        pytest.param(samples(100, 100, (40, 43)), True, id="descriptors"),
        pytest.param(samples(100, 100, (10, 11)), False, id="a connection of a pool"),
        pytest.param(samples(100, 100, (10, 12)), True, id="more than a pool opens"),
        pytest.param(samples(100, 50, (40, 10)), False, id="it has shrunk"),
    ],
)
def test_what_has_grown(found: list[Sample], has_grown: bool) -> None:
    assert bool(growth(found, SECONDS)) == has_grown


@pytest.mark.parametrize(
    ("opened_at", "has_grown"),
    [
        pytest.param([30, 30], False, id="a pool opens two more, and keeps them"),
        pytest.param([60, 60], True, id="two more in the second half"),
        pytest.param([30, 60, 90], True, id="one more now and then"),
    ],
)
def test_descriptors_that_came_before_the_middle_and_no_more_since_are_no_growth(
    opened_at: list[int], has_grown: bool
) -> None:
    found = [Sample(one.at, one.resident, 23 + sum(at <= one.at for at in opened_at)) for one in samples(100, 100)]
    assert bool(growth(found, SECONDS)) == has_grown


@pytest.mark.parametrize(("every", "has_grown"), [(3, False), (2, True)])
def test_a_burst_is_no_growth_and_what_is_there_half_of_the_time_is(every: int, has_grown: bool) -> None:
    calm = samples(100, 100)
    late = [Sample(one.at, one.resident, 40 + 30 * (int(one.at) % every == 0)) for one in calm[90:]]
    assert bool(growth([*calm[:90], *late], SECONDS)) == has_grown


def test_connections_that_clients_keep_are_no_descriptors_until_they_close_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        before = sample(os.getpid(), 1.0, port)
        with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0]:
            kept = sample(os.getpid(), 2.0, port)
            client.close()
            eventually(lambda: not sample(os.getpid(), 3.0, port).clients, "the connection is half closed")
            forgotten = sample(os.getpid(), 3.0, port)
    assert (kept.descriptors - before.descriptors, kept.clients) == (1, 1)
    assert (forgotten.descriptors - before.descriptors, forgotten.clients) == (1, 0)


def test_a_soak_that_ended_early_has_not_grown() -> None:
    assert growth(samples(100, 200)[:50], SECONDS) == []


def test_what_was_measured_is_named() -> None:
    (problem,) = growth(samples(100, 120), SECONDS)
    assert problem == "100.0 MiB, 40 descriptors in the second tenth, and 120.0 MiB, 40 descriptors in the last"


def test_the_children_of_a_process_count() -> None:
    before = sample(os.getpid(), 1.0)
    script = "import sys; x = bytearray(32 * 2**20); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        after = sample(os.getpid(), 2.0)
        child.communicate()
    assert after.resident - before.resident > 30 * MIB
    assert after.descriptors >= before.descriptors + 3


def test_threads_that_end_meanwhile_do_no_harm() -> None:
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            threading.Thread(target=lambda: None).start()

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        assert all(sample(os.getpid(), float(number)).resident > 0 for number in range(200))
    finally:
        over.set()
        churning.join()
