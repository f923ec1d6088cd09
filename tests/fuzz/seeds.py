"""The inputs that a run begins with: reviews of the other tests, and requests of every shape."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.admission.reviews import LOOP, PERSON, UPSTREAM, complete_spa, request_of, ro, spa
from tests.admission.test_knative_objects import HELD, revision, update
from tests.admission.test_knative_objects import review as knative_review
from tests.corpus.files import FILES, read
from tests.fuzz.streams import EVENTS, HONEST, MOST_CLIENTS, PIECES, TURNS, Input
from tests.knative.routes import floating, route


def reviews() -> Iterator[bytes]:
    """Inputs of the target ``reviews``: each object of the corpus at one path, updates, and Knative's objects."""
    for kind in sorted(FILES):
        for number, row in enumerate(read(kind)):
            path = (b"/mutate", b"/validate")[number % 2]
            yield path + b"\n" + json.dumps(request_of(row.object)).encode()
    for path, body in _updates():
        yield path + b"\n" + json.dumps(body).encode()
    annotations = {"autoscaling.knative.dev/min-scale": "4", "autoscaling.knative.dev/max-scale": "8"}
    for body in (
        knative_review(revision(annotations=annotations)),
        knative_review(revision(), dryRun=True),
        update(HELD, route([floating(100)])),
        update(route(), HELD),
        update(HELD, route([floating(100)]), LOOP),
        knative_review({}, "services"),
    ):
        yield b"/knative\n" + body


def _updates() -> Iterator[tuple[bytes, Any]]:
    before, after = complete_spa(), complete_spa(maximum=12)
    yield b"/mutate", request_of(after, old=before, user=PERSON)
    yield b"/validate", request_of(after, old=before, user=UPSTREAM)
    yield b"/mutate", request_of(spa(generateName="hello-", name=None))
    yield b"/validate", request_of(before, old=before, operation="DELETE")
    targets = {"targetRevisions": [{"revisionName": "hello-00002", "percent": 100, "minScale": 2}]}
    steered = {"stagegate.dev/pause": "true", "stagegate.dev/pause-after-stage": "2", "stagegate.dev/abort": "now"}
    yield b"/mutate", request_of(ro(targets, annotations=steered), old=ro(targets))
    overridden = {"stagegate.dev/override": "RO013,SPA001"}
    yield b"/mutate", request_of(ro({}, annotations=overridden))


_TYPED = b"Host: x\r\nContent-Type: application/json\r\n"


def requests() -> list[bytes]:
    """Single requests, most of them good."""
    return [
        HONEST,
        b"POST /mutate?timeout=3s HTTP/1.1\r\n" + _TYPED + b"Content-Length: 5\r\n\r\nhello",
        b"POST /knative HTTP/1.1\r\n" + _TYPED + b"Content-Length: 5\r\n\r\nhello",
        b"POST /validate HTTP/1.1\r\n" + _TYPED + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"POST /validate HTTP/1.1\r\n"
        + _TYPED
        + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
        b"POST /validate HTTP/1.1\r\n" + _TYPED + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /validate HTTP/1.0\r\n" + _TYPED + b"Content-Length: 5\r\n\r\nhello",
        b"POST /validate HTTP/1.1\r\nConnection: close\r\n" + _TYPED + b"Content-Length: 5\r\n\r\nhello",
        b"POST /validate HTTP/1.1\r\n" + _TYPED + b"Content-Length: 301\r\n\r\n" + b"x" * 301,
        b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD /mutate HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /" + b"x" * 130 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 9 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 210 + b"\r\n\r\n",
    ]


LARGE: Final = b"POST /mutate?timeout=3s HTTP/1.1\r\n" + _TYPED + b"Content-Length: 300\r\n\r\n" + b"x" * 300
"""A body as large as one can be; two take more than all the memory of large bodies."""


def turn(client: int) -> int:
    """The step that makes it this client's turn."""
    return PIECES + client


def event(number: int) -> int:
    """The step that is this event."""
    return TURNS + number


def streams() -> Iterator[bytes]:
    """Inputs of the target ``streams``: single requests, whole, in bytes and with events between; and some clients."""
    singles = requests()
    for number, request in enumerate(singles):
        yield Input(b"", [request]).together()
        yield Input(b"\0" * 20, [request]).together()
        yield Input(bytes([30, number, 9]), [request + singles[number - 1]]).together()
        yield Input(bytes([30, turn(1), number, turn(0), 9]), [request, singles[number - 1]]).together()
    together = b"".join(singles[:5])
    for speaks_tls in (False, True):
        for number in range(len(EVENTS)):
            yield Input(bytes([150, event(number), 150, event(number)]), [together], speaks_tls).together()
            yield crowded(event(number), speaks_tls=speaks_tls)
        yield crowded(speaks_tls=speaks_tls)
        yield crowded(*range(event(0), event(len(EVENTS))), speaks_tls=speaks_tls)


def crowded(*steps: int, speaks_tls: bool = False) -> bytes:
    """Clients that together send more than there is memory for, then these steps, then the rest of the bodies."""
    # All of a TLS client's hello, and most of what follows it; an older TLS takes one turn more.
    pieces = (PIECES - 1, 128) if speaks_tls else (124,)
    rounds = [step for client in range(MOST_CLIENTS) for step in (turn(client), *pieces)] + [turn(1), pieces[-1]]
    return Input(bytes([*rounds, *steps]), [LARGE] * MOST_CLIENTS, speaks_tls).together()
