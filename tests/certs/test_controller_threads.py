"""Threads of the controller: two at once, one that is woken, that fails, that does not lead, and that ends."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from certs.authority import make_authority
from certs.bundle import read_bundle
from certs.contents import Contents
from certs.controller import Stopped
from certs.key_pair import prove
from certs.leaf import make_leaf
from tests.certs.certificate_cluster import CREATE_OWN, GOOD, HOST, OLD, OLD_LEAF, PUBLISH, CertificateCluster
from tests.cluster.fake_clock import START
from tests.waiting import eventually
from webhook.cluster.transport import Request


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


# In its own thread


@pytest.fixture
def running() -> Iterator[CertificateCluster]:
    cluster = CertificateCluster()
    yield cluster
    cluster.controller.stop()


def test_it_looks_when_it_is_woken(running: CertificateCluster) -> None:
    running.controller.start()
    eventually(lambda: running.controller.state is not None, "the first reconcile")
    running.publish(b"")
    running.controller.wake()
    eventually(lambda: running.published == GOOD.ca_certificates, "the bundle is published")


def test_it_looks_when_the_clock_was_set(running: CertificateCluster) -> None:
    running.controller.start()
    eventually(lambda: running.controller.state is not None, "the first reconcile")
    before = running.stored.certificate
    running.clock.skew = 61 * 86400
    eventually(lambda: running.stored.certificate != before, "the leaf that is due by now is made")


def test_a_bug_is_reported_and_tried_again(running: CertificateCluster, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("oops")

    running.publish(GOOD.ca_certificates + make_authority(START, timedelta(days=1)).certificate)
    running.controller = running.new_controller(broken)
    running.controller.start()
    eventually(lambda: caplog.records, "a line in the log")
    assert running.error == "oops"
    assert running.controller.state is not None
    assert list(running.controller.state.last_errors) == [("certificates", "ZeroDivisionError")]
    assert all(record.exc_info for record in caplog.records), "logged whole"


def test_one_that_does_not_lead_does_nothing_and_says_nothing(running: CertificateCluster) -> None:
    leads = True
    running.publish(b"")
    running.controller._leads = lambda: leads
    running.controller.start()
    eventually(lambda: running.published == GOOD.ca_certificates, "the bundle is published")
    leads = False
    running.controller.wake()
    eventually(lambda: running.controller.state is None, "it does not lead")
    running.publish(b"")
    running.controller.wake()
    eventually(lambda: not running.controller._awake.is_set(), "it has woken")
    assert running.published == b""
    leads = True
    running.controller.wake()
    eventually(lambda: running.published == GOOD.ca_certificates, "the bundle is published")


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
    eventually(lambda: "certificates" not in [one.name for one in threading.enumerate()], "its thread ends")
    assert cluster.api.writes == []


def test_one_that_is_to_stop_begins_nothing() -> None:
    cluster = CertificateCluster(stored=None)
    cluster.controller.stop()
    with pytest.raises(Stopped):
        cluster.step()
    assert cluster.api.writes == []
