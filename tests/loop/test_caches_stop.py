"""The informers end together, also while an API server keeps their requests waiting."""

import threading
import time
from typing import Any

from webhook.cluster.client import Client
from webhook.cluster.clock import SystemClock
from webhook.cluster.transport import Request
from webhook.loop.caches import Caches

SECONDS = 0.5


class Stuck:
    """An API server that responds to nothing until ``released``."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked = threading.Semaphore(0)

    def send(self, request: Request) -> Any:
        self.asked.release()
        self.released.wait()
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    def stream(self, request: Request) -> Any:
        raise NotImplementedError


def test_informers_that_hang_are_waited_for_together() -> None:
    server = Stuck()
    caches = Caches(Client(server, field_manager="test"), SystemClock(), lambda resource, change: None)
    caches.start()
    hanging = sum(len(cache.reflectors) for cache in caches)
    for _ in range(hanging):
        assert server.asked.acquire(timeout=60)
    started = time.monotonic()
    caches.stop(SECONDS)
    took = time.monotonic() - started
    server.released.set()
    assert hanging > 8
    assert SECONDS <= took < hanging * SECONDS
