"""Kubelet: says of every pod that it runs and is ready, as a node would whose images are all there."""

import threading
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane import ControlPlane

NOBODY: Final = "127.0.0.9"
"""The address of every pod; nothing listens there."""

_EVERY: Final = 0.1


class Kubelet:
    """At work while it is entered. No container runs: what a pod would do, others do, if at all."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
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
            for pod in answer.body["items"] if answer.status == HTTPStatus.OK else []:
                if pod["status"].get("phase") == "Pending":
                    self._session.patch(f"{self._pods}/{pod['metadata']['name']}/status", {"status": _running()})


def _running() -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [{"type": name, "status": "True", "lastTransitionTime": now} for name in ("Ready", "ContainersReady")]
    return {"phase": "Running", "podIP": NOBODY, "podIPs": [{"ip": NOBODY}], "conditions": conditions}
