"""Person: somebody who deploys a Service, edits it again and again, and changes their mind in the middle."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from tests.chaos.knative.judge import HOLD, OWN, PROGRESSIVE, RELEASE
from tests.e2e.tenant import Tenant, service
from tests.rig import Rig
from tests.rig.kubelet import NO_IMAGE

Wire = dict[str, Any]
Condition = Callable[[], bool]
Waits = Iterator[tuple[str, Condition]]
"""What somebody waits for, one after the other: in words, and whether it has come."""


SERVICE: Final = "hello"
NUMBER: Final = 4
RATIO: Final = "rollout.knative.dev/over-consumption-ratio"
SCALINGS: Final[tuple[Mapping[str, str], ...]] = (
    {"autoscaling.knative.dev/min-scale": "4", RATIO: "25"},
    {"autoscaling.knative.dev/minScale": "4", "autoscaling.knative.dev/max-scale": "8", RATIO: "25"},
    {
        "autoscaling.knative.dev/min-scale": "4",
        "autoscaling.knative.dev/initial-scale": "3",
        "autoscaling.knative.dev/activation-scale": "4",
        RATIO: "25",
    },
)
STRAIGHT: Final = "straight on"
AGAIN: Final = "edited again"
BACK: Final = "rolled back by template"
BY_TRAFFIC: Final = "rolled back by traffic"
OPTED_OUT: Final = "opted out"
RELEASED: Final = "released"
TOUCHED: Final = "touched"
NEVER_READY: Final = "never ready at first"
DELETED: Final = "deleted"
_PLOTS: Final = {
    STRAIGHT: 5,
    AGAIN: 4,
    BACK: 3,
    BY_TRAFFIC: 3,
    OPTED_OUT: 3,
    RELEASED: 2,
    TOUCHED: 2,
    NEVER_READY: 2,
    DELETED: 2,
}
_IMAGE: Final = "dev.local/hello"
_EVERY: Final = 0.3
_MIDDLE: Final = 14.0
"""Seconds within which a rollout is in the middle."""
_LONGEST: Final = 300.0
"""Seconds within which whatever somebody waits for comes, whatever is disrupted meanwhile."""


class Person:
    """``step`` lets them act. With ``enough`` they begin nothing new; ``done`` says that nothing is left to wait for.
    ``edits`` counts the templates whose Revision is there, ``wire`` is the Service as it was last, empty for none.

    ``serving`` is the revision that is to have all of the traffic; ``problem`` is what did not come in time.
    """

    def __init__(self, rig: Rig, name: str, chance: random.Random, log: Callable[[str], None]) -> None:
        self.tenant = Tenant(rig, name)
        self.scaling = SCALINGS[chance.randrange(len(SCALINGS))]
        self.enough = self.done = False
        self.problem = ""
        self.edits = 0
        self.plots: Counter[str] = Counter()
        self.serving = ""
        self.broken: set[str] = set()
        self.wire: Wire = {}
        self._chance, self._log = chance, log
        self._version = 0
        self._life = self._live()
        self._until: Condition = lambda: True
        self.waits_for = "to begin"
        self._since = self._next = 0.0

    def step(self, now: float) -> None:
        """Act if what they wait for has come."""
        if self.done or now < self._next:
            return
        self._next = now + _EVERY
        if self._until():
            try:
                self.waits_for, self._until = next(self._life)
                self._since = now
            except StopIteration:
                self.done = True
        elif now - self._since > _LONGEST:
            self.problem = f"not within {_LONGEST:.0f} s: {self.waits_for}; {self.tenant.story()}"
            self.done = True

    def _live(self) -> Waits:
        while not self.enough:
            yield from self._edit("deployed")
            yield "the first revision is there", self._is_complete
            for _ in range(self._chance.randint(3, 7)):
                if self.wire and not self.enough:
                    yield from self._roll_out()
            if self.wire and not self.enough and self._chance.random() < 0.5:
                yield from self._delete()

    def _roll_out(self) -> Waits:
        """One rollout, with what happens in its middle."""
        chance, before, version = self._chance, self.serving, self._version
        if chance.random() < 0.7:
            yield "the pods are at rest", self._is_at_rest
        yield self._pause(2.0)
        plot = chance.choices(list(_PLOTS), list(_PLOTS.values()))[0]
        self.plots[plot] += 1
        yield from self._edit("edited", image=NO_IMAGE if plot == NEVER_READY else _IMAGE)
        if plot != STRAIGHT:
            yield self._pause(_MIDDLE)
            yield from self._interfere(plot, before, version)
        if self.wire:
            yield f"the rollout ({plot}) is over", self._is_complete

    def _interfere(self, plot: str, before: str, version: int) -> Waits:
        """``before`` is the revision that all had come from, of the version ``version``."""
        if plot in (AGAIN, NEVER_READY):
            yield from self._edit(plot)
            if self._chance.random() < 0.3:
                yield self._pause(_MIDDLE)
                yield from self._edit("edited once more")
        elif plot == BACK:
            yield from self._edit(plot, version=version)
        elif plot == BY_TRAFFIC:
            self._apply(plot, self.wire["spec"] | {"traffic": [{"revisionName": before, "percent": 100}]})
            self.serving = before
        elif plot == OPTED_OUT:
            self._apply(plot, self.wire["spec"], opted_in=False)
            if self._chance.random() < 0.3:
                yield self._pause(_MIDDLE)
                yield from self._edit("edited while it is opted out", opted_in=False)
        elif plot == RELEASED:
            self._release()
        elif plot == DELETED:
            yield from self._delete()
        else:
            for number in range(self._chance.randint(1, 4)):
                self.tenant.patch("services", SERVICE, {"metadata": {"labels": {"touched": str(number)}}})
                yield self._pause(3.0)

    def _edit(self, what: str, *, version: int | None = None, image: str = _IMAGE, opted_in: bool = True) -> Waits:
        """Another template; until its Revision is there."""
        self._version += 1
        text = str(version or self._version)
        spec = service(SERVICE, version=text, image=image, scaling=dict(self.scaling))["spec"]
        self._apply(what, spec, opted_in=opted_in)
        yield "the new Revision is there", self._is_born
        self.serving = self._status("services")["latestCreatedRevisionName"]
        if image == NO_IMAGE:
            self.broken.add(self.serving)
        self.edits += 1
        self._tell(f"{self.serving} is there")

    def _apply(self, what: str, spec: Wire, *, opted_in: bool = True) -> None:
        self.wire = service(SERVICE, annotations={PROGRESSIVE: "true" if opted_in else "false"}) | {"spec": spec}
        self._tell(f"{what}, version {self._version}")
        self.tenant.apply(self.wire)

    def _release(self) -> None:
        """As ``stagegate release`` does."""
        self._tell("released")
        body = {"metadata": {"annotations": {RELEASE: "chaos"}}}
        answer = self.tenant.rig.plane.admin.patch(self.tenant.path("rolloutorchestrators", SERVICE), body)
        assert answer.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND), answer.message

    def _delete(self) -> Waits:
        self._tell("deleted")
        self.tenant.delete(SERVICE)
        yield "nothing is left of the Service", self._is_gone
        self.broken.clear()
        self.wire = {}

    def _pause(self, most: float) -> tuple[str, Condition]:
        until = time.monotonic() + self._chance.uniform(0.0, most)
        return "a moment", lambda: time.monotonic() >= until

    def _is_born(self) -> bool:
        wire = self.tenant.get("services", SERVICE)
        status = wire.get("status", {})
        generation = wire.get("metadata", {}).get("generation")
        name = status.get("latestCreatedRevisionName", "")
        if status.get("observedGeneration") != generation or not name:
            return False
        configuration = self.tenant.get("configurations", SERVICE)
        number = configuration.get("metadata", {}).get("generation")
        current = configuration.get("status", {}).get("observedGeneration") == number
        return bool(current and name == f"{SERVICE}-{number:05}")

    def _is_complete(self) -> bool:
        wire, route = self.tenant.get("services", SERVICE), self.tenant.get("routes", SERVICE)
        status = wire.get("status", {})
        ready = any(
            each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ())
        ) and status.get("observedGeneration") == wire["metadata"].get("generation")
        shares = {
            entry["revisionName"]: entry["percent"] for entry in status.get("traffic", ()) if entry.get("percent")
        }
        held = HOLD in route.get("metadata", {}).get("annotations", {})
        return bool(ready and route and not held and shares == {self.serving: 100})

    def _is_at_rest(self) -> bool:
        """Knative keeps the pods of a revision that never was Ready."""
        running = {name: count for name, count in self._running().items() if name not in self.broken}
        return running == {self.serving: NUMBER} and not self._records()

    def _is_gone(self) -> bool:
        base = f"/apis/serving.knative.dev/v1/namespaces/{self.tenant.name}"
        plurals = ("services", "routes", "revisions", "rolloutorchestrators", "stagepodautoscalers")
        paths = [f"/api/v1/namespaces/{self.tenant.name}/pods", *(f"{base}/{plural}" for plural in plurals)]
        return not any(self.tenant.rig.plane.admin.get(path).body["items"] for path in paths)

    def _running(self) -> Counter[str]:
        answer = self.tenant.rig.plane.admin.get(f"/api/v1/namespaces/{self.tenant.name}/pods")
        return Counter(pod["metadata"]["labels"]["serving.knative.dev/revision"] for pod in answer.body["items"])

    def _records(self) -> list[str]:
        base = f"/apis/serving.knative.dev/v1/namespaces/{self.tenant.name}/revisions"
        listed = self.tenant.rig.plane.admin.get(base).body["items"]
        return [one["metadata"]["name"] for one in listed if OWN in one["metadata"].get("annotations", {})]

    def _tell(self, what: str) -> None:
        self._log(f"{self.tenant.name}: {what}")

    def _status(self, plural: str) -> Wire:
        status: Wire = self.tenant.get(plural, SERVICE)["status"]
        return status
