"""The served key pair of a Secret: what is read of it, what is logged when, and what stays served."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certs.authority import make_authority
from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from certs.leaf import make_leaf
from certs.served_secret import ServedSecret
from tests.certs.adapted import adapted
from tests.cluster.fake_api import FakeApi, status_error
from tests.cluster.fake_clock import FakeClock
from webhook.cli.certs_cluster import WatchedSecret
from webhook.cluster.client import Client
from webhook.cluster.resource import SECRETS
from webhook.cluster.supervisor import Supervisor
from webhook.server.metrics import ServerMetrics

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CA = make_authority(NOW, timedelta(days=90))
FIRST, SECOND = (make_leaf(CA, ["a"], NOW, timedelta(days=30)) for _ in range(2))
EXPIRED = make_leaf(CA, ["a"], NOW, timedelta(minutes=-1))


def put(api: FakeApi, pair: KeyPair, **more: bytes) -> None:
    members = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.key": CA.key, **more}
    data = {name: b64encode(value).decode() for name, value in members.items() if value}
    api.put(SECRETS, {"metadata": {"name": "certs", "namespace": "ours"}, "data": data})


class ServingPod:
    """The key pair of Secret ours/certs. ``receive`` is one step of its watch, ``read`` one read of the server."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.api.serve(SECRETS)
        self.metrics = ServerMetrics()
        self.watch: WatchedSecret
        self.served_secret = ServedSecret(
            "ours", "certs", self.watch_secret, LiveContext(), lambda: NOW, self.metrics.read_key_pair
        )

    def watch_secret(self, namespace: str, name: str, on_contact: Callable[[], None]) -> WatchedSecret:
        client = Client(self.api, field_manager="test")
        self.watch = adapted(client, FakeClock()).watch_secret(namespace, name, on_contact)
        return self.watch

    @property
    def served(self) -> KeyPair | None:
        return self.served_secret.live.key_pair

    def receive(self) -> None:
        self.watch.reflector.step()

    def read(self) -> None:
        try:
            self.served_secret.take(self.served_secret.read())
        except CertificateError as problem:
            self.served_secret.take(None, str(problem))

    def receive_and_read(self) -> None:
        self.receive()
        self.read()


@pytest.fixture
def pod() -> ServingPod:
    return ServingPod()


def test_before_the_first_word_of_the_server_there_is_nothing_to_complain_of(
    pod: ServingPod, caplog: pytest.LogCaptureFixture
) -> None:
    pod.read()
    assert (pod.served, pod.served_secret.last_error, caplog.records) == (None, "", [])


def test_a_pair_that_is_there_is_served(pod: ServingPod) -> None:
    put(pod.api, FIRST)
    pod.receive_and_read()
    assert (pod.served, pod.served_secret.last_error) == (FIRST, "")


