"""Reverts: stage bounds that another client changed and the loop sets back; when, and with which Events."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, wire
from webhook.api.kinds import LOOP_MANAGER
from webhook.loop.spas import bounds_of
from webhook.planning import Bounds, breaks_stage
from webhook.strategies.defaulting import entry_of

BOUNDS_REVERTED: Final = "BoundsReverted"
"""Reason of the Event when the loop has set the same bounds of an SPA back before."""
BREAKING: Final = "breaking"
HARMLESS: Final = "harmless"
EFFECTS: Final = (BREAKING, HARMLESS)
PAUSE: Final = 60.0
"""Seconds between two reverts of an SPA, if the second one reverts harmless bounds."""

_MOST: Final = 8192

Emit = Callable[[RolloutOrchestrator | StagePodAutoscaler, str, str, str], None]
"""Emits an Event about an RO or an SPA: type, reason and message."""


@dataclass(frozen=True, slots=True)
class Record:
    """The bounds that the loop stored last in the SPA of this uid, how often it reverted others, and when it last did.

    ``reverted_at`` is in monotonic seconds, None before the first revert.
    """

    uid: str
    bounds: Bounds
    reverts: int = 0
    reverted_at: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """``wait`` is in seconds, 0 to write now; ``reverts`` counts this write too, 0 for one that reverts nothing."""

    wait: float = 0.0
    reverts: int = 0


def decide(record: Record | None, uid: str, wanted: Bounds, *, breaks: bool, now: float) -> Decision:
    """Decide if a write of the bounds wanted, which are not those stored, is a revert, and when it is due.

    It is one if the loop stored these very bounds before. One of bounds that break the stage is due at once, always;
    one of harmless bounds when ``PAUSE`` has passed since the last revert of the SPA.
    """
    if record is None or record.uid != uid or record.bounds != wanted:
        return Decision()
    if not breaks and record.reverted_at is not None and (wait := record.reverted_at + PAUSE - now) > 0:
        return Decision(wait=wait)
    return Decision(reverts=record.reverts + 1)


def managers_of(spa: StagePodAutoscaler, wanted: Bounds) -> list[str]:
    """The field managers, sorted, that own a bound of the SPA that is not the one wanted; the loop's own is none.

    Nobody owns a bound that was removed.
    """
    bounds = zip(("f:stageMinScale", "f:stageMaxScale"), spa.bounds, wanted, strict=True)
    differing = {name for name, found, want in bounds if found != want}
    owners = (
        entry["manager"]
        for entry in wire.sequence(spa.metadata.wire, "managedFields", "metadata")
        if differing & entry.get("fieldsV1", {}).get("f:spec", {}).keys()
    )
    return sorted(set(owners) - {LOOP_MANAGER})


def is_ours(spa: StagePodAutoscaler) -> bool:
    """True if the SPA has bounds, and the loop's field manager owns each of them."""
    bounds = zip(("f:stageMinScale", "f:stageMaxScale"), spa.bounds, strict=True)
    present = {name for name, found in bounds if found is not None}
    owned = {
        name
        for entry in wire.sequence(spa.metadata.wire, "managedFields", "metadata")
        if entry.get("manager") == LOOP_MANAGER
        for name in entry.get("fieldsV1", {}).get("f:spec", {})
    }
    return bool(present) and present <= owned


def _emit_nothing(about: RolloutOrchestrator | StagePodAutoscaler, type_: str, reason: str, message: str) -> None:
    return


