"""Flux: the real kustomize-controller, and repositories whose revisions it is given."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.process import Program
from tests.e2e.gitops.artifacts import Artifacts, Files
from tests.e2e.standing import eventually
from tests.rig.rig import create

Wire = dict[str, Any]

NAMESPACE: Final = "flux-system"
ACCOUNT: Final = f"system:serviceaccount:{NAMESPACE}:kustomize-controller"
INSTALLER: Final = f"system:serviceaccount:{NAMESPACE}:stagegate-installer"
ROLLOUTS: Final = f"system:serviceaccount:{NAMESPACE}:rollouts"
"""The accounts that Kustomizations name."""
MANAGER: Final = "kustomize-controller"
"""The field manager of what is applied."""
_OPTIONS: Final = (
    "--watch-all-namespaces",
    "--enable-leader-election=false",
    "--requeue-dependency=2s",
    "--interval-jitter-percentage=0",
    # It opens no port.
    "--metrics-addr=0",
    "--health-addr=0",
)
_REPOSITORIES: Final = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories"
_KUSTOMIZATIONS: Final = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/kustomizations"


class Flux:
    """At work while it is entered. Each Kustomization has a repository of its own, of the same name."""

    def __init__(
        self, plane: ControlPlane, folder: Path, program: Path, definitions: Sequence[Path], *options: str
    ) -> None:
        """Its log lies in ``folder``."""
        self._plane = plane
        self._admin = plane.admin
        self._folder = folder
        self._command: list[str | Path] = [program, *_OPTIONS, *options]
        self._ends = ExitStack()
        self._requests = itertools.count(1)
        plane.register_crds(definitions)
        for each in _granted():
            answer = create(plane.admin, each)
            assert answer.status == HTTPStatus.CREATED, answer.message

    def __enter__(self) -> Self:
        self.artifacts = self._ends.enter_context(Artifacts())
        environment = {"KUBECONFIG": str(self._plane.kubeconfig_for(ACCOUNT)), "RUNTIME_NAMESPACE": NAMESPACE}
        self.program = Program(self._command, self._folder / "kustomize-controller.log", environment)
        self._ends.callback(self.program.kill)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def commit(self, name: str, files: Files) -> None:
        """Make these files the newest revision of a repository."""
        artifact = self.artifacts.pack(files)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        kept = {**artifact._asdict(), "path": artifact.url.rpartition("/")[2], "lastUpdateTime": now}
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": now}
        self._apply(_REPOSITORIES, _repository(name))
        answer = self._admin.patch(
            f"{_REPOSITORIES}/{name}/status", {"status": {"artifact": kept, "conditions": [ready]}}
        )
        assert answer.status == HTTPStatus.OK, answer.message

    def sync(self, name: str, path: str = "./", **spec: Any) -> None:
        """Have a repository applied from now on; ``spec`` is added to that of the Kustomization."""
        body = {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": name},
            "spec": {
                "interval": "1h",
                "retryInterval": "2s",
                "path": path,
                "prune": True,
                "timeout": "2m",
                "sourceRef": {"kind": "GitRepository", "name": name},
                **spec,
            },
        }
        self._apply(_KUSTOMIZATIONS, body)

    def request(self, name: str) -> str:
        """Ask for a pass, and do not wait; the answer stands in ``lastHandledReconcileAt`` once it is done."""
        number = f"pass-{next(self._requests)}"
        annotations = {"reconcile.fluxcd.io/requestedAt": number}
        answer = self._admin.patch(f"{_KUSTOMIZATIONS}/{name}", {"metadata": {"annotations": annotations}})
        assert answer.status == HTTPStatus.OK, answer.message
        return number

    def passes(self, name: str, times: int = 1) -> None:
        """Have it pass once more, or so many times, whatever comes of it."""
        for _ in range(times):
            self.await_passed(name, self.request(name))

    def await_passed(self, name: str, number: str) -> None:
        """Until the pass that was asked for is over."""
        self._await(name, lambda status: status.get("lastHandledReconcileAt") == number, f"{number} is over")

    def await_ready(self, name: str) -> None:
        """Until the newest revision is applied, and healthy where that is waited for."""
        revision = self._newest(name)
        self._await(
            name,
            lambda status: (
                status.get("lastAppliedRevision") == revision and condition(status, "Ready")["status"] == "True"
            ),
            "it is Ready",
        )

    def await_failure(self, name: str, text: str = "") -> str:
        """Until the newest revision has failed with this text in the message; the message."""
        revision = self._newest(name)
        self._await(
            name,
            lambda status: (
                status.get("lastAttemptedRevision") == revision
                and condition(status, "Ready")["status"] == "False"
                and text in condition(status, "Ready")["message"]
            ),
            f"it has failed: {text}",
        )
        return condition(self.status(name), "Ready")["message"]

    def await_message(self, name: str, text: str) -> None:
        """Until the condition Ready says so."""
        self._await(name, lambda status: text in condition(status, "Ready")["message"], text)

    def awaits_health(self, name: str) -> bool:
        """True while what was applied is not healthy yet and has not failed either."""
        status = self.status(name)
        return all(condition(status, each)["status"] == "Unknown" for each in ("Ready", "Healthy"))

    def status(self, name: str) -> Wire:
        """The status of a Kustomization; empty where there is none."""
        status: Wire = self._get(f"{_KUSTOMIZATIONS}/{name}").get("status") or {}
        return status

    def remove(self, name: str) -> None:
        """Delete a Kustomization with what it has applied, and its repository; harmless where there is none."""
        self._admin.delete(f"{_KUSTOMIZATIONS}/{name}")
        eventually(lambda: not self._get(f"{_KUSTOMIZATIONS}/{name}"), f"Kustomization {name} is gone")
        self._admin.delete(f"{_REPOSITORIES}/{name}")

    def _get(self, path: str) -> Wire:
        answer = self._admin.get(path)
        found: Wire = answer.body if answer.status == HTTPStatus.OK else {}
        return found

    def _newest(self, name: str) -> str:
        revision: str = self._get(f"{_REPOSITORIES}/{name}")["status"]["artifact"]["revision"]
        return revision

    def _await(self, name: str, holds: Callable[[Wire], bool], what: str) -> None:
        eventually(lambda: holds(self.status(name)), f"{name}: {what}", lambda: self._shown(name))

    def _shown(self, name: str) -> str:
        conditions = self.status(name).get("conditions")
        running = "" if self.program.running else f"; the controller has ended:\n{self.program.last_words()}"
        return f"{conditions}{running}"

    def _apply(self, path: str, body: Wire) -> None:
        answer = self._admin.apply(f"{path}/{body['metadata']['name']}", body, "test", force="true")
        assert answer.status in (HTTPStatus.OK, HTTPStatus.CREATED), answer.message


def files(*objects: Wire) -> Files:
    """A repository with these objects, each in a file of its own."""
    return {
        f"{each['kind'].lower()}-{each['metadata']['name']}.yaml": yaml.safe_dump(each).encode() for each in objects
    }


def condition(status: Wire, name: str) -> dict[str, str]:
    """One of the conditions; all that tests look at is empty where it is not there."""
    conditions: Iterable[dict[str, str]] = status.get("conditions") or []
    return next((one for one in conditions if one["type"] == name), {"status": "", "message": ""})


def _repository(name: str) -> Wire:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name},
        "spec": {"interval": "1h", "url": f"https://git.invalid/{name}"},
    }


def _granted() -> list[Wire]:
    """The namespace, the account and its rights, as an install of Flux has them."""
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "cluster-reconciler"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT.rpartition(":")[2], "namespace": NAMESPACE}],
        },
    ]
