"""Usage: the resources that replicas take, from the spec of their pods."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from webhook.api.quantity import parse_quantity

Usage = Mapping[str, Decimal]
"""Amounts by resource: requests by their plain names, as ``nvidia.com/gpu``, limits as ``limits.cpu``, and ``pods``."""

PODS: Final = "pods"
LIMITS: Final = "limits."
_REQUESTS: Final = "requests."
QUEUE_PROXY: Final = "queue-proxy"
_QUEUE_PROXY_CPU: Final = Decimal("0.025")
"""What Knative requests for its proxy in each pod unless config-deployment says otherwise."""


def resource_name(key: str) -> str | None:
    """The name in a Usage for a key of a ResourceQuota; None for one that pods do not count in."""
    if key in (PODS, "count/pods"):
        return PODS
    if key.startswith(_REQUESTS):
        key = key.removeprefix(_REQUESTS)
        return None if "storageclass" in key or key == "storage" else key
    is_compute = key in ("cpu", "memory", "ephemeral-storage") or key.startswith((LIMITS, "hugepages-"))
    return key if is_compute else None


def usage_of_pod(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """The usage of one pod, as the scheduler and a ResourceQuota count it.

    That is the sum of its containers and of the init containers that go on beside them, or the largest of the other
    init containers where that is more; and the overhead. A request that is absent is the limit. Values that are no
    quantities are left out.
    """
    running: dict[str, Decimal] = {}
    largest: dict[str, Decimal] = {}
    for container in _sequence(spec.get("initContainers")):
        own = _usage_of_container(container)
        if container.get("restartPolicy") == "Always":
            running = total((running, own))
        else:
            beside = total((running, own))
            largest = {
                key: max(largest.get(key, Decimal()), beside[key]) for key in {*largest, *beside} if key in beside
            } | {key: value for key, value in largest.items() if key not in beside}
    running = total((running, *(_usage_of_container(one) for one in _sequence(spec.get("containers")))))
    together = {key: max(running.get(key, Decimal()), largest.get(key, Decimal())) for key in {*running, *largest}}
    overhead = {
        key: number for key, value in _mapping(spec.get("overhead")).items() if (number := parse_quantity(value))
    }
    return {**total((together, overhead)), PODS: Decimal(1)}


def usage_of_template(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """The usage of one pod of a Knative template or Revision: Knative adds its proxy to it."""
    usage = usage_of_pod(spec)
    if all(one.get("name") != QUEUE_PROXY for one in _sequence(spec.get("containers"))):
        usage["cpu"] = usage.get("cpu", Decimal()) + _QUEUE_PROXY_CPU
    return usage


def total(usages: Iterable[Usage]) -> dict[str, Decimal]:
    """The sum of usages."""
    added: dict[str, Decimal] = {}
    for usage in usages:
        for key, number in usage.items():
            added[key] = added.get(key, Decimal()) + number
    return added


def usage_of_replicas(replicas: Mapping[str, int], each: Mapping[str, Usage]) -> dict[str, Decimal]:
    """The usage of so many replicas of each revision; ``each`` is that of one replica, by revision."""
    return total(
        {key: number * count for key, number in each.get(name, {}).items()} for name, count in replicas.items()
    )


def _usage_of_container(container: Mapping[str, Any]) -> dict[str, Decimal]:
    resources = _mapping(container.get("resources"))
    usage: dict[str, Decimal] = {}
    for key, value in _mapping(resources.get("limits")).items():
        number = parse_quantity(value)
        if number is not None:
            usage[LIMITS + key] = usage[key] = number
    for key, value in _mapping(resources.get("requests")).items():
        number = parse_quantity(value)
        if number is not None:
            usage[key] = number
    return usage


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
