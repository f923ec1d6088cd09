"""Progressive: a Service whose edits roll out in stages of a quarter, and what has to hold at every moment of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.e2e.tenant import MIN_SCALE, Tenant, differences, service
from tests.rig.timeline import Record, State
from webhook.knative.annotations import HOLD, OWN, PROGRESSIVE

OLD, NEW, NEWER = "hello-00001", "hello-00002", "hello-00003"
PROGRESSIVELY: Final = {PROGRESSIVE: "true"}
RATIO: Final = "rollout.knative.dev/over-consumption-ratio"
STRATEGY: Final = "rollout.knative.dev/progressive-rollout-strategy"
QUARTERS: Final = {MIN_SCALE: "4", RATIO: "25"}
STAGES: Final = [{OLD: 100}, {OLD: 75, NEW: 25}, {OLD: 50, NEW: 50}, {OLD: 25, NEW: 75}, {NEW: 100}]
COPIES: Final = ("metrics", "serverlessservices", "/api/v1/services")
"""Kinds that keep the annotations which the Revision was created with; Knative does not read them there."""

Wire = dict[str, Any]


def hello(version: str, **changes: Any) -> Wire:
    """The Service hello, four pods at least, in stages of a quarter."""
    return service(**{"version": version, "scaling": QUARTERS, "annotations": PROGRESSIVELY, **changes})


def deployed(tenant: Tenant, **changes: Any) -> int:
    """Have the first revision there and at rest; the number of the last write then."""
    tenant.apply(hello("1", **changes))
    tenant.await_ready("hello")
    return tenant.version()


def under_way(tenant: Tenant, shares: Mapping[str, int]) -> None:
    """Wait until a rollout has come so far."""
    tenant.eventually(lambda state: state.shares("hello") == shares)


def complete(tenant: Tenant, revision: str = NEW, pods: int = 4, within: float = 120.0) -> Record:
    """Wait until a rollout is over and everything is released; what happened until then."""
    tenant.eventually(lambda state: is_complete(state, revision, pods), within)
    return tenant.record()


def is_complete(state: State, revision: str = NEW, pods: int = 4) -> bool:
    running = {revision: pods} if pods else {}
    return (
        state.is_ready("hello")
        and state.shares("hello") == {revision: 100}
        and state.running() == running
        and traces(state) == []
    )


def traces(state: State) -> list[str]:
    """Where a hold or a record of own bounds is."""
    held = [name for name in state.all("routes") if state.annotation("routes", name, HOLD)]
    return held + [name for name in state.all("revisions") if state.annotation("revisions", name, OWN)]


def left_over(end: Mapping[str, Wire], twin: Mapping[str, Wire]) -> list[str]:
    """Where the end of a rollout differs from that of a twin that Knative alone rolled out, in more than the opt-in."""
    found = [line for line in differences(twin, end) if PROGRESSIVE not in line]
    return [line for line in found if not ("annotations" in line and any(kind in line for kind in COPIES))]


def faults(record: Record, since: int, minimum: int = 4) -> list[str]:
    """What must not happen at any moment of a rollout of Services whose revisions have this minimum.

    Shares add up to 100; no share is on fewer pods than its part of the minimum; the Service is not Ready at its
    generation before the rollout is over.
    """
    return list(dict.fromkeys(_faults(record, since, minimum)))


def _faults(record: Record, since: int, minimum: int) -> Iterator[str]:
    for state in record.since(since):
        shares = state.shares("hello")
        if sum(shares.values()) != 100:
            yield f"shares {shares} do not add up"
        for revision, percent in shares.items():
            ready = state.ready(revision)
            if ready * 100 < minimum * percent:
                yield f"{revision} has {percent} % of the traffic on {ready} ready pods"
        if state.is_ready("hello") and len(shares) > 1:
            yield f"the Service is Ready at {shares}"


def stages(record: Record, since: int) -> list[tuple[dict[str, int], dict[str, int]]]:
    """Shares of each stage, and the ready pods by revision at its end, before the next stage begins to scale."""
    found: list[tuple[dict[str, int], dict[str, int]]] = []
    for state in record.since(since):
        shares = state.shares("hello")
        if found and found[-1][0] == shares:
            if sum(found[-1][1].values()) >= sum(state.ready_pods().values()):
                found[-1] = (shares, state.ready_pods())
        else:
            found.append((shares, state.ready_pods()))
    return found
