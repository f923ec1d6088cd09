"""Causes that keep the pods of a revision from being made."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from webhook.api import wire
from webhook.api.wire import Wire
from webhook.cluster.indexer import key_of
from webhook.diagnosis.cause import Cause
from webhook.diagnosis.causes.lack import by_need, effect_of, lack_of
from webhook.diagnosis.snapshot import RevisionSnapshot, Snapshot

_QUOTA: Final = re.compile(
    r"exceeded quota: (?P<name>[^,]+), requested: (?P<requested>.+), used: (?P<used>.+), limited: (?P<limited>.+)$"
)
_FAILED_QUOTA: Final = re.compile(r"failed quota: (?P<name>[^:]+): (?P<what>.+)$")


def quota(snapshot: Snapshot) -> Iterator[Cause]:
    """A ResourceQuota keeps pods from being made."""
    for name, one in by_need(snapshot):
        for _, message, since in _refused_pods(one):
            refusal = _quota_refusal(message, name)
            if refusal is not None:
                yield Cause(
                    "quota",
                    effect_of(snapshot, name),
                    says=f"{refusal.says}; {lack_of(snapshot, name)}",
                    about=f"ResourceQuota {refusal.quota}",
                    since=since,
                    way_out=(
                        "raise the quota or free what it counts, or roll out with the strategy resourceutil, which"
                        " takes replicas away before it adds any"
                    ),
                    next="Kubernetes tries again, with growing delays of at most some minutes",
                )


def pod_refused(snapshot: Snapshot) -> Iterator[Cause]:
    """Something else than a quota keeps pods from being made: an admission plugin, a webhook, a limit range."""
    for name, one in by_need(snapshot):
        for replica_set, message, since in _refused_pods(one):
            if _quota_refusal(message, name) is None:
                yield Cause(
                    "pod-refused",
                    effect_of(snapshot, name),
                    says=f"the pods of {name} cannot be made: {message}; {lack_of(snapshot, name)}",
                    about=f"ReplicaSet {key_of(replica_set)[1]}",
                    since=since,
                    way_out="let what the message names accept the pods, or change the template of the Service",
                    next="Kubernetes tries again, with growing delays of at most some minutes",
                )


class _QuotaRefusal(NamedTuple):
    """The quota that refuses the pods of a revision, and what it says with the numbers of both."""

    quota: str
    says: str


def _quota_refusal(message: str, revision: str) -> _QuotaRefusal | None:
    exceeded, failed = _QUOTA.search(message), _FAILED_QUOTA.search(message)
    if exceeded is not None:
        says = (
            f"ResourceQuota {exceeded['name']} allows {exceeded['limited']}, of which {exceeded['used']} is used; a pod"
            f" of {revision} needs {exceeded['requested']}"
        )
        return _QuotaRefusal(exceeded["name"], says)
    if failed is not None:
        return _QuotaRefusal(
            failed["name"], f"ResourceQuota {failed['name']} refuses the pods of {revision}: {failed['what']}"
        )
    return None


def _refused_pods(one: RevisionSnapshot) -> Iterator[tuple[Wire, str, datetime | None]]:
    """The ReplicaSets that cannot make pods, each with the message of the API server and since when."""
    for replica_set in one.replica_sets:
        for condition in (replica_set.get("status") or {}).get("conditions") or ():
            if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
                message = " ".join(str(condition.get("message") or condition.get("reason") or "").split())
                yield replica_set, message, wire.parse_time(str(condition.get("lastTransitionTime") or ""))
