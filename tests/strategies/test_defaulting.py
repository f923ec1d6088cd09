"""Defaulting: what an SPA has and what its rollout gives it, the members that are added."""

from typing import Any

import pytest

from webhook.api import TargetRevision
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.owner_reference import rollout_owner_reference
from webhook.strategies.defaulting import Defaults, absent_labels, fitting_bounds, spa_defaults

OWNER = rollout_owner_reference("hello", "u1")
LABELS = {REVISION_LABEL: "r1", SERVICE_LABEL: "hello"}
OTHER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "u9"}
LONG = "h" * 64


def gives(low: int | None, high: int | None) -> TargetRevision:
    return TargetRevision(revision_name="r1", min_scale=low, max_scale=high)


def defaults(**given: Any) -> Defaults:
    """What is added to an SPA that lacks everything, unless it is given."""
    bare: dict[str, Any] = {"name": "r1", "labels": None, "owner_references": None, "bounds": (None, None)}
    return spa_defaults(**{**bare, "service": "hello", "uid": "u1", "entry": gives(2, 8), **given})


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ({}, Defaults(LABELS, OWNER, 2, 8)),
        ({"labels": LABELS, "owner_references": [OWNER], "bounds": (0, 1)}, Defaults({}, None, None, None)),
        ({"service": "", "uid": "", "entry": None}, Defaults({REVISION_LABEL: "r1"}, None, None, None)),
        ({"entry": None}, Defaults(LABELS, OWNER, None, None)),
        ({"name": ""}, Defaults({SERVICE_LABEL: "hello"}, OWNER, 2, 8)),
        ({"labels": {SERVICE_LABEL: None, "team": "x"}}, Defaults(LABELS, OWNER, 2, 8)),
        ({"labels": {REVISION_LABEL: "other"}}, Defaults({SERVICE_LABEL: "hello"}, OWNER, 2, 8)),
        ({"name": LONG}, Defaults({SERVICE_LABEL: "hello"}, OWNER, 2, 8)),
        ({"service": LONG}, Defaults({REVISION_LABEL: "r1"}, rollout_owner_reference(LONG, "u1"), 2, 8)),
        ({"name": LONG[:63]}, Defaults({REVISION_LABEL: LONG[:63], SERVICE_LABEL: "hello"}, OWNER, 2, 8)),
        ({"owner_references": [OTHER]}, Defaults(LABELS, OWNER, 2, 8)),
        ({"owner_references": [{**OTHER, "controller": True}]}, Defaults(LABELS, None, 2, 8)),
        ({"owner_references": [{**OWNER, "controller": False}]}, Defaults(LABELS, None, 2, 8)),
        ({"owner_references": [OTHER, {"uid": "u1", "name": "hello"}]}, Defaults(LABELS, None, 2, 8)),
        ({"uid": ""}, Defaults(LABELS, None, 2, 8)),
    ],
    ids=[
        "a bare one",
        "a complete one",
        "no rollout yet",
        "not listed",
        "no name yet",
        "a label of null",
        "a label that is set",
        "a name too long for a label",
        "a rollout whose name is too long for a label",
        "the longest label",
        "an owner that is no controller",
        "another controller",
        "the rollout set as an owner that does not control",
        "the rollout set beside another owner",
        "a rollout that was not stored yet",
    ],
)
def test_what_is_absent_is_added_and_what_is_stated_stays(given: dict[str, Any], added: Defaults) -> None:
    assert defaults(**given) == added


def test_an_empty_label_is_not_added() -> None:
    assert absent_labels({}, {"a": "", "b": "x", "c": LONG}) == {"b": "x"}


@pytest.mark.parametrize(
    ("found", "own", "fitting"),
    [
        ((None, None), gives(2, 10), (2, 10)),
        ((1, None), gives(2, 10), (None, 10)),
        ((None, 5), gives(2, 10), (2, None)),
        ((1, 5), gives(2, 10), (None, None)),
        ((None, None), gives(None, None), (None, None)),
        ((None, None), gives(0, 0), (0, 0)),
        ((None, None), gives(5, 0), (5, 0)),
        ((None, 0), gives(5, 3), (5, None)),
        ((None, 3), gives(5, 10), (None, None)),
        ((7, None), gives(5, 6), (None, None)),
        ((None, None), gives(5, 3), (None, None)),
        ((None, None), gives(-1, 3), (None, 3)),
        ((None, "3"), gives(2, 10), (2, None)),
    ],
)
def test_only_bounds_that_fit_stand_in_for_absent_ones(
    found: tuple[Any, Any], own: TargetRevision, fitting: tuple[int | None, int | None]
) -> None:
    assert fitting_bounds(*found, own) == fitting
