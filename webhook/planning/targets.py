"""The start and end lists of a rollout, from a Knative Service, its Route and its Revisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.api import TargetRevision


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """The bounds that a Revision's annotations state, in replicas; None where absent or unreadable."""

    name: str
    min_scale: int | None = None
    max_scale: int | None = None


def revision_records(revisions: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, RevisionRecord]:
    """Records by name, from pairs of a Revision's name and its annotations."""
    raise NotImplementedError


def newest_revision_name(service: str, generation: int) -> str:
    """The name Knative gives the revision of this generation of a Configuration, at most 63 characters long."""
    raise NotImplementedError


def final_target_revisions(
    service: Mapping[str, Any], generation: int, records: Mapping[str, RevisionRecord]
) -> list[TargetRevision]:
    """The end list: ``service`` is the Knative Service on the wire, ``generation`` that of its Configuration.

    Mirrors ``GetFinalTargetRevision``.
    """
    raise NotImplementedError


def initial_target_revisions(
    service: Mapping[str, Any],
    generation: int,
    route: Mapping[str, Any] | None,
    records: Mapping[str, RevisionRecord],
) -> list[TargetRevision]:
    """The start list of a rollout that has none yet: the traffic in the Route's status, empty without one.

    Mirrors ``GetInitialTargetRevision``.
    """
    raise NotImplementedError
