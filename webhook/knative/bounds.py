"""The bounds of a Revision: its own, those of a stage in their place, and its own again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.knative.annotations import (
    ACTIVATION_SCALE,
    ALIASES,
    AUTOSCALING,
    INITIAL_SCALE,
    MAX_SCALE,
    MIN_SCALE,
    OWN,
)
from webhook.planning.config import parse_integer
from webhook.planning.effective_bounds import scale_bounds

_SET: Final = "set"
_AT_BIRTH: Final = 1
"""Replicas that a new revision starts with; its first stage has at least one."""
_LEAST_ACTIVATION: Final = 2
"""Knative accepts no lower activation scale."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What Knative's ``config-autoscaler`` says for Revisions without the annotation, in replicas; 0 is no bound."""

    min_scale: int = 0
    max_scale: int = 0
    initial_scale: int = 1


@dataclass(frozen=True, slots=True)
class OwnBounds:
    """The scale annotations of a Revision as their author wrote them, by key without the prefix, in either spelling.

    ``set`` is what Stagegate wrote in their place, by the first spelling.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, str] = field(default_factory=dict)

    def number(self, key: str) -> int | None:
        """The value that Knative would read, in replicas; None if it is absent or unreadable."""
        text = self.texts.get(key, self.texts.get(ALIASES[key], ""))
        return parse_integer(text, bits=32)

    def annotations(self) -> dict[str, str]:
        """As annotations, with their prefix."""
        return {AUTOSCALING + key: text for key, text in self.texts.items()}


def own_bounds(annotations: Mapping[str, str]) -> OwnBounds:
    """The own bounds of a Revision: from the record, if there is one, else from its annotations.

    A value that differs from the one Stagegate wrote was written by somebody else, and is the Revision's own from then
    on. A record that cannot be read counts as none.
    """
    found = {
        key: annotations[AUTOSCALING + key]
        for pair in ALIASES.items()
        for key in pair
        if AUTOSCALING + key in annotations
    }
    record = _record_of(annotations)
    if record is None:
        return OwnBounds(found)
    texts, written = dict(record.texts), dict(record.set)
    for key, alias in ALIASES.items():
        if key not in written:
            authored = {key, alias}
        elif found.get(key, "") != written[key]:
            del written[key]
            authored = {key, alias}
        else:
            authored = {alias} if written[key] else set()
        for spelling in authored:
            texts.pop(spelling, None)
            if spelling in found:
                texts[spelling] = found[spelling]
    return OwnBounds(texts, written)


def minimum_in_force(annotations: Mapping[str, str]) -> int | None:
    """The minimum that Knative goes by, whoever wrote it; None if it is absent or unreadable."""
    spellings = (MIN_SCALE, ALIASES[MIN_SCALE])
    texts = {key: annotations[AUTOSCALING + key] for key in spellings if AUTOSCALING + key in annotations}
    return OwnBounds(texts).number(MIN_SCALE)


def bounds_at_birth(annotations: Mapping[str, str], defaults: Defaults) -> dict[str, str]:
    """The annotations that start a new Revision with at most one replica; empty if it does so by itself.

    0 stays 0: a service that scales to zero starts with none.
    """
    own = own_bounds(annotations)
    lowered: dict[str, str] = {}
    for key, default in ((MIN_SCALE, defaults.min_scale), (INITIAL_SCALE, defaults.initial_scale)):
        if _or(own.number(key), default) > _AT_BIRTH:
            lowered[key] = str(_AT_BIRTH)
    return {key: text for key, text in _patch(annotations, own, lowered).items() if text is not None}


def bounds_of_stage(
    annotations: Mapping[str, str],
    stage: tuple[int | None, int | None],
    defaults: Defaults,
    floor: int = 0,
) -> dict[str, str | None]:
    """The annotations that differ for a stage, None for one to be removed; empty if none differs.

    ``stage`` is the minimum and maximum of the SPA; ``floor`` is a number of replicas that the revision has to keep
    for its share of the traffic, as far as its maximum allows. A maximum of 0 holds a revision in an SPA, but means no
    limit on a Revision, so it is not written.
    """
    own = own_bounds(annotations)
    own_min = _or(own.number(MIN_SCALE), defaults.min_scale)
    own_max = _or(own.number(MAX_SCALE), defaults.max_scale)
    stage_min, stage_max = stage
    minimum, maximum = scale_bounds(own_min, own_max, stage_min, stage_max or None)
    minimum = max(minimum, min(floor, maximum) if maximum else floor)
    wanted: dict[str, str] = {}
    if minimum != own_min:
        wanted[MIN_SCALE] = str(minimum)
    if maximum != own_max:
        wanted[MAX_SCALE] = str(maximum)
    activation = own.number(ACTIVATION_SCALE)
    if activation is not None:
        # Knative refuses one below the minimum or above the maximum.
        fitting = max(activation, minimum)
        fitting = min(fitting, maximum) if maximum else fitting
        if fitting != activation:
            wanted[ACTIVATION_SCALE] = str(fitting) if fitting >= _LEAST_ACTIVATION else ""
    if INITIAL_SCALE in own.set:
        wanted[INITIAL_SCALE] = own.set[INITIAL_SCALE]
    return _patch(annotations, own, wanted)


def restored_bounds(annotations: Mapping[str, str]) -> dict[str, str | None]:
    """The annotations that give a Revision its own bounds back, exactly as they were; empty if it has them."""
    return _patch(annotations, own_bounds(annotations), {})


def has_record(annotations: Mapping[str, str]) -> bool:
    """True if bounds of a stage may stand in place of a Revision's own."""
    return OWN in annotations


def _or(number: int | None, default: int) -> int:
    return default if number is None else number


def _patch(annotations: Mapping[str, str], own: OwnBounds, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """What differs between the annotations and the own bounds with the wanted ones in their place.

    An empty text removes the annotation in both spellings.
    """
    after: dict[str, str | None] = {AUTOSCALING + key: None for pair in ALIASES.items() for key in pair}
    after |= own.annotations()
    for key, text in wanted.items():
        after[AUTOSCALING + key] = text or None
        if not text:
            after[AUTOSCALING + ALIASES[key]] = None
    after[OWN] = _record(own.texts, wanted) if wanted else None
    return {key: text for key, text in after.items() if annotations.get(key) != text}


def _record(texts: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    return json.dumps({**texts, _SET: dict(wanted)}, sort_keys=True, separators=(",", ":"))


def _record_of(annotations: Mapping[str, str]) -> OwnBounds | None:
    try:
        value: Any = json.loads(annotations[OWN])
    except (KeyError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    known = {key for pair in ALIASES.items() for key in pair}
    texts = {key: text for key, text in value.items() if key in known and isinstance(text, str)}
    written = value.get(_SET)
    found = written if isinstance(written, dict) else {}
    return OwnBounds(texts, {key: text for key, text in found.items() if key in ALIASES and isinstance(text, str)})
