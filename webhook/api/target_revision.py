"""TargetRevision: an entry of an RO's lists of revisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from webhook.api import wire
from webhook.api.errors import MalformedObject
from webhook.api.word import word_of

DIRECTION_UP: Final = "up"
DIRECTION_DOWN: Final = "down"
DIRECTION_STAY: Final = "stay"

_TEXTS: Final = {
    "revisionName": "revision_name",
    "configurationName": "configuration_name",
    "tag": "tag",
    "url": "url",
    "direction": "direction",
}
_REPLICAS: Final = {"targetReplicas": "target_replicas", "minScale": "min_scale", "maxScale": "max_scale"}
_KNOWN: Final = frozenset({*_TEXTS, *_REPLICAS, "percent", "latestRevision"})
_MEMBERS: Final = (*_TEXTS.values(), *_REPLICAS.values(), "latest_revision")
_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class TargetRevision:
    """A revision with its share of traffic (percent), its bounds (replicas) and its direction.

    None means absent, which is not 0. An absent string is the empty string, as upstream.
    ``extra`` has the unknown members.
    """

    revision_name: str = ""
    percent: int | None = None
    latest_revision: bool | None = None
    configuration_name: str = ""
    tag: str = ""
    url: str = ""
    direction: str = ""
    target_replicas: int | None = None
    min_scale: int | None = None
    max_scale: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: str = "") -> "TargetRevision":
        """Read the wire form; ``path`` is its field path. Raises MalformedObject on a wrong type or range."""
        if not isinstance(data, Mapping):
            raise MalformedObject(path or "revision", f"must be an object, not {wire.kind_of(data)}")
        return cls(
            revision_name=wire.text(data, "revisionName", path),
            percent=wire.integer(data, "percent", path, 64),
            latest_revision=wire.flag(data, "latestRevision", path),
            configuration_name=wire.text(data, "configurationName", path),
            tag=wire.text(data, "tag", path),
            url=wire.text(data, "url", path),
            direction=wire.text(data, "direction", path),
            target_replicas=wire.integer(data, "targetReplicas", path, 32),
            min_scale=wire.integer(data, "minScale", path, 32),
            max_scale=wire.integer(data, "maxScale", path, 32),
            extra={key: wire.copy_of(value) for key, value in data.items() if key not in _KNOWN},
        )

    def to_dict(self) -> wire.Wire:
        """The wire form, absent members left out."""
        data: wire.Wire = {key: wire.copy_of(value) for key, value in self.extra.items()}
        data |= {key: value for key, name in _TEXTS.items() if (value := getattr(self, name))}
        data |= {key: value for key, name in _REPLICAS.items() if (value := getattr(self, name)) is not None}
        if self.percent is not None:
            data["percent"] = self.percent
        if self.latest_revision is not None:
            data["latestRevision"] = self.latest_revision
        return data

    @property
    def normalised_direction(self) -> str:
        """The direction, trimmed and in lower case; absent means up. An unknown one is returned as it is."""
        return word_of(self.direction) or DIRECTION_UP

    @property
    def goes_up(self) -> bool:
        return self.normalised_direction == DIRECTION_UP

    @property
    def goes_down(self) -> bool:
        return self.normalised_direction == DIRECTION_DOWN


def revisions_from(data: Mapping[str, Any], key: str, path: str) -> list[TargetRevision]:
    """The list of revisions under ``key``; an absent list is an empty one."""
    where = wire.join(path, key)
    return [
        TargetRevision.from_dict(entry, f"{where}[{index}]")
        for index, entry in enumerate(wire.sequence(data, key, path))
    ]


def one_per_revision(revisions: Iterable[TargetRevision]) -> list[TargetRevision]:
    """The entries of a list with those of one revision merged, in the position of its first entry.

    A revision with tags is listed more than once. A member is taken from the last entry that has it. Percents are added
    up, to at most 100, since upstream gives a tag without a percent 100 of its own.
    """
    by_name: dict[str, list[TargetRevision]] = {}
    for revision in revisions:
        by_name.setdefault(revision.revision_name, []).append(revision)
    return [entries[0] if len(entries) == 1 else _merged(entries) for entries in by_name.values()]


def entries_by_revision(*lists: Iterable[TargetRevision]) -> dict[str, TargetRevision]:
    """The entry of each revision by name, from the first of the lists that names it."""
    entries: dict[str, TargetRevision] = {}
    for revisions in lists:
        entries = {revision.revision_name: revision for revision in one_per_revision(revisions)} | entries
    return entries


def index_of(revision_name: str, revisions: Sequence[TargetRevision]) -> int:
    """The index of the first entry of a revision. Raises ValueError if there is none."""
    return [revision.revision_name for revision in revisions].index(revision_name)


def _merged(entries: Sequence[TargetRevision]) -> TargetRevision:
    members: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for entry in entries:
        members |= {name: value for name in _MEMBERS if (value := getattr(entry, name)) not in (None, "")}
        extra |= entry.extra
    percents = [entry.percent for entry in entries if entry.percent is not None]
    percent = min(sum(percents), _WHOLE) if percents else None
    return replace(entries[0], **members, percent=percent, extra=extra)
