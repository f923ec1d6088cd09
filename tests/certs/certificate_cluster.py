"""A cluster with certificates: both Secrets, both configurations, the servers, and the controller."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from certs.authority import make_authority
from certs.ca_injection import CONFIGURATIONS, FIELD_MANAGER, CaInjector
from certs.contents import Contents
from certs.controller import CertificateController, ControllerOptions
from certs.leaf import make_leaf
from certs.rotation import RotationPolicy
from certs.secret_store import SecretStore, StoredSecrets, split
from tests.certs.adapted import adapted
from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import START, FakeClock
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.resource import MUTATING_WEBHOOKS, PODS, SECRETS, VALIDATING_WEBHOOKS
from webhook.cluster.supervisor import Supervisor

MUTATE, VALIDATE, _ = CONFIGURATIONS
HOST = "hook.ours.svc"
SERVICE = {"service": {"name": "hook", "namespace": "ours", "path": "/mutate", "port": 443}}
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
    "ours", policy=RotationPolicy(settle=timedelta(seconds=30)), again=5.0, at_most=600.0, look=0.05, finish=0.2
)


def configuration(name: str, client: Wire | None = None, **metadata: Any) -> Wire:
    """A webhook configuration of ours with one webhook."""
    webhook = {"name": name, "clientConfig": client or SERVICE, "failurePolicy": "Fail"}
    return {"metadata": {"name": name, "uid": f"uid-{name}", **metadata}, "webhooks": [webhook]}


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
