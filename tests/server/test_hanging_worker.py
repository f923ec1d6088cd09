"""A worker whose event loop hangs: the arbiter replaces it, its log says where, and the new one counts it."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.server.live import Live, eventually, running
from tests.server.reviews import GOOD, review, spa
from tests.server.test_worker import worker_of

HANG: Final = '''
"""A rule that never ends for one object, and an arbiter with little patience."""

import time

from webhook.admission import judgement
from webhook.server import application

usual, settings = judgement.bounds_of, application.settings_for


def a_rule_without_end(spec):
    while spec and spec.get("stageMinScale") == 77:
        time.sleep(0.1)
    return usual(spec)


judgement.bounds_of = a_rule_without_end
application.settings_for = lambda *given: settings(*given) | {"timeout": 3}
'''

REPLACED: Final = 'stagegate_faults_total{loop="worker"}'


@pytest.fixture
def live(certificates: Path, tmp_path: Path) -> Iterator[Live]:
    (tmp_path / "sitecustomize.py").write_text(HANG)
    with running(certificates, tmp_path, environment={"PYTHONPATH": str(tmp_path)}) as server:
        yield server


def test_it_is_replaced_and_its_log_says_where_it_hung(live: Live) -> None:
    first = worker_of(live)
    assert live.metric(REPLACED) == 0
    with live.tls() as client:
        body = review(spa(stageMinScale=77))
        head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        client.sendall(head % len(body) + body)
        eventually(lambda: "WORKER TIMEOUT" in live.log.read_text(), "the arbiter misses its heartbeats")
    eventually(lambda: live.answers(GOOD), "a new worker answers")
    assert worker_of(live) != first
    assert "in a_rule_without_end" in live.log.read_text()
    eventually(lambda: is_counted(live, 1), "the new one counts it")
    assert live.get("/healthz").body == b"ok\n"


def is_counted(live: Live, times: int) -> bool:
    """Whether so many workers were replaced; no page is served in between."""
    with suppress(OSError):
        return live.metric(REPLACED) == times
    return False


def test_each_worker_that_ends_counts(live: Live) -> None:
    for count in (1, 2):
        os.kill(worker_of(live), signal.SIGKILL)
        eventually(partial(is_counted, live, count), f"{count} were replaced")
