"""The controller: the cluster before, one reconcile, what was written, and what is logged."""

import logging
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from certs.authority import make_authority
from certs.bundle import read_bundle
from certs.ca_injection import CONFIGURATIONS, FIELD_MANAGER, CaInjector
from certs.contents import Contents
from certs.controller import CertificateController, ControllerOptions, Stopped
from certs.key_pair import KeyPair, prove
from certs.leaf import hosts_of, make_leaf
from certs.rotation import RotationPolicy, renewal_time
from certs.secret_store import SecretStore, StoredSecrets, split
from tests.certs.adapted import adapted
from tests.certs.test_ca_injection import configuration
from tests.cluster.fake_api import FakeApi, status_error
from tests.cluster.fake_clock import START, FakeClock
from webhook.cluster.client import Client
from webhook.cluster.resource import MUTATING_WEBHOOKS, PODS, SECRETS, VALIDATING_WEBHOOKS
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request

MUTATE, VALIDATE, _ = CONFIGURATIONS
HOST = "hook.ours.svc"
CREATE, PATCH = "create secrets ours/certs", "patch secrets ours/certs"
CREATE_OWN, PATCH_OWN = "create secrets ours/certs-authority", "patch secrets ours/certs-authority"
PUBLISH = [
    f"patch mutatingwebhookconfigurations {MUTATE}",
    f"patch validatingwebhookconfigurations {VALIDATE}",
]
OLD = make_authority(START, timedelta(days=900))
OLD_LEAF = make_leaf(OLD, [HOST], START, timedelta(days=90))
GOOD = Contents(OLD.certificate, OLD.key, OLD_LEAF.certificate, OLD_LEAF.key)
OPTIONS = ControllerOptions(
    "ours", policy=RotationPolicy(settle=timedelta(seconds=30)), again=5.0, at_most=600.0, finish=0.2
)


