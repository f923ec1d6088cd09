"""Command lines and files that the programs of the control plane start with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from tests.controlplane.binaries import Binaries

_CLEANING: Final = ("garbage-collector-controller", "namespace-controller", "serviceaccount-controller")
_CLIENTS: Final = "localhost:2379"

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def etcd(binaries: Binaries, directory: Path, *, durable: bool) -> list[str | Path]:
    """etcd, without syncing to disk unless ``durable``: it holds nothing that outlives a test.

    Both its ends are sockets in the folder.
    """
    # Its addresses must have a host and a port; it takes both together as a file in its working directory.
    client, peer = f"unix://{_CLIENTS}", "unix://localhost:2380"
    return [
        binaries.etcd,
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        *([] if durable else ["--unsafe-no-fsync"]),
        "--log-level=warn",
    ]


def etcd_socket(directory: Path) -> Path:
    """Where etcd listens for the API server."""
    return directory / _CLIENTS


def kube_apiserver(
    binaries: Binaries,
    directory: Path,
    port: int,
    audit_log: Path,
    plugins: Sequence[str],
    options: Sequence[str],
) -> list[str | Path]:
    """An API server with RBAC and an audit log of every request.

    ``plugins`` are admission plugins to add; ``options`` come last, so they count where one stands here, too.
    """
    policy = directory / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(AUDIT_POLICY))
    return [
        binaries.kube_apiserver,
        f"--etcd-servers=unix://{etcd_socket(directory)}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        # The port is held by the test process, so that no other process takes it meanwhile.
        "--permit-port-sharing=true",
        # Loopback is no address for other machines, and none is needed here.
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/16",
        f"--tls-cert-file={directory / 'serving.crt'}",
        f"--tls-private-key-file={directory / 'serving.key'}",
        f"--client-ca-file={directory / 'ca.crt'}",
        f"--service-account-key-file={directory / 'service-account.pub'}",
        f"--service-account-signing-key-file={directory / 'service-account.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=RBAC",
        # Pods are created without the service account that a controller manager would make first.
        "--disable-admission-plugins=ServiceAccount",
        *([f"--enable-admission-plugins={','.join(plugins)}"] if plugins else []),
        f"--audit-policy-file={policy}",
        f"--audit-log-path={audit_log}",
        # In megabytes: a log that was rotated in a long run would hide what tests look for.
        "--audit-log-maxsize=10000",
        *options,
    ]


def kube_controller_manager(
    binaries: Binaries, directory: Path, kubeconfig: Path, controllers: Sequence[str]
) -> list[str | Path]:
    """The controllers that clean up, which are garbage collection and the end of namespaces, and these."""
    return [
        binaries.manager,
        f"--kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        "--secure-port=0",
        "--leader-elect=false",
        f"--controllers={','.join([*_CLEANING, *controllers])}",
        f"--service-account-private-key-file={directory / 'service-account.key'}",
        "--use-service-account-credentials=false",
    ]
