"""The start and end lists of a rollout, from a Knative Service, its Route and its Revisions."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from webhook.api import TargetRevision, wire
from webhook.planning.config import parse_integer

MIN_SCALE_ANNOTATION: Final = "autoscaling.knative.dev/min-scale"
MAX_SCALE_ANNOTATION: Final = "autoscaling.knative.dev/max-scale"

_LONGEST_NAME: Final = 63
_DIGEST_LENGTH: Final = 32
_ALL_TRAFFIC: Final = 100


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """The bounds in a Revision's annotations, in replicas; None if absent or unreadable."""

    name: str
    min_scale: int | None = None
    max_scale: int | None = None


def revision_records(revisions: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, RevisionRecord]:
    """The records by name; ``revisions`` are pairs of a Revision's name and its annotations."""
    return {name: _record(name, annotations) for name, annotations in revisions}


def newest_revision_name(service: str, generation: int) -> str:
    """The name that Knative gives the Revision of this generation of a Configuration, at most 63 characters."""
    suffix = f"-{generation:05d}"
    if len(service) + len(suffix) <= _LONGEST_NAME:
        return service + suffix
    digest = hashlib.md5(service.encode(), usedforsecurity=False).hexdigest()
    return service[: _LONGEST_NAME - _DIGEST_LENGTH - len(suffix)] + digest + suffix


def final_target_revisions(
    service: Mapping[str, Any], generation: int, records: Mapping[str, RevisionRecord]
) -> list[TargetRevision]:
    """The end list. ``service`` is the Knative Service in the wire form, ``generation`` that of its Configuration.

    Without traffic it is the newest revision alone. If the newest revision is listed last with no traffic, it is moved
    to the front, since the last entry is the one that goes up. Mirrors ``GetFinalTargetRevision``.
    """
    traffic = wire.sequence(wire.mapping(service, "spec", ""), "traffic", "spec")
    entries = _entries(traffic, "spec") or [TargetRevision()]
    revisions = _revisions_of(entries, service, generation, records)
    if entries[-1].latest_revision and revisions[-1].percent == 0:
        return revisions[-1:] + revisions[:-1]
    return revisions


def initial_target_revisions(
    service: Mapping[str, Any],
    generation: int,
    route: Mapping[str, Any] | None,
    records: Mapping[str, RevisionRecord],
) -> list[TargetRevision]:
    """The start list of a rollout that has none yet: the traffic in the Route's status; empty without a Route.

    Entries with the same name, as with tags, are merged, and all are sorted by name. Mirrors
    ``GetInitialTargetRevision``.
    """
    traffic = wire.sequence(wire.mapping(route or {}, "status", ""), "traffic", "status")
    merged: dict[str, TargetRevision] = {}
    for entry in _entries(traffic, "status"):
        before = merged.get(entry.revision_name)
        merged[entry.revision_name] = entry if before is None else _merged(before, entry)
    return _revisions_of([merged[name] for name in sorted(merged)], service, generation, records)


def _entries(traffic: Sequence[Any], path: str) -> list[TargetRevision]:
    return [TargetRevision.from_dict(entry, f"{path}.traffic[{index}]") for index, entry in enumerate(traffic)]


def _merged(first: TargetRevision, other: TargetRevision) -> TargetRevision:
    percents = [entry.percent for entry in (first, other) if entry.percent is not None]
    return replace(first, percent=sum(percents) if percents else None)


def _revisions_of(
    entries: Sequence[TargetRevision],
    service: Mapping[str, Any],
    generation: int,
    records: Mapping[str, RevisionRecord],
) -> list[TargetRevision]:
    newest = newest_revision_name(wire.text(wire.mapping(service, "metadata", ""), "name", "metadata"), generation)
    template = _template_record(service, newest)
    revisions = []
    for entry in entries:
        name = entry.revision_name or newest
        record = records.get(name, template)
        revisions.append(
            TargetRevision(
                revision_name=name,
                percent=_ALL_TRAFFIC if entry.percent is None else entry.percent,
                latest_revision=name == newest,
                configuration_name=entry.configuration_name,
                tag=entry.tag,
                url=entry.url,
                min_scale=record.min_scale,
                max_scale=record.max_scale,
            )
        )
    return revisions


def _template_record(service: Mapping[str, Any], name: str) -> RevisionRecord:
    template = wire.mapping(wire.mapping(service, "spec", ""), "template", "spec")
    return _record(name, wire.mapping(wire.mapping(template, "metadata", "spec.template"), "annotations", "metadata"))


def _record(name: str, annotations: Mapping[str, str]) -> RevisionRecord:
    return RevisionRecord(
        name,
        parse_integer(annotations.get(MIN_SCALE_ANNOTATION, ""), bits=32),
        parse_integer(annotations.get(MAX_SCALE_ANNOTATION, ""), bits=32),
    )
