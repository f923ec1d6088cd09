"""The authority's Secret: every state of the two, what one reconcile writes, and that trust is kept."""

import itertools
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from certs.authority import make_authority
from certs.bundle import read_bundle
from certs.ca_injection import CONFIGURATIONS, FIELD_MANAGER, CaInjector
from certs.controller import CertificateController, Stopped, make_controller
from certs.errors import CertificateError, StoreConflict
from certs.key_pair import prove
from certs.leaf import make_leaf
from certs.secret_store import SecretStore
from tests.certs.adapted import adapted
from tests.certs.certificate_cluster import (
    CREATE,
    CREATE_OWN,
    HOST,
    OLD,
    OLD_LEAF,
    OPTIONS,
    PATCH,
    PATCH_OWN,
    PUBLISH,
    CertificateCluster,
)
from tests.certs.former_store import FormerStore
from tests.certs.world import verifies
from tests.cluster.fake_clock import START
from webhook.cluster.client import Client
from webhook.cluster.reflector import Reflector
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request

NEW = make_authority(START, timedelta(days=900))
BOTH = NEW.certificate + OLD.certificate
SERVED = {"ca.crt": OLD.certificate, "tls.crt": OLD_LEAF.certificate, "tls.key": OLD_LEAF.key}
OWN = {"ca.crt": OLD.certificate, "ca.key": OLD.key}
Members = Mapping[str, bytes] | None


def put(cluster: CertificateCluster, name: str, members: Members) -> None:
    if members is not None:
        cluster.put(name, {key: b64encode(value).decode() for key, value in members.items()})


def cluster_of(served: Members, own: Members, published: bytes = OLD.certificate) -> CertificateCluster:
    cluster = CertificateCluster(None, published)
    put(cluster, "certs", served)
    put(cluster, "certs-authority", own)
    return cluster


class Law:
    """At every write each server is trusted, by API servers that have read each bundle and by those that read late."""

    def __init__(self, cluster: CertificateCluster) -> None:
        self.cluster = cluster
        self.heard = [(cluster.clock.monotonic(), cluster.published)]
        self.broken: list[str] = []

    def check(self, request: Request) -> None:
        if request.method == "GET":
            return
        cluster, now = self.cluster, self.cluster.clock.monotonic()
        if cluster.published != self.heard[-1][1]:
            self.heard.append((now, cluster.published))
        late = [bundle for time, bundle in self.heard if time <= now - 29] or [self.heard[0][1]]
        for bundle in (cluster.published, late[-1]):
            for leaf in (*cluster.shown.values(), self.stored_leaf()):
                if bundle and leaf and not verifies(leaf, bundle):
                    self.broken.append(f"after {request.call} a server is not trusted")

    def stored_leaf(self) -> bytes:
        """What servers show as soon as they have received it."""
        try:
            prove(self.cluster.stored.leaf)
        except CertificateError:
            return b""
        return self.cluster.stored.certificate


def come_to_rest(cluster: CertificateCluster) -> None:
    """Let time go by, and servers take what is stored."""
    for _ in range(4):
        cluster.step(31)
        cluster.serve_what_is_stored()
    assert cluster.step(5) == []
    assert cluster.error == ""
    assert cluster.data("certs").keys() == SERVED.keys()
    assert cluster.data("certs-authority").keys() == OWN.keys()
    assert cluster.data("certs")["ca.crt"] == cluster.data("certs-authority")["ca.crt"] == cluster.published
    assert len(read_bundle(cluster.published)) == 1
    assert verifies(cluster.stored.certificate, cluster.published)


