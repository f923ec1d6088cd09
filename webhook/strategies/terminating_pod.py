"""Terminating pods on the wire."""

from collections.abc import Mapping
from typing import Any

from webhook.api import wire
from webhook.strategies.protocols import TerminatingPod


def is_terminating(pod: Mapping[str, Any]) -> bool:
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def counts_as_terminating(pod: Mapping[str, Any]) -> bool:
    """True for what Knative counts: a terminating pod that is Running; one that failed or ended takes no room."""
    return is_terminating(pod) and (pod.get("status") or {}).get("phase") == "Running"


def terminating_pod(pod: Mapping[str, Any]) -> TerminatingPod | None:
    """A pod on the wire, or None for one that is not terminating or whose deletion time cannot be read.

    None also for one that was deleted without a grace period: another delete would change nothing.
    """
    metadata = pod.get("metadata") or {}
    deletion_time = wire.parse_time(metadata.get("deletionTimestamp") or "")
    grace = metadata.get("deletionGracePeriodSeconds")
    if deletion_time is None or grace == 0:
        return None
    return TerminatingPod(
        namespace=metadata.get("namespace") or "",
        name=metadata.get("name") or "",
        uid=metadata.get("uid") or "",
        resource_version=metadata.get("resourceVersion") or "",
        deletion_time=deletion_time,
        grace_period_seconds=grace if isinstance(grace, int) else None,
    )
