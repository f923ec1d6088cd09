"""The traffic of a Route: while it is held, and as Knative writes it."""

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.api import MalformedObject, wire
from webhook.api.conditions import READY
from webhook.api.wire import Wire, copy_of

_WHOLE = 100


def shares(entries: Any) -> dict[str, int]:
    """The percents by revision of the entries of a Route's status or spec, those above 0 only.

    Entries without the name of a revision have none: in a spec they float to the newest revision.
    """
    found: dict[str, int] = {}
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping):
            continue
        name, percent = entry.get("revisionName"), entry.get("percent")
        if name and type(percent) is int and percent > 0:
            found[name] = found.get(name, 0) + percent
    return dict(sorted(found.items()))


def shares_in(route: Mapping[str, Any], part: str) -> dict[str, int]:
    """``shares`` of the ``spec`` or of the ``status`` of a Route on the wire."""
    return shares((route.get(part) or {}).get("traffic"))


def held_traffic(
    shares: Mapping[str, int], at_zero: Iterable[str], service: str, *, redundant: bool = True, floats: bool = True
) -> list[Wire]:
    """The entries of a held Route.

    ``at_zero`` are revisions of the stage that are ready and have no share yet. The entry that floats to the newest
    revision has no share either: without it, Knative takes the new revision for one that nobody can reach, and scales
    it to zero. ``redundant`` repeats the first entry with no share: the Route then merges two entries into one, and as
    long as its status has fewer entries than its spec, the Service is not Ready. ``floats`` False leaves the entry that
    floats out.
    """
    named = [*((name, shares[name]) for name in sorted(shares) if shares[name] > 0)]
    named += [(name, 0) for name in sorted(set(at_zero) - {name for name, _ in named})]
    entries: list[Wire] = [_named(name, percent) for name, percent in named]
    if floats:
        entries.append({"configurationName": service, "latestRevision": True, "percent": 0})
    if redundant and named:
        entries.append(_named(named[0][0], 0))
    return entries


def stock_traffic(service: Mapping[str, Any]) -> list[Wire]:
    """The entries that Knative's Service reconciler writes for a Service on the wire. Raises MalformedObject."""
    name = service["metadata"]["name"]
    place = f"Service {name}: spec"
    spec = service.get("spec")
    own = wire.sequence(spec if isinstance(spec, Mapping) else {}, "traffic", place)
    entries = copy_of(own) or [{"latestRevision": True, "percent": 100}]
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise MalformedObject(f"{place}.traffic[{number}]", f"must be an object, not {wire.kind_of(entry)}")
        if not entry.get("revisionName"):
            entry["configurationName"] = name
    return list(entries)


def is_moved(route: Mapping[str, Any], wanted: Mapping[str, int]) -> bool:
    """True if requests are served by these shares: the Route is Ready at its generation, and its status shows them."""
    status = route.get("status") or {}
    generation = (route.get("metadata") or {}).get("generation")
    ready = any(one.get("type") == READY and one.get("status") == "True" for one in status.get("conditions") or ())
    moved = shares(status.get("traffic")) == {name: percent for name, percent in sorted(wanted.items()) if percent > 0}
    return moved and ready and status.get("observedGeneration") == generation


def live_shares(route: Mapping[str, Any]) -> dict[str, int]:
    """The traffic of a held Route at this moment: what its spec gives by name, else its status; empty for neither."""
    for part in ("spec", "status"):
        found = shares_in(route, part)
        if sum(found.values()) == _WHOLE:
            return found
    return {}


def _named(name: str, percent: int) -> Wire:
    return {"revisionName": name, "latestRevision": False, "percent": percent}