ROWS: dict[str, tuple[Members, Members, list[str], str]] = {
    "in order": (SERVED, OWN, [], "old"),
    "as a former install left it": (SERVED | {"ca.key": OLD.key}, None, [CREATE_OWN, PATCH], "old"),
    "moved by half": (SERVED | {"ca.key": OLD.key}, OWN, [PATCH], "old"),
    "back from a former release": (
        SERVED | {"ca.key": OLD.key},
        {"ca.crt": NEW.certificate, "ca.key": NEW.key},
        [PATCH_OWN, PATCH, *PUBLISH],
        "another",
    ),
    "servers' deleted": (None, OWN, [CREATE], "old"),
    "servers' deleted in a rotation": (None, {"ca.crt": BOTH, "ca.key": NEW.key}, [*PUBLISH], "another"),
    "servers' authorities cut short": (SERVED | {"ca.crt": OLD.certificate[:99]}, OWN, [PATCH], "old"),
    "leaf cut short": (SERVED | {"tls.crt": OLD_LEAF.certificate[:99]}, OWN, [PATCH], "old"),
    "leaf and its key swapped": (
        SERVED | {"tls.crt": OLD_LEAF.key, "tls.key": OLD_LEAF.certificate},
        OWN,
        [PATCH],
        "old",
    ),
    "authority's deleted": (SERVED, None, [CREATE_OWN, PATCH, *PUBLISH], "another"),
    "authority's key cut short": (SERVED, OWN | {"ca.key": OLD.key[:99]}, [PATCH_OWN, PATCH, *PUBLISH], "another"),
    "authority's certificate cut short": (SERVED, OWN | {"ca.crt": OLD.certificate[:99]}, [PATCH_OWN, PATCH], "old"),
    "authority's emptied": (SERVED, {}, [PATCH_OWN, PATCH, *PUBLISH], "another"),
    "authority's key and certificate swapped": (
        SERVED,
        {"ca.crt": OLD.key, "ca.key": OLD.certificate},
        [PATCH_OWN, PATCH, *PUBLISH],
        "another",
    ),
    "authority's of another": (
        SERVED,
        {"ca.crt": NEW.certificate, "ca.key": NEW.key},
        [PATCH_OWN, PATCH, *PUBLISH],
        "another",
    ),
    "authority's key with the leaf": (SERVED | {"tls.key": OLD.key}, OWN, [PATCH], "old"),
    "a new authority by half": (SERVED, {"ca.crt": BOTH, "ca.key": NEW.key}, [PATCH, *PUBLISH], "another"),
    "another one dropped by half": (
        SERVED | {"ca.crt": OLD.certificate + NEW.certificate},
        OWN,
        [PATCH_OWN, PATCH, *PUBLISH] * 2,
        "old",
    ),
    "a first start by half": (None, OWN, [CREATE], "old"),
    "neither": (None, None, [CREATE_OWN, CREATE, *PUBLISH], "another"),
}


@pytest.mark.parametrize(("served", "own", "writes", "signs"), ROWS.values(), ids=ROWS.keys())
def test_every_state_and_what_one_look_writes(served: Members, own: Members, writes: list[str], signs: str) -> None:
    cluster = cluster_of(served, own)
    law = Law(cluster)
    cluster.api.after = law.check

    assert cluster.step() == writes

    assert ("old" if cluster.stored.ca_key == OLD.key else "another") == signs
    come_to_rest(cluster)
    assert law.broken == []


def test_a_key_that_was_moved_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    cluster = cluster_of(SERVED | {"ca.key": OLD.key}, None)
    cluster.step()
    assert (
        caplog.messages[0] == "repaired an incomplete write: the authority's key is in Secret ours/certs-authority only"
    )
    cluster.step()
    assert len([each for each in caplog.messages if "repaired" in each]) == 1


def test_nothing_is_repaired_by_one_that_was_stopped() -> None:
    cluster = cluster_of(SERVED | {"ca.key": OLD.key}, None)
    cluster.controller.stop()
    with pytest.raises(Stopped):
        cluster.step()
    assert cluster.api.writes == []


def starting(cluster: CertificateCluster) -> CertificateCluster:
    """No server shows anything yet."""
    cluster.shown = dict.fromkeys(cluster.shown)
    return cluster


def with_an_old_authority(cluster: CertificateCluster) -> CertificateCluster:
    """It is past two thirds of its life; the leaf is not."""
    cluster.clock.advance(601 * 86400)
    leaf = make_leaf(OLD, [HOST], cluster.clock.now(), timedelta(days=90))
    members = {"tls.crt": leaf.certificate, "tls.key": leaf.key}
    put(cluster, "certs", cluster.data("certs") | members)
    cluster.serve_what_is_stored()
    return cluster


