"""A cluster whose certificates are managed: replicas of the webhook behind one address, and the loop that leads."""

import base64
import copy
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from certs.authority import is_issued_by
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError
from certs.key_pair import prove, read_certificate
from certs.probe import probe
from certs.secret_store import AUTHORITY_SUFFIX, StoredSecrets
from sandbox.demo.process import Process
from sandbox.demo.stack import LOOP, WEBHOOK, Stack
from tests.controlplane import ControlPlane
from tests.controlplane.session import Session
from tests.e2e.balancer import Balancer
from tests.e2e.cluster import REGISTRATION, SPAS, Namespace, documents, eventually, spa

NAMESPACE: Final = "stagegate-system"
SECRET: Final = f"{NAMESPACE}/stagegate-certs"
SECRETS: Final = f"/api/v1/namespaces/{NAMESPACE}/secrets"
SERVED: Final = f"{SECRETS}/stagegate-certs"
AUTHORITY: Final = SERVED + AUTHORITY_SUFFIX
PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
GIT: Final = "git"
"""The field manager of whoever applies the manifests."""
STOCK_KNATIVE: Final = "components/stock-knative"
CONFIGURATIONS: Final = (
    f"{REGISTRATION}/mutatingwebhookconfigurations/mutate.knative.stagegate.dev",
    f"{REGISTRATION}/mutatingwebhookconfigurations/mutate.stagegate.dev",
    f"{REGISTRATION}/validatingwebhookconfigurations/validate.stagegate.dev",
)
Wire = dict[str, Any]


class Replica:
    """``stagegate serve`` on an address of its own, and the Pod object that stands for it."""

    def __init__(self, plane: ControlPlane, address: str, port: int, pages: int, log: Path) -> None:
        self.backend = (address, port)
        self.pod = f"stagegate-webhook-{address.replace('.', '-')}"
        self._plane = plane
        kubeconfig = plane.kubeconfig_for(WEBHOOK)
        options = ["--host", address, "--port", str(port), "--cert-secret", SECRET, "--kubeconfig", str(kubeconfig)]
        options += ["--pages-host", address, "--pages-port", str(pages), "--drain", "2"]
        self.process = Process(["serve", *options], log)
        run_pod(plane, self.pod, address, "stagegate-webhook", https=port, http=pages)

    def shown(self) -> bytes | None:
        """The certificate (PEM) that it shows."""
        try:
            return probe(*self.backend, 5)
        except CertificateError:
            return None

    def stop(self) -> None:
        """End it in good order; its Pod goes when it has ended."""
        self.process.stop(60)
        self._plane.admin.delete(f"{PODS}/{self.pod}?gracePeriodSeconds=0")


