"""What a webhook keeps in memory does not grow with the reviews that it has answered."""

import asyncio
import gc
import json
import weakref
from typing import Any

from tests.admission.reviews import entry, request_of, ro, spa, stored_ro
from tests.admission.test_knative_objects import review, revision
from tests.cluster.fake_clock import FakeClock
from tests.loop.replaced_rollouts import containers
from tests.server.test_knative_handler import LIVELY, Place
from tests.server.test_protocol import Worker
from webhook.admission import RolloutCache, Settings
from webhook.server.handler import AdmissionHandler


class Busy:
    """A webhook whose every call is about other objects."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.worker = Worker()
        self.cache = RolloutCache(self.clock.monotonic)
        self.handler = AdmissionHandler(self.cache, Settings(), self.worker.metrics)
        self.worker.handler = self.handler
        self.number = 0

    def answer(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            name = f"hello-{self.number}"
            self.cache.put(stored_ro(name, targetRevisions=[entry(f"{name}-1", 100)]))
            for one in (spa({"stageMinScale": 5, "stageMaxScale": 3}, name=name), ro({}, name=name), ro(5, name=name)):
                body = json.dumps(request_of(one, uid=name)).encode()
                for path in ("/mutate", "/validate"):
                    assert self.handler.review(path, body).status == 200
            connection, _ = self.worker.connect()
            for target in (b"/mutate", b"/nothing", b"/" + name.encode()):
                connection.data_received(
                    b"POST %s?timeout=3s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" % target
                )
            connection.connection_lost(None)
            self.worker.gone.clear()
            self.cache.remove("default", name)

    def items(self) -> int:
        return sum(map(len, containers(self.handler, self.worker)))


def test_reviews_leave_nothing_behind() -> None:
    """``python -m tests.bench memory`` sends an hour's worth of calls, and looks at the process."""
    busy = Busy()
    busy.answer(20)
    before = busy.items()
    busy.answer(100)
    assert busy.items() == before


def test_the_transport_of_a_connection_that_is_lost_does_not_wait_for_garbage_collection() -> None:
    worker = Worker()
    connection, transport = worker.connect()
    transport.protocol, gone = connection, weakref.ref(transport)
    connection.data_received(b"POST /mutate HTTP/1.1\r\nHost: x\r\n")
    gc.disable()
    try:
        connection.connection_lost(None)
        worker.gone.clear()
        del connection, transport
        assert gone() is None
    finally:
        gc.enable()


def test_pins_of_many_services_leave_a_bounded_number_behind() -> None:
    place, clock = Place(), FakeClock()
    place.rate._monotonic = clock.monotonic

    def pin(first: int, count: int) -> None:
        async def ask() -> None:
            for number in range(first, first + count):
                labels = {"serving.knative.dev/service": f"s{number}"}
                body = review(revision(name=f"s{number}-1", labels=labels, annotations=LIVELY))
                answer: Any = place.handler.answer("/knative", body)
                if asyncio.isfuture(answer):
                    await answer
                clock.advance(10_000.0)
                place.api.requests.clear()

        asyncio.run(ask())

    pin(0, 1100)
    assert place.rate.remembered <= 1024
