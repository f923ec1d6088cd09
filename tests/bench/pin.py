"""What a new Revision waits for its admission, which pins its Route, one by one and many at once; what rest costs."""

import argparse
import base64
import copy
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from sandbox.demo.control_plane import client_of
from tests.admission.test_knative_objects import KNATIVE, review, revision, update
from tests.bench import machine_load
from tests.bench.cluster import wait
from tests.bench.process import megabytes_of
from tests.controlplane import ControlPlane, Unavailable
from tests.controlplane.session import Session
from tests.e2e.cluster import REGISTRATION, documents
from tests.knative.routes import floating, held_entries, hold, named, route
from tests.server.conftest import make_certificates
from tests.server.live import JSON, Live, running
from webhook.cluster.client import Client
from webhook.cluster.resource import KNATIVE_SERVICES, REVISIONS, ROUTES, Resource

USER: Final = "bench-webhook"
NAMESPACE: Final = "default"
COLLECTION: Final = f"/apis/serving.knative.dev/v1/namespaces/{NAMESPACE}/revisions"
TOGETHER: Final = 20
PIN_AT_MOST: Final = 1.0
"""Seconds at p99, of twenty at once: half of what an API server waits."""
Wire = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Print the figures, and whether they are reached; 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench pin", description=__doc__)
    parser.add_argument("--services", type=int, default=1000, metavar="N", help="opted in, at rest (%(default)s)")
    parser.add_argument("--calls", type=int, default=200, metavar="N", help="of each kind (%(default)s)")
    parser.add_argument("--idle", type=float, default=60.0, metavar="S", help="seconds of rest (%(default)s)")
    options = parser.parse_args(arguments)
    print(f"load before: {machine_load()}")
    with tempfile.TemporaryDirectory(prefix="stagegate-bench-") as name:
        folder = Path(name)
        try:
            with ControlPlane.start(folder) as plane:
                missed = _measure(plane, folder, options)
        except Unavailable as problem:
            print(f"a real API server is needed: {problem}")
            return 2
    print(f"\nload after: {machine_load()}")
    print("\n".join(f"missed: {one}" for one in missed) if missed else "every figure was reached")
    return 1 if missed else 0


def _measure(plane: ControlPlane, folder: Path, options: argparse.Namespace) -> list[str]:
    services = _make_services(client_of(plane.kubeconfig, "bench"), max(options.services, options.calls * 4))
    kubeconfig = plane.kubeconfig_for(USER, ["system:masters"])
    with running(make_certificates(folder / "certs"), folder, "--kubeconfig", str(kubeconfig)) as live:
        wait(lambda: live.metric("stagegate_knative_synced") == 1, "Knative's objects are read")
        missed = _at_rest(plane, live, options.idle, len(services))
        calls = [services[start::4][: options.calls] for start in range(4)]
        missed += _by_hand(live, calls[0], calls[1])
        _through_the_api_server(plane, live, calls[2], calls[3])
    return missed


def _make_services(client: Client, count: int) -> list[str]:
    """Opted-in Services, each with a Revision that its Route sends everything to."""
    names = [f"hello-{number:04}" for number in range(count)]

    def make(name: str) -> None:
        opted_in = {"annotations": {"stagegate.dev/progressive": "true"}}
        template = {"template": {"spec": {"containers": [{"image": "example.com/hello:1"}]}}}
        made = _create(client, KNATIVE_SERVICES, {"metadata": {"name": name, **opted_in}, "spec": template})
        _create(client, REVISIONS, {"metadata": {"name": f"{name}-00001"}, "spec": {}})
        owner = {"name": name, "uid": made["metadata"]["uid"], "controller": True}
        owner |= {"apiVersion": KNATIVE_SERVICES.api_version, "kind": KNATIVE_SERVICES.kind}
        metadata = {"name": name, "ownerReferences": [owner]}
        _create(client, ROUTES, {"metadata": metadata, "spec": {"traffic": [floating(100)]}})
        status = {"status": {"traffic": [named(f"{name}-00001", 100)]}}
        client.patch(ROUTES, NAMESPACE, name, status, "status")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(make, names))
    return names


def _create(client: Client, resource: Resource, one: Wire) -> Wire:
    return client.create(resource, NAMESPACE, {"apiVersion": resource.api_version, "kind": resource.kind, **one})


def _at_rest(plane: ControlPlane, live: Live, seconds: float, services: int) -> list[str]:
    before = _requests(plane)
    time.sleep(seconds)
    asked = _requests(plane) - before
    megabytes = megabytes_of(live.process.pid)
    print(
        f"\nat rest, {services} opted-in Services: {megabytes:.0f} MB; {asked} requests but watches in {seconds:.0f} s"
    )
    return [f"{asked} requests at rest, wanted 0"] if asked else []


def _requests(plane: ControlPlane) -> int:
    """Requests of the webhook so far, watches left out."""
    return sum(
        event.get("user", {}).get("username") == USER and event["verb"] != "watch" for event in plane.audit_events()
    )