class Reverts:
    """What the loop stored last in each SPA, of the latest ``most``; safe for many threads.

    Kept in memory: another process counts anew. From the second revert of an SPA on, a Warning Event on SPA and RO
    names who changed the bounds. Every revert is counted by its effect.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        emit: Emit = _emit_nothing,
        count: Callable[[str], None] = lambda effect: None,
        *,
        most: int = _MOST,
    ) -> None:
        """``count`` takes one of EFFECTS."""
        self._monotonic = monotonic
        self._emit = emit
        self._count = count
        self._most = most
        self._lock = Lock()
        self._records: OrderedDict[tuple[str, str], Record] = OrderedDict()

    def knows(self, namespace: str, name: str, uid: str) -> bool:
        """True if the loop stored bounds in this SPA, so that a pass sets them back where they change."""
        record = self._record(namespace, name)
        return record is not None and record.uid == uid

    def overridden(self, spa: StagePodAutoscaler) -> Bounds | None:
        """The bounds that the loop stored last, if another client has changed them since; None otherwise.

        To be called for each SPA that a pass leaves alone. Bounds that are the loop's own, from a former process or
        from another leader in the meantime, are remembered. An SPA without bounds may be either: nothing is set back.
        """
        record = self._record(spa.namespace, spa.name)
        is_known = record is not None and record.uid == spa.metadata.uid
        if is_ours(spa) or (is_known and spa.bounds == (None, None)):
            self.stored(spa)
            return None
        if record is None or not is_known or record.bounds == spa.bounds:
            return None
        return record.bounds

    def decide(self, ro: RolloutOrchestrator, found: StagePodAutoscaler, wanted: Bounds) -> Decision:
        """``decide`` for an SPA as it is stored now."""
        record = self._record(found.namespace, found.name)
        breaks = _breaks(ro, found, wanted)
        return decide(record, found.metadata.uid, wanted, breaks=breaks, now=self._monotonic())

    def stored(self, spa: StagePodAutoscaler) -> None:
        """Remember an SPA whose bounds the loop has just stored, where that reverted nothing."""
        self._remember(spa, lambda record: replace(record, bounds=spa.bounds))

    def reverted(
        self, ro: RolloutOrchestrator, found: StagePodAutoscaler, spa: StagePodAutoscaler, decision: Decision
    ) -> None:
        """Remember and count that the loop has set ``found`` back to ``spa``; warn from the second time on."""
        now = self._monotonic()
        self._remember(spa, lambda record: replace(record, reverts=decision.reverts, reverted_at=now))
        self._count(BREAKING if _breaks(ro, found, spa.bounds) else HARMLESS)
        if decision.reverts > 1:
            message = _message(ro, found, spa)
            self._emit(spa, "Warning", BOUNDS_REVERTED, message)
            self._emit(ro, "Warning", BOUNDS_REVERTED, message)

    def forget(self, namespace: str, name: str) -> None:
        """The SPA has been deleted."""
        with self._lock:
            self._records.pop((namespace, name), None)

    def _record(self, namespace: str, name: str) -> Record | None:
        with self._lock:
            return self._records.get((namespace, name))

    def _remember(self, spa: StagePodAutoscaler, change: Callable[[Record], Record]) -> None:
        key, uid = (spa.namespace, spa.name), spa.metadata.uid
        with self._lock:
            record = self._records.pop(key, None)
            if record is None or record.uid != uid:
                record = Record(uid, spa.bounds)
            self._records[key] = change(record)
            if len(self._records) > self._most:
                self._records.popitem(last=False)


def _breaks(ro: RolloutOrchestrator, found: StagePodAutoscaler, wanted: Bounds) -> bool:
    return breaks_stage(entry_of(ro, found.name), wanted, found.bounds)


def _message(ro: RolloutOrchestrator, found: StagePodAutoscaler, spa: StagePodAutoscaler) -> str:
    """The message is the same for the same change, so that the recorder counts repetitions in one Event."""
    who = ", ".join(managers_of(found, spa.bounds)) or "a client that owns no bound"
    return (
        f"{who} set the stage bounds of StagePodAutoscaler {found.name} to {bounds_of(found)} again, and the loop set"
        f" them back to {bounds_of(spa)} for RolloutOrchestrator {ro.name}; leave stageMinScale and stageMaxScale to"
        " the loop, and out of Git"
    )
