"""The law of the fence: no write of a former leader is stored after another process has taken over. Pure."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.answered import Answered

_LEASES: Final = "/leases"
_EVENTS: Final = "/events"


@dataclass
class Reigns:
    """Who led when. ``takeovers`` counts changes of hands between two of our processes.

    ``broken`` are writes of a former leader that arrived after another had taken over, and were stored. ``refused``
    counts those that the server refused, ``under_way`` those that had arrived before and were stored after.
    ``late_events`` counts its Events: a process that is stopped between asking its lease and sending sends them when it
    wakes, and an Event, which says what was done or seen before, has no version that a server could refuse it by.
    """

    takeovers: int = 0
    refused: int = 0
    under_way: int = 0
    late_events: int = 0
    broken: list[str] = field(default_factory=list)


def judge_reigns(answered: Sequence[Answered], electing: Set[str]) -> Reigns:
    """Go through the writes of those that elect a leader among them, in the order in which they were stored.

    A lease that somebody else wrote leads to no change of hands before one of ours holds it again.
    """
    reigns = Reigns()
    leases = sorted((one for one in answered if _takes(one, electing)), key=lambda one: one.version)
    held = [leases[i] for i in range(len(leases)) if i == 0 or leases[i].who != leases[i - 1].who]
    reigns.takeovers = max(0, len(held) - 1)
    seen: set[tuple[str, int]] = set()
    for one in answered:
        if one.who not in electing or _LEASES in one.path:
            continue
        stored = (one.path.removesuffix("/status"), one.version)
        if one.version and (stored in seen or one.asked_version == one.version):
            # It changed nothing: its version is that of an earlier write, and says nothing of when it came.
            continue
        seen.add(stored)
        later = _taken_over(one, held)
        if later is None:
            continue
        late = one.arrived > later.arrived
        if not one.stored:
            reigns.refused += late
        elif late and one.path.endswith(_EVENTS):
            reigns.late_events += 1
        elif late:
            what = f"{one.method} {one.path} of {one.who}"
            reigns.broken.append(f"{what}: stored at version {one.version}, and {later.who} led from {later.version}")
        else:
            reigns.under_way += 1
    return reigns


def _takes(one: Answered, electing: Set[str]) -> bool:
    holder = (one.asked.get("spec") or {}).get("holderIdentity")
    return _LEASES in one.path and one.who in electing and bool(one.version and holder)


def _taken_over(one: Answered, held: Iterable[Answered]) -> Answered | None:
    """The takeover by another that came before this write; None where its author led."""
    before = [lease for lease in held if (lease.version < one.version if one.version else lease.arrived < one.arrived)]
    return before[-1] if before and before[-1].who != one.who else None
