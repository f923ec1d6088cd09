"""Causes in the loop: none leads, or the one that does leaves the rollout alone."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from webhook.api import wire
from webhook.api.lease import duration_of, holder_of, is_live, renewed_at
from webhook.cluster.indexer import key_of
from webhook.cluster.resource import LEASES
from webhook.diagnosis.cause import DELAYS, STOPS, Cause
from webhook.diagnosis.snapshot import Snapshot, event_time
from webhook.diagnosis.workload_options import option_of

_LIFE: Final = timedelta(seconds=60)
"""A sign of life that is younger shows a loop that works without a Lease."""
_SOON: Final = timedelta(seconds=20)
_COMPONENT: Final = "stagegate"
_START_OF_TIME: Final = datetime.min.replace(tzinfo=UTC)


def loop_absent(snapshot: Snapshot) -> Iterator[Cause]:
    """No loop holds a Lease, or the one that did has not renewed it in time."""
    if not snapshot.sees(LEASES):
        return
    if any(is_live(lease, snapshot.at) for lease in snapshot.leases) or _shows_life(snapshot):
        return
    released = [lease for lease in snapshot.leases if not holder_of(lease)]
    stale = max(
        (lease for lease in snapshot.leases if holder_of(lease)),
        key=lambda lease: renewed_at(lease) or _START_OF_TIME,
        default=None,
    )
    since = renewed_at(stale) if stale is not None else None
    if stale is not None:
        age = _age(since, snapshot.at)
        where = "/".join(key_of(stale))
        says = f"no loop leads: {holder_of(stale)} renewed Lease {where} {age}, which lasts {duration_of(stale)} s"
    elif released:
        says = f"no loop leads: nobody holds Lease {'/'.join(key_of(released[0]))}"
    else:
        says = "no loop leads: there is no Lease of a loop"
    known = next((lease for lease in (stale, *released) if lease is not None), None)
    namespace = key_of(known)[0] if known is not None else snapshot.installed_in
    yield Cause(
        "loop-absent",
        STOPS,
        says=says,
        about=f"Lease {'/'.join(key_of(stale))}" if stale is not None else "",
        since=since,
        way_out=(
            f"start the loop: kubectl -n {namespace} get pods, or stagegate loop; its log says why it does not lead"
        ),
        next="replicas and traffic stay as they are; the first loop that leads carries the rollout on from here",
    )


def steps_off(snapshot: Snapshot) -> Iterator[Cause]:
    """The loop was started with ``--steps=off``: it fills in SPAs and leaves rollouts to others."""
    off = [loop for loop in snapshot.loops if option_of(loop, "--steps") == "off"]
    if off and len(off) == len(snapshot.loops):
        where = "/".join(key_of(off[0]))
        yield Cause(
            "steps-off",
            STOPS,
            says=f"the loop carries no rollout on: Deployment {where} has --steps=off",
            about=f"Deployment {where}",
            since=None,
            way_out="remove --steps=off, unless upstream's controllers run here: then look at their log",
            next="only controllers other than this loop carry the rollout on",
        )


def not_taken_up(snapshot: Snapshot) -> Iterator[Cause]:
    """Nobody has observed this generation of the RO."""
    ro = snapshot.ro
    observed, generation = ro.status.observed_generation, ro.metadata.generation
    if observed == generation or not snapshot.exists:
        return
    since = _changed(ro.metadata.wire)
    is_old = since is not None and snapshot.at - since >= _SOON
    has_status = f"the status is about generation {observed}" if observed > 0 else "it has no status yet"
    yield Cause(
        "not-taken-up",
        STOPS if is_old else DELAYS,
        says=f"no loop has taken up generation {generation}: {has_status}",
        about=f"RolloutOrchestrator {ro.name}",
        since=since,
        way_out="see whether a loop works in this namespace (--namespaces, --steps), and its log",
        next="a loop that leads takes it up within seconds",
    )


def _age(renewed: datetime | None, at: datetime) -> str:
    if renewed is None:
        return "at no time"
    seconds = (at - renewed).total_seconds()
    return f"{seconds:.0f} s ago" if seconds >= 0 else f"{-seconds:.0f} s in the future"


def _shows_life(snapshot: Snapshot) -> bool:
    """True if something that only a loop writes is young: one that runs without leader election has no Lease."""
    if snapshot.leases:
        return False
    times = [one.last_transition_time for one in snapshot.ro.status.conditions]
    times += [event_time(one) for one in snapshot.events if _COMPONENT in _source(one)]
    return any(time is not None and snapshot.at - time < _LIFE for time in times)


def _source(event: Mapping[str, Any]) -> str:
    return str((event.get("source") or {}).get("component") or event.get("reportingComponent") or "")


def _changed(metadata: Mapping[str, Any]) -> datetime | None:
    """When somebody last wrote more than the status of an object, as far as its managers show it."""
    entries = metadata.get("managedFields")
    listed = entries if isinstance(entries, list) else []
    times = [wire.parse_time(str(one.get("time"))) for one in listed if one.get("subresource") != "status"]
    known = [time for time in times if time is not None]
    created = wire.parse_time(str(metadata.get("creationTimestamp") or ""))
    return max(known, default=created if metadata.get("generation") == 1 else None)
