"""Leftovers: what the rollouts of a soak have left behind. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tests.soak.person import MIN_SCALE, REPLICAS
from tests.soak.world import SERVICE, World
from webhook.cluster.resource import KNATIVE_SERVICES, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS

BURST, PER_SECOND = 100, 0.1
"""Events of one object that may be stored at once, and more with the time."""
_SOURCES: Final = ("stagegate",)
Wire = Mapping[str, Any]


def leftovers(world: World, newest: Mapping[str, str]) -> Iterator[str]:
    """``newest`` is the revision that each Service is at, complete."""
    for name in world.objects[KNATIVE_SERVICES]:
        if world.is_held(name):
            yield f"Route {name} is still held"
        if not world.is_complete(name, newest.get(name, "")):
            yield f"Service {name} is not complete: traffic {world.shares(name)}"
    for resource in (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS):
        for name, one in world.objects[resource].items():
            service = (one["metadata"].get("labels") or {}).get(SERVICE, name)
            if service not in newest:
                yield f"{resource.kind} {name} is left of Service {service}"
    for name in world.objects[STAGE_POD_AUTOSCALERS]:
        if name not in world.objects[REVISIONS]:
            yield f"StagePodAutoscaler {name} is left without its Revision"
    for name, one in world.objects[REVISIONS].items():
        own = {MIN_SCALE: str(REPLICAS)}
        if (annotations := one["metadata"].get("annotations") or {}) != own:
            yield f"Revision {name} is left with {annotations}"


def too_many_events(events: Iterable[Wire], seconds: float) -> list[str]:
    """Objects with more Events of ours than the rate of an object allows."""
    counts = Counter(
        (one["involvedObject"]["kind"], one["involvedObject"]["name"])
        for one in events
        if str((one.get("source") or {}).get("component", "")).startswith(_SOURCES)
    )
    allowed = BURST + PER_SECOND * seconds
    return [f"{kind} {name} has {count} Events" for (kind, name), count in counts.items() if count > allowed]
