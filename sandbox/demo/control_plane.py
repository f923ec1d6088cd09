"""Control planes that the demo runs on: the sandbox, a real kube-apiserver of its own, or a cluster that is named."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import yaml

from webhook.api.wire import Wire
from webhook.cli.cluster import connected, exit_code_of
from webhook.cli.errors import MISSING, USAGE, CommandError
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.resource import (
    POD_AUTOSCALERS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
    Resource,
)

REAL: Final = "real"
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_TOKEN_SECONDS: Final = 3600


class ControlPlane(Protocol):
    """An API server, and kubeconfig files for those who talk to it."""

    @property
    def url(self) -> str: ...
    @property
    def kubeconfig(self) -> Path:
        """That of an administrator."""
        ...

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """That of this user; a service account, ``system:serviceaccount:NAMESPACE:NAME``, has its groups by itself."""
        ...


def client_of(kubeconfig: Path, field_manager: str = "stagegate-demo", *, dry_run: bool = False) -> Client:
    """A client for the current context of a kubeconfig. Nothing is sent yet. Raises CommandError."""
    transport = connected(str(kubeconfig), user_agent=field_manager, pool_size=16)
    return Client(transport, field_manager=field_manager, dry_run=dry_run)


@contextmanager
def sandbox(directory: Path) -> Iterator[ControlPlane]:
    """A sandbox in this process."""
    from sandbox import Sandbox

    with Sandbox(directory / "sandbox") as running:
        yield running


@contextmanager
def real(directory: Path) -> Iterator[ControlPlane]:
    """A kube-apiserver and etcd of the demo's own, those of the tests."""
    from tests import controlplane

    try:
        running = controlplane.ControlPlane.start(directory, controller_manager=True)
    except controlplane.Unavailable as problem:
        raise CommandError(str(problem), MISSING) from problem
    with running:
        yield running


@contextmanager
def named(directory: Path, kubeconfig: Path, context: str) -> Iterator[ControlPlane]:
    """The cluster of one context of a kubeconfig, as its user; it must serve none of the kinds the demo brings."""
    try:
        cluster = NamedCluster(directory, kubeconfig, context)
        client = client_of(cluster.kubeconfig)
        client.get_path("/version")
        present = [resource for resource in _OURS if _is_served(client, resource)]
    except ApiError as problem:
        raise CommandError(f"context {context} of {kubeconfig}: {problem}", exit_code_of(problem)) from problem
    if present:
        raise CommandError(
            f"context {context} already serves {present[0].full_name}, and the demo would disturb what uses it; "
            "name a cluster without Knative and Stagegate, or leave --context out to run on this machine alone"
        )
    yield cluster


_OURS: Final = (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, POD_AUTOSCALERS, REVISIONS)


class NamedCluster:
    """One context of a kubeconfig. Service accounts are given tokens that end within an hour."""

    def __init__(self, directory: Path, kubeconfig: Path, context: str) -> None:
        self._directory = directory
        self._document = _only(kubeconfig, context)
        self.url: str = self._document["clusters"][0]["cluster"].get("server", "")
        self.kubeconfig = self._write("kubeconfig", self._document)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Raises CommandError for other users than service accounts; ``groups`` follow from the account."""
        namespace, _, name = user.removeprefix(_SERVICE_ACCOUNT).partition(":")
        if not user.startswith(_SERVICE_ACCOUNT) or not name:
            raise CommandError(f"{user}: only service accounts can be had in a named cluster")
        tokens = Resource("", "v1", f"serviceaccounts/{name}/token", "TokenRequest")
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {},
            "spec": {"expirationSeconds": _TOKEN_SECONDS},
        }
        token = client_of(self.kubeconfig).create(tokens, namespace, request)["status"]["token"]
        document = self._document | {"users": [{"name": self._user, "user": {"token": token}}]}
        return self._write(f"kubeconfig-{namespace}-{name}", document)

    @property
    def _user(self) -> str:
        name: str = self._document["contexts"][0]["context"].get("user", "")
        return name

    def _write(self, name: str, document: Wire) -> Path:
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path


def _only(kubeconfig: Path, context: str) -> Wire:
    """A kubeconfig with that context alone, its files named by absolute paths."""
    try:
        document = yaml.safe_load(kubeconfig.read_text())
        chosen = next(entry for entry in document["contexts"] if entry["name"] == context)
        named = {"clusters": chosen["context"]["cluster"], "users": chosen["context"].get("user", "")}
        parts = {key: [entry for entry in document.get(key) or () if entry["name"] == named[key]] for key in named}
    except OSError as problem:
        raise CommandError(f"cannot read {kubeconfig}: {problem.strerror}", USAGE) from problem
    except StopIteration as problem:
        known = ", ".join(entry["name"] for entry in document["contexts"]) or "none"
        raise CommandError(f"{kubeconfig} has no context {context}; it has: {known}", USAGE) from problem
    except yaml.YAMLError as problem:
        raise CommandError(f"{kubeconfig}: not a kubeconfig: it is not YAML", USAGE) from problem
    except (KeyError, TypeError) as problem:
        raise CommandError(f"{kubeconfig}: not a kubeconfig: contexts or their members are missing", USAGE) from problem
    if not parts["clusters"]:
        raise CommandError(f"{kubeconfig}: context {context} names no cluster of this file", USAGE)
    for member in (parts["clusters"][0]["cluster"], *(entry["user"] for entry in parts["users"])):
        for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
            if key in member:
                member[key] = str((kubeconfig.parent / member[key]).resolve())
    for plugin in (entry["user"].get("exec") for entry in parts["users"]):
        if plugin and os.sep in plugin.get("command", ""):
            plugin["command"] = str((kubeconfig.parent / plugin["command"]).resolve())
    return {"apiVersion": "v1", "kind": "Config", "contexts": [chosen], "current-context": context, **parts}


def _is_served(client: Client, resource: Resource) -> bool:
    try:
        served = client.get_path(resource.group_path)
    except NotFound:
        return False
    return any(entry["name"] == resource.plural for entry in served["resources"])