class CertificateCluster:
    """Both Secrets of ours/certs, both configurations, and two servers; each shows what ``shown`` says."""

    def __init__(self, stored: Contents | None = GOOD, published: bytes = GOOD.ca_certificates) -> None:
        self.api = FakeApi()
        self.api.serve(SECRETS, PODS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
        self.clock = FakeClock()
        self.shown: dict[str, bytes | None] = dict.fromkeys(("a", "b"), OLD_LEAF.certificate)
        self.publish(published)
        if stored is not None:
            self.store(stored)
        self.controller = self.new_controller()

    def new_controller(self, servers: Callable[[], Any] | None = None) -> CertificateController:
        cluster = adapted(Client(self.api, field_manager=FIELD_MANAGER), self.clock)
        return CertificateController(
            SecretStore(cluster, "ours", "certs"),
            CaInjector(cluster, CONFIGURATIONS),
            servers or (lambda: self.shown),
            self.clock,
            OPTIONS,
            Supervisor(self.clock.monotonic),
        )

    def store(self, contents: Contents) -> None:
        served, own = split(contents)
        del served["ca.key"]
        self.put("certs", served)
        if contents.ca_key:
            self.put("certs-authority", own)

    def put(self, name: str, data: dict[str, Any]) -> None:
        self.api.put(SECRETS, {"metadata": {"name": name, "namespace": "ours"}, "data": data})

    def data(self, name: str) -> dict[str, bytes]:
        """The members of a Secret."""
        return {key: b64decode(value) for key, value in self.api.objects[SECRETS.path(), "ours", name]["data"].items()}

    def publish(self, bundle: bytes) -> None:
        for resource, name in ((MUTATING_WEBHOOKS, MUTATE), (VALIDATING_WEBHOOKS, VALIDATE)):
            client = {"service": {"name": "hook", "namespace": "ours"}, "caBundle": b64encode(bundle).decode()}
            self.api.put(resource, configuration(name, client))

    def serve_what_is_stored(self) -> None:
        self.shown = dict.fromkeys(self.shown, self.stored.certificate)

    @property
    def stored(self) -> Contents:
        return StoredSecrets(*(self.api.get(SECRETS, "ours", name) for name in ("certs", "certs-authority"))).contents

    @property
    def published(self) -> bytes:
        one = self.api.get(VALIDATING_WEBHOOKS, "", VALIDATE)
        assert one is not None
        return b64decode(one["webhooks"][0]["clientConfig"]["caBundle"])

    def step(self, seconds: float = 0.0) -> list[str]:
        """What one reconcile wrote, so many seconds later."""
        self.clock.advance(seconds)
        self.api.writes.clear()
        self.wait = self.controller.reconcile()
        return self.api.written()

    @property
    def error(self) -> str:
        assert self.controller.state is not None
        return self.controller.state.error


def test_the_first_start_ends_with_a_leaf_at_once() -> None:
    cluster = CertificateCluster(stored=None, published=b"")
    assert cluster.step() == [CREATE_OWN, CREATE, *PUBLISH, PATCH]
    assert cluster.published == cluster.stored.ca_certificates
    assert hosts_of(prove(cluster.stored.leaf)) == {HOST}
    assert (cluster.wait, cluster.error) == (600.0, "")


def test_at_rest_nothing_is_written() -> None:
    cluster = CertificateCluster()
    assert (cluster.step(), cluster.wait, cluster.error) == ([], 600.0, "")


def test_a_leaf_that_is_due_is_made() -> None:
    cluster = CertificateCluster()
    assert cluster.step(61 * 86400) == [PATCH]
    assert cluster.stored.ca_key == OLD.key


def test_a_wait_is_over_when_it_says_and_not_before() -> None:
    cluster = CertificateCluster()
    due = renewal_time(prove(OLD_LEAF))
    cluster.step((due - START).total_seconds() - 100)
    assert cluster.wait == 100


def test_an_authority_is_rotated_without_a_gap() -> None:
    """The new one is published beside the old; a leaf of it after the time to settle; then the old one goes."""
    cluster = CertificateCluster()
    assert cluster.step(601 * 86400) == [PATCH_OWN, PATCH, *PUBLISH]
    assert [read_bundle(cluster.published)[1:], cluster.wait] == [read_bundle(OLD.certificate), 30.0]
    assert cluster.step(29) == []
    assert cluster.step(1) == [PATCH]
    assert (len(read_bundle(cluster.published)), cluster.wait) == (2, 3.0)
    cluster.shown["a"] = cluster.stored.certificate
    assert cluster.step(3) == []
    cluster.shown["b"] = cluster.stored.certificate
    assert cluster.step(3) == [PATCH_OWN, PATCH, *PUBLISH]
    assert (len(read_bundle(cluster.published)), cluster.published) == (1, cluster.stored.ca_certificates)


@pytest.mark.parametrize("skew", [-1800, 86400])
def test_a_clock_that_is_set_does_not_shorten_the_time_to_settle(skew: float) -> None:
    cluster = CertificateCluster()
    cluster.step(601 * 86400)
    cluster.clock.skew = skew
    assert cluster.step(10) == []
    assert cluster.wait == 20.0
    assert cluster.step(20) == [PATCH]


def test_a_leader_that_takes_over_waits_as_long_once_more() -> None:
    """The time since clients received a bundle is not computed from another machine's clock."""
    cluster = CertificateCluster()
    cluster.step(601 * 86400)
    cluster.controller = cluster.new_controller()
    assert cluster.step(29) == []
    assert cluster.step(30) == [PATCH]


def test_a_deleted_secret_is_made_anew_and_what_is_served_stays_trusted() -> None:
    cluster = CertificateCluster(stored=None)
    assert cluster.step() == [CREATE_OWN, CREATE, *PUBLISH]
    assert read_bundle(OLD.certificate)[0] in read_bundle(cluster.published)
    assert cluster.stored.certificate == b""
    assert cluster.step(30) == [PATCH]
    cluster.serve_what_is_stored()
    assert cluster.step(5) == [PATCH_OWN, PATCH, *PUBLISH]
    assert len(read_bundle(cluster.published)) == 1


def test_a_bundle_that_was_taken_away_is_published_again() -> None:
    cluster = CertificateCluster(published=b"")
    assert cluster.step() == PUBLISH
    assert cluster.published == GOOD.ca_certificates


def test_without_any_configuration_the_leaf_stays_for_whom_it_is() -> None:
    cluster = CertificateCluster()
    for resource, name in ((MUTATING_WEBHOOKS, MUTATE), (VALIDATING_WEBHOOKS, VALIDATE)):
        cluster.api.remove(resource, "", name)
    assert cluster.step() == []


def test_without_configurations_and_leaf_it_is_for_the_service_of_a_plain_install() -> None:
    cluster = CertificateCluster(stored=None)
    for resource, name in ((MUTATING_WEBHOOKS, MUTATE), (VALIDATING_WEBHOOKS, VALIDATE)):
        cluster.api.remove(resource, "", name)
    assert cluster.step() == [CREATE_OWN, CREATE, PATCH]
    assert hosts_of(prove(cluster.stored.leaf)) == {"stagegate-webhook.ours.svc"}


def forbid(*plurals: str) -> Callable[[Request], Any]:
    """Refuse what concerns these resources."""

    def fail(request: Request) -> Any:
        verb, plural = request.call.verb, request.call.resource
        message = f'User "loop" cannot {verb} resource "{plural}"'
        return status_error(request, 403, "Forbidden", message) if plural in plurals else None

    return fail


@pytest.mark.parametrize(
    ("plural", "message"),
    [
        ("secrets", 'cannot read Secret ours/certs: get secrets ours/certs: User "loop" cannot get resource "secrets"'),
        (
            "mutatingwebhookconfigurations",
            f'get mutatingwebhookconfigurations {MUTATE}: User "loop" cannot get resource "{MUTATING_WEBHOOKS.plural}"',
        ),
    ],
)
def test_what_is_forbidden_is_named_reported_once_and_tried_again(
    plural: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = CertificateCluster()
    cluster.api.fail = forbid(plural)
    for _ in range(3):
        cluster.step(5)
    assert (cluster.error, cluster.wait) == (message, 5.0)
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot reconcile the certificates in Secret ours/certs: {message}"
    ]

    cluster.api.fail = lambda request: None
    cluster.step(5)
    assert cluster.error == ""
    assert cluster.controller.state is not None
    assert cluster.controller.state.last_errors == {(plural, "Forbidden"): START + timedelta(seconds=15)}


def test_an_error_leaves_the_ends_that_were_known() -> None:
    cluster = CertificateCluster()
    cluster.step()
    before = cluster.controller.state
    cluster.api.fail = forbid("secrets")
    cluster.step()
    assert before is not None
    assert cluster.controller.state is not None
    assert cluster.controller.state.leaf_not_after == before.leaf_not_after == prove(OLD_LEAF).not_valid_after_utc


def test_while_there_is_no_leaf_its_end_is_not_known() -> None:
    cluster = CertificateCluster(stored=None)
    cluster.step()
    assert cluster.controller.state is not None
    assert (cluster.controller.state.leaf_not_after, cluster.controller.state.authorities, cluster.error) == (
        None,
        2,
        "",
    )


def test_what_is_waited_for_is_reported_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    cluster = CertificateCluster()
    for _ in range(3):
        cluster.step()
    assert len(caplog.records) == 1
    cluster.step(601 * 86400)
    assert [record.getMessage() for record in caplog.records][1:3] == [
        "new authority: the authority is past two thirds of its life",
        "publication: clients do not read the stored bundle",
    ]
    assert "PRIVATE" not in caplog.text


def test_of_two_that_start_at_once_one_wins_and_the_other_takes_what_won() -> None:
    cluster = CertificateCluster(stored=None, published=b"")
    both_have_read = threading.Barrier(2)
    first_reads = iter(range(2))

    def meet(request: Request) -> None:
        if str(request.call) == CREATE_OWN and next(first_reads, None) is not None:
            cluster.api.lock.release()
            both_have_read.wait(20)
            cluster.api.lock.acquire()

    cluster.api.fail = meet
    controllers = [cluster.controller, cluster.new_controller()]
    threads = [threading.Thread(target=controller.reconcile) for controller in controllers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert [controller.state and controller.state.error for controller in controllers] == ["", ""]
    assert cluster.api.written().count(CREATE_OWN) == 2
    assert len(read_bundle(cluster.stored.ca_certificates)) == 1
    assert cluster.published == cluster.stored.ca_certificates
    prove(cluster.stored.leaf)
    assert cluster.step() == []


def test_one_that_was_overtaken_publishes_nothing_old() -> None:
    """It has read the store; then another one stores and publishes a newer bundle."""
    cluster = CertificateCluster(published=b"")
    newer = make_authority(START, timedelta(days=900))
    bundle = newer.certificate + OLD.certificate
    overtaken: list[int] = []

    def overtake(request: Request) -> None:
        if str(request.call) == PUBLISH[0] and not overtaken:
            overtaken.append(1)
            cluster.store(Contents(bundle, newer.key, OLD_LEAF.certificate, OLD_LEAF.key))
            cluster.publish(bundle)

    cluster.api.fail = overtake
    cluster.step()
    assert cluster.published == bundle


@pytest.fixture
def running() -> Iterator[CertificateCluster]:
    cluster = CertificateCluster()
    yield cluster
    cluster.controller.stop()


def until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(2000):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("not within 20 s")


def test_it_looks_when_it_is_woken(running: CertificateCluster) -> None:
    running.controller.start()
    until(lambda: running.controller.state is not None)
    running.publish(b"")
    running.controller.wake()
    until(lambda: running.published == GOOD.ca_certificates)


def test_a_bug_is_reported_and_tried_again(running: CertificateCluster, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("oops")

    running.publish(GOOD.ca_certificates + make_authority(START, timedelta(days=1)).certificate)
    running.controller = running.new_controller(broken)
    running.controller.start()
    until(lambda: bool(caplog.records))
    assert running.error == "oops"
    assert running.controller.state is not None
    assert list(running.controller.state.last_errors) == [("certificates", "ZeroDivisionError")]
    assert all(record.exc_info for record in caplog.records), "logged whole"


def test_one_that_does_not_lead_does_nothing_and_says_nothing(running: CertificateCluster) -> None:
    leads = True
    running.publish(b"")
    running.controller._leads = lambda: leads
    running.controller.start()
    until(lambda: running.published == GOOD.ca_certificates)
    leads = False
    running.controller.wake()
    until(lambda: running.controller.state is None)
    running.publish(b"")
    running.controller.wake()
    until(lambda: not running.controller._awake.is_set())
    assert running.published == b""
    leads = True
    running.controller.wake()
    until(lambda: running.published == GOOD.ca_certificates)


def test_its_end_waits_for_no_server_and_nothing_is_written_after_it() -> None:
    cluster = CertificateCluster()
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> dict[str, bytes | None]:
        asked.set()
        go_on.wait(20)
        return dict.fromkeys(("a", "b"), OLD_LEAF.certificate)

    extra = make_authority(START, timedelta(days=900))
    cluster.publish(GOOD.ca_certificates + extra.certificate)
    cluster.shown["a"] = make_leaf(extra, [HOST], START, timedelta(days=9)).certificate
    cluster.controller = cluster.new_controller(slow)
    cluster.controller.start()
    assert asked.wait(20)
    cluster.controller.stop()
    go_on.set()
    until(lambda: not any(thread.name == "certificates" for thread in threading.enumerate()))
    assert cluster.api.writes == []


def test_one_that_is_to_stop_begins_nothing() -> None:
    cluster = CertificateCluster(stored=None)
    cluster.controller.stop()
    with pytest.raises(Stopped):
        cluster.step()
    assert cluster.api.writes == []


def test_a_pair_of_another_kind_that_somebody_put_there_is_kept_trusted() -> None:
    """As cert-manager leaves it: a leaf, its authority, and no key of that."""
    cluster = CertificateCluster(stored=Contents(OLD.certificate, b"", OLD_LEAF.certificate, OLD_LEAF.key))
    assert cluster.step() == [CREATE_OWN, PATCH, *PUBLISH]
    assert cluster.stored.leaf == KeyPair(OLD_LEAF.certificate, OLD_LEAF.key)
    assert read_bundle(OLD.certificate)[0] in read_bundle(cluster.published)
