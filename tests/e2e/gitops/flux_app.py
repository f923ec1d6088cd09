"""FluxApp: an app that Flux applies, with the spec and under the account that manifests/gitops documents."""

import time
from typing import Any

from tests.e2e.gitops import documented
from tests.e2e.gitops.app import App, Wire
from tests.e2e.gitops.flux import ROLLOUTS, Flux, files
from tests.e2e.gitops.stand import Stand
from tests.e2e.standing import eventually
from tests.rig.installation import LOOP


class FluxApp(App):
    """Namespace, repository and Kustomization have one name. ``spec`` is added to that of the Kustomization.

    Its objects are waited for only if it says so.
    """

    def __init__(self, flux: Flux, stand: Stand, name: str, **spec: Any) -> None:
        super().__init__(stand, name)
        self.name = name
        self._flux = flux
        self._spec = {**documented.kustomization("rollouts"), "wait": False, **spec}
        self.stand.create(*documented.grants(name))

    def keeps(self, *objects: Wire, **spec: Any) -> None:
        """Have exactly these objects in Git from now on; ``spec`` as above, for good."""
        self._spec |= spec
        self._flux.commit(self.name, files(*objects))
        self._flux.sync(self.name, **self._spec)

    def passes(self, times: int = 1) -> None:
        self._flux.passes(self.name, times)

    def await_ready(self) -> None:
        self._flux.await_ready(self.name)

    def await_failure(self, text: str = "") -> str:
        return self._flux.await_failure(self.name, text)

    def await_message(self, text: str) -> None:
        """Until the Kustomization says so, whether or not it has tried to apply anything."""
        self._flux.await_message(self.name, text)

    def is_awaited(self) -> bool:
        """True while Flux waits for the health of what it has applied."""
        return self._flux.awaits_health(self.name)

    def applied(self) -> list[str]:
        """What Flux has written so far, by name, in order."""
        return [name for _, _, namespace, name in self.stand.writes([ROLLOUTS]) if namespace == self.name]

    def await_rest(self) -> None:
        """Until nobody has written for a second."""
        last: list[float] = [-1, 0.0]

        def is_at_rest() -> bool:
            now, writes = time.monotonic(), len(self.writes())
            if writes != last[0]:
                last[:] = [writes, now]
            return now - last[1] > 1

        eventually(is_at_rest, "nobody writes", self.writes)

    def writes(self) -> list[tuple[str, str]]:
        """What was written of this app so far by Flux and the loop: verb and name, status included."""
        return [
            (verb, name)
            for verb, _, namespace, name in self.stand.writes([ROLLOUTS, LOOP])
            if namespace == self.namespace.name
        ]

    def reads(self) -> int:
        """How often Flux has read the RO so far."""
        return sum(
            event["verb"] == "get" and event.get("impersonatedUser", {}).get("username") == ROLLOUTS
            for event in self.stand.plane.audit_events()
            if event.get("objectRef", {}).get("namespace") == self.namespace.name
            and event["objectRef"]["resource"] == "rolloutorchestrators"
        )
