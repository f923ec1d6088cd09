"""ArgoApp: an app that Argo CD applies, by the sync policy that manifests/gitops documents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.e2e.gitops.app import NEW, App, Wire
from tests.e2e.gitops.argo_cd import documented
from tests.e2e.gitops.argo_cd.application import Application
from tests.e2e.gitops.argo_cd.argo_cd import ACCOUNT, APPLIES, ArgoCD
from tests.e2e.gitops.argo_cd.files import objects


class ArgoApp(App):
    """Namespace, repository and Application have one name. ``side`` is the one that applies, of APPLIES."""

    def __init__(self, argo_cd: ArgoCD, name: str, side: str) -> None:
        super().__init__(argo_cd.stand, name)
        self.name = name
        self.application = Application(self.stand.plane.admin, name)
        self._argo_cd = argo_cd
        self.beside = f"/api/v1/namespaces/{name}/configmaps/beside"
        self._options = APPLIES[side]

    def keeps(self, *wires: Wire, options: Sequence[str] = (), **spec: Any) -> str:
        """Have exactly these objects in Git from now on, and have Argo CD notice; the id of the commit.

        ``options`` are sync options beside that of the side, ``spec`` is added to that of the Application.
        """
        revision = self._argo_cd.commit(self.name, objects(*wires))
        policy = {**documented.application("rollouts")["syncPolicy"], "syncOptions": [*self._options, *options]}
        if self.application.body():
            self.application.patch({"spec": {"syncPolicy": policy, **spec}})
            self.application.refreshes()
        else:
            self._argo_cd.application(self.name, self.name, syncPolicy=policy, **spec)
        return revision

    def completes(self) -> None:
        """Have the rollout to the new revision in Git, and done."""
        self.has_revision()
        self.keeps(self.rollout())
        self.starts()
        self.await_complete()
        self.application.await_health("Healthy")

    def bounds_written_at(self) -> list[datetime]:
        """When Argo CD has written the SPA of the new revision."""
        return [
            datetime.fromisoformat(event["requestReceivedTimestamp"])
            for event in self.stand.plane.audit_events()
            if (event["verb"], event["user"]["username"]) == ("patch", ACCOUNT)
            and "dryRun=" not in event["requestURI"]
            and event["requestURI"].partition("?")[0] == self.spa_path(NEW)
        ]

    def writes(self) -> list[tuple[str, str]]:
        """What Argo CD has written of this app so far: verb and name."""
        return [(verb, name) for verb, _, place, name in self.stand.writes([ACCOUNT]) if place == self.name]

    def await_message(self, text: str) -> None:
        """Until the state of the sync that runs, or was the last, has this text."""
        self.application.await_(lambda body: text in self.application.operation.get("message", ""), f"it says {text}")

    def health_of(self, kind: str, name: str) -> Wire:
        found: Wire = self.application.resources().get((kind, name), {}).get("health", {})
        return found

    def is_at_rest(self) -> bool:
        """True if Argo CD compares it anew, twice, and writes nothing."""
        before = self.writes()
        self.application.refreshes(2)
        return self.writes() == before