def _by_hand(live: Live, one_by_one: Sequence[str], many: Sequence[str]) -> list[str]:
    """Reviews sent to the webhook itself, from their first byte to their answer's last."""
    print(f"\nreviews sent to the webhook, in ms\n  {'':44} {'p50':>7} {'p99':>7}")
    first = [_new_revision(name) for name in one_by_one]
    _print("a new Revision, its Route is pinned", [seconds for body in first for seconds in _answers(live, [body])])
    _print("the same once more", [seconds for body in first for seconds in _answers(live, [body])])
    held = route(held_entries(a=75, b=25), annotation=hold())
    guarded = update(held, route([floating(100)]))
    _print("a held Route is written by Knative", [seconds for _ in first for seconds in _answers(live, [guarded])])
    together: list[float] = []
    for start in range(0, len(many), TOGETHER):
        together += _answers(live, [_new_revision(name) for name in many[start : start + TOGETHER]])
    _print(f"{TOGETHER} new Revisions at once, each pinned", together)
    p99 = _percentile(together, 0.99)
    pinned = live.metric('stagegate_pins_total{result="pinned"}')
    missed = [f"{p99:.2f} s at p99 for {TOGETHER} at once, wanted {PIN_AT_MOST:g}"] if p99 > PIN_AT_MOST else []
    wanted = len(one_by_one) + len(many)
    return missed + ([f"{pinned:.0f} pins, wanted {wanted}"] if pinned != wanted else [])


def _new_revision(service: str) -> bytes:
    labels = {"serving.knative.dev/service": service}
    annotations = {"autoscaling.knative.dev/min-scale": "4"}
    return review(revision(name=f"{service}-00002", labels=labels, annotations=annotations), namespace=NAMESPACE)


def _answers(live: Live, bodies: Sequence[bytes]) -> list[float]:
    """Seconds of each call; all are sent at once, over a connection each."""
    connections = [live.connect() for _ in bodies]
    for connection in connections:
        connection.connect()

    def call(number: int) -> float:
        began = time.perf_counter()
        connections[number].request("POST", "/knative", bodies[number], JSON)
        answer = connections[number].getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began
        assert answer.status == HTTPStatus.OK, body
        return seconds

    try:
        with ThreadPoolExecutor(len(bodies)) as threads:
            return list(threads.map(call, range(len(bodies))))
    finally:
        for connection in connections:
            connection.close()


def _through_the_api_server(plane: ControlPlane, live: Live, asked: Sequence[str], alone: Sequence[str]) -> None:
    """The creation of Revisions as Knative's controller, in turns with the webhook and without it."""
    creator = plane.session(KNATIVE, ["system:masters"])

    def is_called() -> bool:
        before = live.metric('stagegate_pins_total{result="ignored"}')
        _create_revision(creator, alone[0], dryRun="All")
        return live.metric('stagegate_pins_total{result="ignored"}') > before

    with _registered(plane.admin, live):
        wait(is_called, "the webhook is called")
        with_pin = [_timed(creator, name) for name in asked]
    wait(lambda: not is_called(), "the webhook is not called any more")
    without = [_timed(creator, name) for name in alone]
    print(f"\na Revision is created through the API server, in ms\n  {'':44} {'p50':>7} {'p99':>7}")
    _print("its Route is pinned meanwhile", with_pin)
    _print("without the webhook", without)


def _create_revision(creator: Session, service: str, **query: str) -> None:
    """Create the second Revision of a Service."""
    metadata = {
        "name": f"{service}-00002",
        "labels": {"serving.knative.dev/service": service},
        "annotations": {"autoscaling.knative.dev/min-scale": "4"},
    }
    body = {"apiVersion": REVISIONS.api_version, "kind": REVISIONS.kind, "metadata": metadata, "spec": {}}
    answer = creator.create(COLLECTION, body, **query)
    assert answer.status == HTTPStatus.CREATED, answer.message


def _timed(creator: Session, service: str) -> float:
    began = time.perf_counter()
    _create_revision(creator, service)
    return time.perf_counter() - began


@contextmanager
def _registered(admin: Session, live: Live) -> Iterator[None]:
    """The registration of the manifests for Revisions, pointed at this webhook."""
    (body,) = (each for each in documents("components/stock-knative") if each["kind"] == "MutatingWebhookConfiguration")
    body = copy.deepcopy(body)
    body["webhooks"] = [each for each in body["webhooks"] if each["name"].startswith("revisions.")]
    for each in body["webhooks"]:
        authority = base64.b64encode((live.certificates / "ca.crt").read_bytes()).decode()
        each["clientConfig"] = {"url": f"https://localhost:{live.port}/knative", "caBundle": authority}
    path = f"{REGISTRATION}/mutatingwebhookconfigurations"
    answer = admin.create(path, body)
    assert answer.status == HTTPStatus.CREATED, answer.message
    try:
        yield
    finally:
        admin.delete(f"{path}/{body['metadata']['name']}")


def _percentile(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _print(what: str, seconds: Sequence[float]) -> None:
    print(f"  {what:44} {statistics.median(seconds) * 1000:7.1f} {_percentile(seconds, 0.99) * 1000:7.1f}")