FORMER = SERVED | {"ca.key": OLD.key}
STARTS: dict[str, Callable[[], CertificateCluster]] = {
    "first start": lambda: starting(cluster_of(None, None, b"")),
    "rotation": lambda: with_an_old_authority(cluster_of(SERVED, OWN)),
    "former install": lambda: cluster_of(FORMER, None),
    "former install and rotation": lambda: with_an_old_authority(cluster_of(FORMER, None)),
    "servers' deleted": lambda: cluster_of(None, OWN),
    "authority's deleted": lambda: cluster_of(SERVED, None),
    "both deleted": lambda: cluster_of(None, None),
}


class Died(Exception):
    """The end of a process, in the midst of something."""


def dies(cluster: CertificateCluster, law: Law, at: int, *, done: bool) -> bool:
    """Whether the controller came as far as that write, which is the last that it did or the first that it did not."""
    begun, ended = itertools.count(1), itertools.count(1)

    def fail(request: Request) -> None:
        if request.method != "GET" and next(begun) == at and not done:
            raise Died

    def after(request: Request) -> None:
        law.check(request)
        if request.method != "GET" and next(ended) == at and done:
            raise Died

    cluster.api.fail, cluster.api.after = fail, after
    try:
        for _ in range(4):
            cluster.step(31)
            cluster.serve_what_is_stored()
    except Died:
        return True
    return False


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_a_loop_that_dies_at_any_write_leaves_what_the_next_one_goes_on_from(
    start: Callable[[], CertificateCluster], done: bool
) -> None:
    for at in itertools.count(1):
        cluster = start()
        law = Law(cluster)
        if not dies(cluster, law, at, done=done):
            break
        cluster.api.fail, cluster.api.after = lambda request: None, law.check
        cluster.controller = cluster.new_controller()
        come_to_rest(cluster)
        assert law.broken == []
    assert law.broken == []
    assert at > 1


def test_of_two_writers_of_an_authority_the_first_wins() -> None:
    """The second has read the same; what it would have made is nowhere."""
    cluster = cluster_of(SERVED, OWN)
    store, rival = (
        SecretStore(adapted(Client(cluster.api, field_manager=FIELD_MANAGER)), "ours", "certs") for _ in range(2)
    )
    contents, version = store.read()
    rival.write(replace(contents, ca_certificates=BOTH, ca_key=NEW.key), version)
    with pytest.raises(StoreConflict, match="Secret ours/certs-authority was written by somebody else"):
        store.write(replace(contents, ca_key=b"mine"), version)
    assert cluster.stored.ca_key == NEW.key


def former(cluster: CertificateCluster) -> CertificateController:
    client = adapted(Client(cluster.api, field_manager=FIELD_MANAGER), cluster.clock)
    return CertificateController(
        FormerStore(client, "ours", "certs"),
        CaInjector(client, CONFIGURATIONS),
        lambda: cluster.shown,
        cluster.clock,
        OPTIONS,
        Supervisor(),
    )


def test_back_to_a_former_release_and_to_this_one_again() -> None:
    """There it finds no key and makes another authority, with overlap; here its own key counts again."""
    cluster = cluster_of(SERVED, OWN)
    law = Law(cluster)
    cluster.api.after = law.check
    cluster.controller = former(cluster)
    for _ in range(4):
        cluster.step(31)
        cluster.serve_what_is_stored()
    assert cluster.step(5) == []
    assert (len(read_bundle(cluster.published)), verifies(OLD_LEAF.certificate, cluster.published)) == (1, False)
    assert cluster.data("certs")["ca.key"]

    cluster.controller = cluster.new_controller()
    come_to_rest(cluster)
    assert cluster.stored.ca_key == OLD.key
    assert law.broken == []


def test_both_secrets_are_watched() -> None:
    cluster = cluster_of(SERVED, OWN)
    client = adapted(Client(cluster.api, field_manager=FIELD_MANAGER), cluster.clock)
    controller = make_controller(client, cluster.clock, "certs", CONFIGURATIONS, OPTIONS, Supervisor())
    for watch in controller.watches:
        assert isinstance(watch, Reflector)
        watch.step()
    asked = {
        request.query.get("fieldSelector") for request in cluster.api.requests if request.call.resource == "secrets"
    }
    assert asked == {"metadata.name=certs", "metadata.name=certs-authority"}
