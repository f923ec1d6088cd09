"""The replicas that a revision lacks, and how long something may take before it counts as a cause."""

from datetime import timedelta
from typing import Final

from webhook.diagnosis.cause import INFORMS, STOPS, Effect
from webhook.diagnosis.snapshot import RevisionSnapshot, Snapshot
from webhook.strategies.readiness import gets_traffic, replicas_needed
from webhook.strategies.stage import replicas

PATIENCE: Final = timedelta(seconds=60)
"""How long something may take that usually is over sooner."""


def lacks(snapshot: Snapshot, name: str) -> bool:
    """True if a revision that goes up runs less than the stage needs."""
    entry = snapshot.stage.up.get(name)
    if entry is None:
        return not snapshot.stage.entries and any(
            target.revision_name == name for target in snapshot.ro.spec.target_revisions
        )
    needed = max(replicas_needed(entry), 1 if gets_traffic(entry) else 0)
    return (snapshot.of(name).running or 0) < needed


def by_need(snapshot: Snapshot) -> list[tuple[str, RevisionSnapshot]]:
    """The revisions, those first that lack replicas."""
    return sorted(snapshot.revisions.items(), key=lambda item: (not lacks(snapshot, item[0]), item[0]))


def effect_of(snapshot: Snapshot, name: str) -> Effect:
    return STOPS if lacks(snapshot, name) else INFORMS


def lack_of(snapshot: Snapshot, name: str) -> str:
    """``it runs 1 of the 3 replicas that the stage wants``."""
    entry = snapshot.stage.up.get(name)
    running = snapshot.of(name).running
    has = "unknown" if running is None else str(running)
    wanted = entry.target_replicas if entry is not None else snapshot.of(name).desired
    if wanted is None:
        wanted = snapshot.of(name).desired
    if wanted is None:
        return f"it runs {has if running is not None else 'an unknown number of'} replicas"
    return f"it runs {has} of {replicas(wanted)}"
