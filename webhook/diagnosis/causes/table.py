"""The table of causes, in the order in which they are told: what comes first stops whatever comes after."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from webhook.diagnosis.cause import Cause
from webhook.diagnosis.causes import rollout, steering
from webhook.diagnosis.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class CauseRow:
    """``find`` gives the cause where it holds, more than one where it holds for several objects."""

    id: str
    summary: str
    find: Callable[[Snapshot], Iterable[Cause]]


CAUSES: Final = (
    CauseRow("failed", "the rollout was marked failed", rollout.failed),
    CauseRow("paused", "somebody paused the rollout", steering.paused),
    CauseRow("aborted", "somebody aborted the rollout", steering.aborted),
    CauseRow("revision-shared", "another rollout moves one of its revisions", rollout.revision_shared),
    CauseRow("revision-missing", "a revision that the stage moves does not exist", rollout.revision_missing),
)
"""Every cause by id. An id never changes its meaning."""


def causes_of(snapshot: Snapshot) -> list[Cause]:
    """The causes that hold, in the order of the table; none for a rollout that is complete or being deleted."""
    if snapshot.ro.is_complete or snapshot.ro.metadata.deletion_timestamp:
        return []
    return [cause for row in CAUSES for cause in row.find(snapshot)]
