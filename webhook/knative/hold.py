"""The hold: the annotation of a Route that says which rollout its traffic belongs to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from webhook.api.owner_reference import controller_of
from webhook.knative.annotations import HOLD, annotations_of

Phase = Literal["held", "releasing"]
HELD: Final[Phase] = "held"
"""The traffic of the Route is kept against every other client."""
RELEASING: Final[Phase] = "releasing"
"""The traffic is Knative's again, and the bounds of the Revisions are being restored."""

_MOST_OWNERS: Final = 1000
"""Owner references that are read."""
_LONGEST: Final = 20_000
"""Characters. 200 revisions with names of 63 characters each take 14,000."""


class UnreadableHold(ValueError):
    """The annotation is not one that Stagegate wrote."""


@dataclass(frozen=True, slots=True)
class Hold:
    """``initial`` is the traffic at the start, in percent by revision; ``new`` is the revision that goes up.

    ``since`` is the uid of the Service. Objects that were restored from a backup have other uids, so that a hold that
    came back with them is known to be stale.
    """

    phase: Phase
    initial: Mapping[str, int] = field(default_factory=dict)
    new: str = ""
    since: str = ""

    def to_annotation(self) -> str:
        """Compact JSON with sorted keys: the same hold is the same text."""
        members = {"phase": self.phase, "initial": dict(self.initial), "new": self.new, "since": self.since}
        return json.dumps(members, sort_keys=True, separators=(",", ":"))


def hold_of(route: Mapping[str, Any] | None) -> Hold | None:
    """The hold of a Route on the wire, None for none. Raises UnreadableHold."""
    text = annotations_of(route).get(HOLD)
    return None if text is None else parse_hold(text)


def readable_hold_of(route: Mapping[str, Any] | None) -> Hold | None:
    """The hold of a Route on the wire; None for none, and for one that cannot be read."""
    try:
        return hold_of(route)
    except UnreadableHold:
        return None


def hold_in_force(route: Mapping[str, Any]) -> Hold | None:
    """The hold of a Route on the wire, None for none, for one that cannot be read, and for a stale one.

    A stale one names another Service than the one that the Route belongs to: it was restored from a backup.
    """
    hold = readable_hold_of(route)
    return hold if hold is not None and hold.since == service_uid_of(route) else None


def service_uid_of(route: Mapping[str, Any]) -> str:
    """The uid of the Service that a Route on the wire belongs to; empty if it belongs to none."""
    metadata = route.get("metadata")
    references = metadata.get("ownerReferences") if isinstance(metadata, Mapping) else None
    first = references[:_MOST_OWNERS] if isinstance(references, list) else []
    listed = [each for each in first if isinstance(each, Mapping)]
    owner = controller_of(listed)
    return str(owner.get("uid") or "") if owner is not None and owner.get("kind") == "Service" else ""


def parse_hold(text: str) -> Hold:
    """Raises UnreadableHold, whose message says what is wrong."""
    if len(text) > _LONGEST:
        raise UnreadableHold(f"annotation {HOLD} has {len(text)} characters; {_LONGEST} are the most")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise UnreadableHold(f"annotation {HOLD} is not JSON: {text[:80]!r}") from problem
    if not isinstance(value, dict) or value.get("phase") not in (HELD, RELEASING):
        raise UnreadableHold(f"annotation {HOLD} has no phase {HELD} or {RELEASING}: {text[:80]!r}")
    initial, new, since = value.get("initial", {}), value.get("new", ""), value.get("since", "")
    if not isinstance(initial, dict) or not all(_is_percent(percent) for percent in initial.values()):
        raise UnreadableHold(f"annotation {HOLD}: initial must map revisions to percents from 0 to 100")
    if not isinstance(new, str) or not isinstance(since, str):
        raise UnreadableHold(f"annotation {HOLD}: new and since must be text")
    return Hold(phase=value["phase"], initial=initial, new=new, since=since)


def _is_percent(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 100
