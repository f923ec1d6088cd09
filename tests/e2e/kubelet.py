"""Kubelet: says of every pod that it runs, and whether it is ready, as a node would whose images are all there."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane import ControlPlane

NOBODY: Final = "127.0.0.9"
"""The address of every pod; nothing listens there."""

_EVERY: Final = 0.1
_NAME: Final = "app.kubernetes.io/name"


class Kubelet:
    """At work while it is entered. No container runs: what a pod would do, others do, if at all.

    ``is_ready`` is asked for the pods of each ``app.kubernetes.io/name``.
    """

    def __init__(
        self, plane: ControlPlane, namespace: str, is_ready: Callable[[str], bool] = lambda name: True
    ) -> None:
        self._is_ready = is_ready
        self._session = plane.session("system:node:here", ["system:masters"])
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelet", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(30)
        self._session.close()

    def _work(self) -> None:
        while not self._stopped.wait(_EVERY):
            answer = self._session.get(self._pods)
            pods = answer.body["items"] if answer.status == HTTPStatus.OK else []
            names = {pod["metadata"].get("labels", {}).get(_NAME, "") for pod in pods}
            ready = {name: self._is_ready(name) for name in names}
            for pod in pods:
                status = _running(ready=ready[pod["metadata"].get("labels", {}).get(_NAME, "")])
                if _seen(pod["status"]) != _seen(status):
                    self._session.patch(f"{self._pods}/{pod['metadata']['name']}/status", {"status": status})


def _running(*, ready: bool) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    says = "True" if ready else "False"
    conditions = [{"type": name, "status": says, "lastTransitionTime": now} for name in ("Ready", "ContainersReady")]
    return {"phase": "Running", "podIP": NOBODY, "podIPs": [{"ip": NOBODY}], "conditions": conditions}


def _seen(status: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
    return status.get("phase"), {name: conditions.get(name, "") for name in ("Ready", "ContainersReady")}
