"""The bounds of a Revision: lowered at birth, for a stage, and restored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.knative.bounds import (
    Defaults,
    bounds_at_birth,
    bounds_of_stage,
    has_record,
    own_bounds,
    restored_bounds,
)

PREFIX = "autoscaling.knative.dev/"
OWN = PREFIX + "stagegate-own"


def scales(**values: str) -> dict[str, str]:
    """Annotations by key, with _ for -: ``min_scale="4"``, ``minScale="4"``."""
    return {PREFIX + key.replace("_", "-"): value for key, value in values.items()}


def merged(annotations: dict[str, str], patch: dict[str, str | None] | dict[str, str]) -> dict[str, str]:
    """The annotations after a merge patch, as the API server has them."""
    return {key: value for key, value in {**annotations, **patch}.items() if value is not None}


def without_record(annotations: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in annotations.items() if key != OWN}


@pytest.mark.parametrize(
    ("own", "defaults", "lowered"),
    [
        (scales(min_scale="4"), Defaults(), scales(min_scale="1")),
        (scales(min_scale="4", initial_scale="3"), Defaults(), scales(min_scale="1", initial_scale="1")),
        (scales(minScale="4"), Defaults(), scales(minScale="4", min_scale="1")),
        (scales(min_scale="0", initial_scale="0"), Defaults(), scales(min_scale="0", initial_scale="0")),
        (scales(min_scale="1"), Defaults(), scales(min_scale="1")),
        (scales(), Defaults(), {}),
        (scales(), Defaults(min_scale=3, initial_scale=2), scales(min_scale="1", initial_scale="1")),
        (scales(min_scale="0"), Defaults(min_scale=3), scales(min_scale="0")),
        (scales(min_scale="many"), Defaults(), scales(min_scale="many")),
    ],
)
def test_a_new_revision_starts_with_at_most_one_replica(
    own: dict[str, str], defaults: Defaults, lowered: dict[str, str]
) -> None:
    patch = bounds_at_birth(own, defaults)
    assert without_record(merged(own, patch)) == lowered
    assert has_record(merged(own, patch)) == bool(patch)
    assert restored(merged(own, patch)) == own


@pytest.mark.parametrize(
    ("own", "stage", "floor", "wanted"),
    [
        # An SPA lowers, and never raises.
        (scales(min_scale="4", max_scale="10"), (1, 2), 0, scales(min_scale="1", max_scale="2")),
        (scales(min_scale="4", max_scale="10"), (8, 20), 0, scales(min_scale="4", max_scale="10")),
        # No own maximum is no limit, which a stage does not lower.
        (scales(min_scale="4"), (1, 2), 0, scales(min_scale="1")),
        # A maximum of 0 holds in an SPA; on a Revision it would lift the limit.
        (scales(min_scale="4", max_scale="10"), (0, 0), 0, scales(min_scale="0", max_scale="10")),
        # An absent bound leaves the own one.
        (scales(min_scale="4", max_scale="10"), (None, None), 0, scales(min_scale="4", max_scale="10")),
        # The floor keeps the pods of a share where traffic alone decides, up to the maximum.
        (scales(max_scale="10"), (0, 10), 3, scales(min_scale="3", max_scale="10")),
        (scales(max_scale="10"), (0, 2), 3, scales(min_scale="2", max_scale="2")),
        (scales(), (0, None), 3, scales(min_scale="3")),
        (scales(min_scale="4"), (2, None), 1, scales(min_scale="2")),
        # Knative refuses an activation scale above the maximum, and one of 1.
        (scales(max_scale="9", activation_scale="5"), (0, 3), 0, scales(max_scale="3", activation_scale="3")),
        (scales(max_scale="9", activation_scale="5"), (0, 1), 0, scales(max_scale="1")),
        (scales(max_scale="9", activationScale="5"), (0, 1), 0, scales(max_scale="1")),
        # It refuses one below the minimum, too.
        (scales(activation_scale="4"), (0, None), 6, scales(min_scale="6", activation_scale="6")),
        (
            scales(min_scale="4", activationScale="4", max_scale="5"),
            (8, None),
            8,
            scales(min_scale="5", activation_scale="5", activationScale="4", max_scale="5"),
        ),
        (scales(maxScale="9"), (0, 3), 0, scales(maxScale="9", max_scale="3")),
    ],
)
def test_a_stage_stands_in_place_of_the_own_bounds(
    own: dict[str, str], stage: tuple[int | None, int | None], floor: int, wanted: dict[str, str]
) -> None:
    patch = bounds_of_stage(own, stage, Defaults(), floor)
    staged = merged(own, patch)
    assert without_record(staged) == wanted
    assert bounds_of_stage(staged, stage, Defaults(), floor) == {}
    assert restored(staged) == own


def test_the_bounds_of_the_cluster_count_as_own() -> None:
    assert without_record(merged({}, bounds_of_stage({}, (1, 2), Defaults(min_scale=4, max_scale=9)))) == scales(
        min_scale="1", max_scale="2"
    )


def test_a_bound_that_somebody_writes_while_it_is_held_becomes_the_own_one() -> None:
    held = merged(
        scales(min_scale="4", max_scale="10"), bounds_at_birth(scales(min_scale="4", max_scale="10"), Defaults())
    )
    edited = held | scales(min_scale="6", max_scale="12")
    assert own_bounds(edited).annotations() == scales(min_scale="6", max_scale="12")
    staged = merged(edited, bounds_of_stage(edited, (2, 3), Defaults()))
    assert without_record(staged) == scales(min_scale="2", max_scale="3")
    assert restored(staged) == scales(min_scale="6", max_scale="12")


@pytest.mark.parametrize("record", ["", "{", "[]", "null", '{"min-scale":4}', '{"set":[]}', "[" * 5000])
def test_a_record_that_cannot_be_read_keeps_what_the_revision_has(record: str) -> None:
    assert restored(scales(min_scale="4") | {OWN: record}) == scales(min_scale="4")


texts = st.sampled_from(["0", "1", "2", "4", "9", "007", "many", ""])
keys = [PREFIX + key for key in ("min-scale", "minScale", "max-scale", "maxScale", "initial-scale", "initialScale")]
keys += [PREFIX + "activation-scale", PREFIX + "activationScale", PREFIX + "target"]
authored = st.dictionaries(st.sampled_from(keys), texts)
bound = st.none() | st.integers(0, 12)
defaults_of = st.builds(Defaults, st.integers(0, 4), st.integers(0, 12), st.integers(0, 4))


@given(authored, defaults_of, st.lists(st.tuples(bound, bound, st.integers(0, 6)), max_size=4))
def test_whatever_stages_it_goes_through_a_revision_gets_exactly_its_own_annotations_back(
    own: dict[str, str], defaults: Defaults, stages: list[tuple[int | None, int | None, int]]
) -> None:
    now = merged(own, bounds_at_birth(own, defaults))
    for minimum, maximum, floor in stages:
        now = merged(now, bounds_of_stage(now, (minimum, maximum), defaults, floor))
        assert own_bounds(now).annotations() == {key: own[key] for key in own if key != PREFIX + "target"}
    assert restored(now) == own


def restored(annotations: dict[str, str]) -> dict[str, str]:
    return merged(annotations, restored_bounds(annotations))
