"""Application: what Argo CD keeps in step with a repository, and what it says of that."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from tests.controlplane.session import Session
from tests.e2e.standing import eventually

Wire = dict[str, Any]

NAMESPACE: Final = "argocd"
GROUP: Final = "argoproj.io"
APPLICATIONS: Final = f"/apis/{GROUP}/v1alpha1/namespaces/{NAMESPACE}/applications"
FINALIZER: Final = "resources-finalizer.argocd.argoproj.io"
"""Has whatever an Application consists of deleted with it."""

_ENDED: Final = ("Succeeded", "Failed", "Error")
_REFRESH: Final = "argocd.argoproj.io/refresh"


class Application:
    """One that is stored."""

    def __init__(self, admin: Session, name: str) -> None:
        self.name = name
        self._admin = admin
        self._path = f"{APPLICATIONS}/{name}"

    def body(self) -> Wire:
        """It as it is stored; empty where there is none."""
        answer = self._admin.get(self._path)
        body: Wire = answer.body if answer.status == HTTPStatus.OK else {}
        return body

    def patch(self, change: Wire) -> None:
        answer = self._admin.patch(self._path, change)
        assert answer.status == HTTPStatus.OK, answer.message

    def delete(self) -> None:
        answer = self._admin.delete(self._path)
        assert answer.status == HTTPStatus.OK, answer.message

    def refreshes(self, times: int = 1) -> None:
        """Have it compare its repository with the cluster anew, with nothing from a cache."""
        for _ in range(times):
            self.patch({"metadata": {"annotations": {_REFRESH: "hard"}}})
            self.await_(lambda body: _REFRESH not in body["metadata"].get("annotations", {}), "it is refreshed")

    def syncs(self, **sync: Any) -> Wire:
        """Sync once; the state of the operation at its end."""
        self.begin(**sync)
        return self.ended()

    def begin(self, **sync: Any) -> None:
        """Have it sync, and do not wait."""
        self.patch({"operation": {"initiatedBy": {"username": "jane"}, "sync": sync}})

    def ended(self) -> Wire:
        """The state of the last operation, once it has ended."""
        self.await_(lambda body: "operation" not in body and _phase(body) in _ENDED, "it ends")
        return self.operation

    @property
    def operation(self) -> Wire:
        state: Wire = self.body().get("status", {}).get("operationState", {})
        return state

    @property
    def sync(self) -> str:
        """Synced or OutOfSync."""
        return str(self.body().get("status", {}).get("sync", {}).get("status", ""))

    @property
    def health(self) -> str:
        return str(self.body().get("status", {}).get("health", {}).get("status", ""))

    def resources(self) -> dict[tuple[str, str], Wire]:
        """What it consists of by kind and name, with the health of each."""
        found = self.body().get("status", {}).get("resources", [])
        return {(each["kind"], each["name"]): each for each in found}

    def differing(self) -> list[tuple[str, str]]:
        """What is not as the repository has it."""
        return [key for key, each in self.resources().items() if each.get("status") != "Synced"]

    def conditions(self) -> str:
        """What is wrong with it, beside what its operation says."""
        return "\n".join(each["message"] for each in self.body().get("status", {}).get("conditions", []))

    def await_(self, condition: Callable[[Wire], bool], what: str) -> None:
        """Until the condition holds of it."""
        eventually(lambda: condition(self.body()), f"{self.name}: {what}", self._shown)

    def _shown(self) -> Wire:
        """What is not as it should be."""
        resources = self.resources().values()
        unhealthy = [each for each in resources if each.get("health", {}).get("status", "Healthy") != "Healthy"]
        state = {key: self.operation.get(key) for key in ("phase", "message")}
        return {"health": self.health, "unhealthy": unhealthy, "differing": self.differing(), "operation": state}

    def await_health(self, health: str) -> None:
        self.await_(lambda body: body.get("status", {}).get("health", {}).get("status") == health, f"it is {health}")

    def await_synced(self, revision: str) -> None:
        """Until the cluster is as this commit has it."""

        def is_synced(body: Wire) -> bool:
            sync = body.get("status", {}).get("sync", {})
            return bool(sync.get("status") == "Synced" and sync.get("revision") == revision)

        self.await_(is_synced, f"it is Synced at {revision}")


def _phase(body: Wire) -> str:
    return str(body.get("status", {}).get("operationState", {}).get("phase", ""))