def test_a_secret_that_is_not_there_is_reported_once_with_the_way_out(
    pod: ServingPod, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        pod.receive_and_read()
    expected = "Secret ours/certs does not exist; it is made by: stagegate loop --cert-secret ours/certs"
    assert [record.getMessage() for record in caplog.records] == [f"no certificate to serve yet: {expected}"]
    assert pod.served_secret.last_error == expected


def test_one_that_comes_later_is_served(pod: ServingPod) -> None:
    pod.receive_and_read()
    put(pod.api, FIRST)
    pod.receive_and_read()
    assert (pod.served, pod.served_secret.last_error) == (FIRST, "")


def test_a_new_pair_is_taken(pod: ServingPod) -> None:
    put(pod.api, FIRST)
    pod.receive_and_read()
    put(pod.api, SECOND)
    pod.receive_and_read()
    assert pod.served == SECOND
    sample = pod.metrics.registry.get_sample_value
    assert sample("stagegate_certificate_pairs_total", {"result": "loaded"}) == 2
    assert sample("stagegate_certificate_pairs_total", {"result": "refused"}) == 0


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (KeyPair(b"", FIRST.key), "Secret ours/certs has no tls.crt"),
        (KeyPair(FIRST.certificate, b""), "Secret ours/certs has no tls.key"),
        (KeyPair(FIRST.certificate[:100], FIRST.key), "Secret ours/certs: the certificate is not readable PEM"),
        (
            KeyPair(SECOND.certificate, FIRST.key),
            "Secret ours/certs: the private key does not belong to the certificate",
        ),
        (KeyPair(FIRST.key, FIRST.certificate), "Secret ours/certs: the certificate is not readable PEM"),
        (EXPIRED, "Secret ours/certs: the certificate expired at 2029-12-31T23:59:00Z"),
    ],
    ids=["no tls.crt", "no tls.key", "cut short", "of two pairs", "swapped", "expired"],
)
def test_a_bad_pair_leaves_the_last_good_one_and_is_reported_once(
    pod: ServingPod, caplog: pytest.LogCaptureFixture, damaged: KeyPair, message: str
) -> None:
    put(pod.api, FIRST)
    pod.receive_and_read()
    put(pod.api, damaged)
    for _ in range(3):
        pod.receive_and_read()
    assert (pod.served, pod.served_secret.last_error) == (FIRST, message)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"the last good certificate is still served: {message}"]
    put(pod.api, SECOND)
    pod.receive_and_read()
    assert (pod.served, pod.served_secret.last_error) == (SECOND, "")


def test_a_deleted_secret_leaves_the_last_good_pair(pod: ServingPod) -> None:
    put(pod.api, FIRST)
    pod.receive_and_read()
    pod.api.remove(SECRETS, "ours", "certs")
    pod.receive_and_read()
    assert pod.served == FIRST
    assert "does not exist" in pod.served_secret.last_error


def test_an_expired_pair_is_not_served_even_where_there_is_no_other(pod: ServingPod) -> None:
    put(pod.api, EXPIRED)
    pod.receive_and_read()
    assert pod.served is None
    assert "expired" in pod.served_secret.last_error


def test_what_is_forbidden_is_named(pod: ServingPod) -> None:
    pod.api.fail = lambda request: status_error(request, 403, "Forbidden", 'cannot list resource "secrets"')
    pod.receive_and_read()
    assert (
        pod.served_secret.last_error
        == 'cannot read Secret ours/certs: list secrets ours: cannot list resource "secrets"'
    )


def test_a_server_that_is_silent_for_a_while_changes_nothing(pod: ServingPod) -> None:
    put(pod.api, FIRST)
    pod.receive_and_read()
    pod.api.fail = lambda request: status_error(request, 503, "ServiceUnavailable", "busy")
    pod.receive_and_read()
    assert (pod.served, pod.served_secret.last_error) == (FIRST, "")


def test_only_the_one_secret_is_asked_for_and_its_other_keys_are_not_kept(pod: ServingPod) -> None:
    put(pod.api, FIRST)
    pod.receive()
    assert {request.query["fieldSelector"] for request in pod.api.requests} == {"metadata.name=certs"}
    kept = pod.watch.reflector.store.get("ours", "certs")
    assert kept is not None
    assert kept["data"].keys() == {"tls.crt", "tls.key"}


def test_news_are_taken_at_once(pod: ServingPod) -> None:
    """The server's watch would list again only after an hour."""

    async def served_in_time() -> Any:
        watching = asyncio.create_task(pod.served_secret.watch(3600.0, Supervisor()))
        async with asyncio.timeout(20):
            await asyncio.to_thread(pod.receive)
            while "does not exist" not in pod.served_secret.last_error:
                await asyncio.sleep(0.01)
            put(pod.api, FIRST)
            await asyncio.to_thread(pod.receive)
            while pod.served is None:
                await asyncio.sleep(0.01)
        watching.cancel()
        return pod.served

    assert asyncio.run(served_in_time()) == FIRST
    pod.served_secret.wake()  # without a listener
