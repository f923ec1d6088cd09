"""Revisions that their rollout does not name any more: since when, and which of them are left running. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.chaos import recorded
from tests.chaos.history import Stored, Wire
from tests.chaos.recorded import Scales, percent_of, scales_of, stage_of

Key = tuple[str, str]
ENDED: Final = (0, 1)


@dataclass(slots=True)
class Unnamed:
    """Follows rollouts and SPAs; times are those at which versions were seen."""

    named: dict[Key, float] = field(default_factory=dict)
    """When a rollout named a revision last, which it does not any more."""
    still: dict[Key, float] = field(default_factory=dict)
    """When an SPA was last seen let go, or without replicas."""

    def see_rollout(self, one: Stored, before: Wire) -> None:
        """Take the next version of an RO."""
        self.named |= {(one.key[0], name): one.seen for name in recorded.named_by(before)}

    def see_spa(self, one: Stored) -> None:
        """Take the next version of an SPA."""
        if not runs_on(scales_of(one.object)):
            self.still[one.key] = one.seen

    def seconds(self, key: Key, now: float) -> float:
        """How long the SPA has run on unnamed; 0 for what was never named."""
        return now - max(self.named.get(key, now), self.still.get(key, 0.0))

    def left(self, one: Stored, spas: Mapping[Key, Wire], seconds: float) -> Iterator[str]:
        """12: when a stage is done, what the rollout has not named for so long has been let go."""
        named = recorded.named_by(one.object)
        for key, spa in _of_service(one.key, spas):
            scales = scales_of(spa)
            if key[1] not in named and runs_on(scales) and self.seconds(key, one.seen) >= seconds:
                yield f"a stage is done, and {key[1]}, which it does not name, is left with {scales.bounds}"


def left_at_the_end(ros: Mapping[Key, Wire], spas: Mapping[Key, Wire]) -> Iterator[str]:
    """12: where rollouts are complete, or back, and nothing moves any more, only what has traffic runs."""
    for place, ro in ros.items():
        stage = stage_of(ro)
        for key, spa in _of_service(place, spas):
            scales = scales_of(spa)
            if not percent_of(stage, key[1]) and runs_on(scales):
                yield f"at the end {'/'.join(key)} has no traffic, and is left with {scales.bounds}"


def runs_on(scales: Scales) -> bool:
    """Whether a revision was not let go and has replicas, or wants some; what never ran is left as it is."""
    return scales.bounds != ENDED and bool(scales.desired or scales.actual)


def _of_service(place: Key, spas: Mapping[Key, Wire]) -> Iterator[tuple[Key, Wire]]:
    for key, spa in spas.items():
        service = (spa["metadata"].get("labels") or {}).get(recorded.SERVICE_LABEL)
        if (key[0], service) == place:
            yield key, spa