class Certified:
    """The control plane with what the manifests install, two replicas behind a balancer, and no loop at first."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder
        self._ends = ExitStack()
        self._ends.enter_context(Stack(plane, folder)).install()
        addresses = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
        self.port, self.pages = free_port(*addresses), free_port(*addresses)
        self.replicas = [self.start_replica(address) for address in ("127.0.0.2", "127.0.0.3")]
        self.balancer = self._ends.enter_context(Balancer((each.backend for each in self.replicas), self.pages))
        registrations = [
            each for folder in (STOCK_KNATIVE, "webhooks") for each in documents(folder) if "webhooks" in each
        ]
        self.configured = [self._at_balancer(body) for body in registrations]
        self.apply_configurations()

    def close(self) -> None:
        for replica in self.replicas:
            replica.process.terminate()
        self._ends.close()

    def start_replica(self, address: str) -> Replica:
        replica = Replica(self.plane, address, self.port, self.pages, self.folder / f"serve-{address}.log")
        self._ends.callback(replica.stop)
        return replica

    def start_loop(self, *options: str) -> Process:
        """``stagegate loop`` under its own account, with a short time for API servers to receive a caBundle."""
        kubeconfig = self.plane.kubeconfig_for(LOOP)
        arguments = ["loop", "--kubeconfig", str(kubeconfig), "--cert-secret", SECRET, "--ca-settle", "1"]
        process = Process(
            [*arguments, "--webhook-port", str(self.port), *options], self.folder / f"loop-{len(self._logs())}.log"
        )
        self._ends.callback(process.stop)
        return process

    def apply_configurations(self, **client_config: str) -> None:
        """What a Git sync does."""
        for path, body in zip(CONFIGURATIONS, self.configured, strict=True):
            body = copy.deepcopy(body)
            for webhook in body["webhooks"]:
                webhook["clientConfig"] |= client_config
            answer = self.plane.admin.patch(path, body, "apply-patch+yaml", fieldManager=GIT, force="true")
            assert answer.status in (HTTPStatus.OK, HTTPStatus.CREATED), answer.message

    def configurations(self) -> list[Wire]:
        return [self.plane.admin.get(path).body for path in CONFIGURATIONS]

    def bundles(self) -> list[bytes]:
        """The caBundle that the API server trusts, by each webhook of each configuration."""
        clients = [webhook["clientConfig"] for body in self.configurations() for webhook in body["webhooks"]]
        return [base64.b64decode(client.get("caBundle", "")) for client in clients]

    def kept(self) -> StoredSecrets:
        answers = [self.plane.admin.get(path) for path in (SERVED, AUTHORITY)]
        return StoredSecrets(*(answer.body if answer.status == HTTPStatus.OK else None for answer in answers))

    def stored(self) -> Contents:
        return self.kept().contents

    def store(self, path: str = SERVED, **members: bytes | None) -> None:
        """Overwrite members of a Secret, ``tls_crt`` for tls.crt; None takes one away."""
        data = {
            name.replace("_", "."): None if value is None else base64.b64encode(value).decode()
            for name, value in members.items()
        }
        answer = self.plane.admin.patch(path, {"data": data})
        assert answer.status == HTTPStatus.OK, answer.message

    def at_rest(self) -> bool:
        """Whether what is kept is in order, and served."""
        kept = self.kept()
        return kept.is_complete and self.serves(kept.contents)

    def serves(self, contents: Contents) -> bool:
        """Whether these are whole, all clients trust their authority alone, and every replica shows their leaf.

        And is in the balancer, which looks only now and then.
        """
        return (
            is_whole(contents)
            and set(self.bundles()) == {contents.ca_certificates}
            and all(each.shown() == contents.certificate for each in self.replicas)
            and {each.backend for each in self.replicas} == set(self.balancer.admitted)
        )

    def await_rest(self) -> Contents:
        eventually(self.at_rest, 30)
        return self.stored()

    @contextmanager
    def writes(self) -> Iterator["Writers"]:
        """People write for as long as the block runs; none of the writes may fail."""
        writers = Writers(self.plane)
        try:
            yield writers
        finally:
            writers.stop()
        assert not writers.failures, (
            f"{len(writers.failures)} of {writers.done} failed, the first: {writers.failures[0]}"
        )
        assert self.balancer.refused == []

    def _at_balancer(self, body: Wire) -> Wire:
        for webhook in body["webhooks"]:
            path = webhook["clientConfig"]["service"]["path"]
            webhook["clientConfig"] = {"url": f"https://127.0.0.1:{self.balancer.port}{path}"}
        return body

    def _logs(self) -> Sequence[Path]:
        return list(self.folder.glob("loop-*.log"))


class Writers:
    """Four people who create StagePodAutoscalers, once each and without a second try.

    A write has failed where it was refused, and where nothing was filled in: a mutating call that fails is ignored.
    """

    def __init__(self, plane: ControlPlane) -> None:
        self.done = 0
        self.failures: list[str] = []
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        sessions = [plane.session(f"writer-{number}") for number in range(4)]
        self._threads = [threading.Thread(target=self._write, args=(each,), daemon=True) for each in sessions]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self, session: Session) -> None:
        path = Namespace("default").path(SPAS)
        with session:
            while not self._stopped.is_set():
                with self._lock:
                    self.done += 1
                    name = f"written-{secrets.token_hex(4)}-{self.done}"
                try:
                    answer = session.create(path, spa(name))
                    labels = answer.body["metadata"].get("labels", {})
                    problem = "" if labels else answer.message or "nothing was filled in"
                except Exception as failure:
                    problem = repr(failure)
                if problem:
                    self.failures.append(f"{name}: {problem}")


def is_whole(stored: Contents) -> bool:
    """Whether there is one authority, its key, and a leaf of it with its key."""
    signer = signing_authority(stored)
    try:
        leaf = prove(stored.leaf)
    except CertificateError:
        return False
    alone = signer is not None and signer.certificate == stored.ca_certificates
    return alone and is_issued_by(leaf, read_certificate(stored.ca_certificates))


def run_pod(plane: ControlPlane, name: str, address: str, of: str, **ports: int) -> None:
    """Create a Pod that stands for a process of this machine, running and ready; ``of`` is its Deployment."""
    created = plane.admin.create(PODS, pod_of(name, of, **ports))
    assert created.status == HTTPStatus.CREATED, created.message
    ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": ready}
    answer = plane.admin.patch(f"{PODS}/{name}/status", {"status": status})
    assert answer.status == HTTPStatus.OK, answer.message


def pod_of(name: str, of: str, **ports: int) -> Wire:
    container = {
        "name": of.removeprefix("stagegate-"),
        "image": "stagegate",
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/name": of, "app.kubernetes.io/part-of": "stagegate"},
        },
        "spec": {
            "serviceAccountName": of,
            "nodeName": "here",
            "containers": [container],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }


def free_port(*addresses: str) -> int:
    """A port that is free at each of these addresses."""
    while True:
        with ExitStack() as held:
            port = 0
            try:
                for address in addresses:
                    listener = held.enter_context(socket.socket())
                    listener.bind((address, port))
                    port = listener.getsockname()[1]
            except OSError:
                continue
            return port
