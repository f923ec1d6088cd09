"""From a release that kept the authority's key beside the leaf to this one and back, while people write."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus

import pytest

from certs.ca_injection import CONFIGURATIONS, FIELD_MANAGER, CaInjector
from certs.contents import Contents
from certs.controller import CertificateController, ControllerOptions
from certs.rotation import RotationPolicy
from certs.serving_pods import SELECTOR, ServingPods, prober
from sandbox.demo.control_plane import client_of
from sandbox.demo.stack import LOOP
from tests.certs.adapted import adapted
from tests.certs.former_store import FormerStore
from tests.controlplane import Binaries, ControlPlane
from tests.e2e.certified import AUTHORITY, NAMESPACE, SERVED, Certified, Wire
from tests.e2e.cluster import documents, eventually
from webhook.cluster.clock import SystemClock
from webhook.cluster.supervisor import Supervisor


@pytest.fixture
def cluster(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    with ControlPlane.start(binaries=binaries) as plane:
        cluster = Certified(plane, tmp_path_factory.mktemp("certified"))
        try:
            yield cluster
        finally:
            cluster.close()


class Former:
    """The certificates as a former release manages them."""

    def __init__(self, cluster: Certified) -> None:
        self.cluster = cluster
        client = adapted(client_of(cluster.plane.kubeconfig_for(LOOP), FIELD_MANAGER))
        self.store = FormerStore(client, NAMESPACE, "stagegate-certs")
        options = ControllerOptions(
            NAMESPACE, port=cluster.port, policy=RotationPolicy(settle=timedelta(seconds=1)), again=1.0
        )
        servers = ServingPods(client, NAMESPACE, SELECTOR, prober(cluster.port)).shown
        self.controller = CertificateController(
            self.store, CaInjector(client, CONFIGURATIONS), servers, SystemClock(), options, Supervisor()
        )

    @contextmanager
    def leads(self) -> Iterator[None]:
        self.controller.start()
        try:
            yield
        finally:
            self.controller.stop()

    def await_rest(self) -> Contents:
        eventually(lambda: self.cluster.serves(self.store.read()[0]), 30)
        return self.store.read()[0]


def members(cluster: Certified, path: str) -> set[str]:
    answer = cluster.plane.admin.get(path)
    return set(answer.body["data"]) if answer.status == HTTPStatus.OK else set()


def install_roles(cluster: Certified, *, former: bool) -> None:
    """Those of the certificates; a former release's do not have a Secret of the authority's own."""
    for role in (each for each in documents("rbac") if each["kind"] == "Role"):
        rules = [without_authority(rule) if former else rule for rule in role["rules"]]
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles/{role['metadata']['name']}"
        answer = cluster.plane.admin.patch(path, {"rules": rules})
        assert answer.status == HTTPStatus.OK, answer.message


def without_authority(rule: Wire) -> Wire:
    """A rule without the Secret with the authority's key."""
    names = rule.get("resourceNames")
    hidden = AUTHORITY.rpartition("/")[2]
    return rule if names is None else rule | {"resourceNames": [each for each in names if each != hidden]}


def test_there_and_back_and_no_write_fails(cluster: Certified) -> None:
    install_roles(cluster, former=True)
    with Former(cluster).leads():
        before = Former(cluster).await_rest()
    assert (members(cluster, SERVED), members(cluster, AUTHORITY)) == (
        {"ca.crt", "ca.key", "tls.crt", "tls.key"},
        set(),
    )

    with cluster.writes():
        install_roles(cluster, former=False)
        loop = cluster.start_loop()
        upgraded = cluster.await_rest()
        loop.stop()
    assert upgraded == before
    assert (members(cluster, SERVED), members(cluster, AUTHORITY)) == (
        {"ca.crt", "tls.crt", "tls.key"},
        {"ca.crt", "ca.key"},
    )

    install_roles(cluster, former=True)
    with cluster.writes(), Former(cluster).leads():
        eventually(lambda: "ca.key" in members(cluster, SERVED), 30)
        gone_back = Former(cluster).await_rest()
    assert gone_back.ca_key != before.ca_key

    with cluster.writes():
        install_roles(cluster, former=False)
        loop = cluster.start_loop()
        again = cluster.await_rest()
        loop.stop()
    assert again.ca_key == before.ca_key
    assert members(cluster, SERVED) == {"ca.crt", "tls.crt", "tls.key"}

    refused = [
        event["requestURI"]
        for event in cluster.plane.audit_events()
        if event["user"]["username"] == LOOP and event["responseStatus"]["code"] == HTTPStatus.FORBIDDEN
    ]
    assert refused == []
