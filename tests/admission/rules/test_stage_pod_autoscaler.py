"""The rules of an SPA, each with its whole text."""

from typing import Any

import pytest

from tests.admission.reviews import (
    BOTH_LABELS,
    LOOP,
    OWNER,
    UPSTREAM,
    cache,
    complete_spa,
    entry,
    lines,
    spa,
    stored_ro,
    verdict_on,
)

MUST_COUNT = "must be a whole number from 0 to 2147483647 [SPA001]; leave it out to inherit the revision's own bound"


@pytest.mark.parametrize(
    ("obj", "denied"),
    [
        (spa(), []),
        (spa({"stageMinScale": 0, "stageMaxScale": 0}), []),
        (spa({"stageMinScale": 5, "stageMaxScale": 0}), []),
        (spa({"stageMinScale": 3, "stageMaxScale": 3}), []),
        (spa({"stageMinScale": 5}), []),
        (spa(labels=dict(BOTH_LABELS)), []),
        (
            spa([1]),
            [
                (
                    "spec: Invalid value: a list: must be an object [SPA001]; "
                    "kubectl explain stagepodautoscalers.spec shows its fields"
                )
            ],
        ),
        (spa({"stageMinScale": -1}), [f"spec.stageMinScale: Invalid value: -1: {MUST_COUNT}"]),
        (spa({"stageMaxScale": "3"}), [f'spec.stageMaxScale: Invalid value: "3": {MUST_COUNT}']),
        (spa({"stageMaxScale": 2**31}), [f"spec.stageMaxScale: Invalid value: 2147483648: {MUST_COUNT}"]),
        (
            spa({"stageMaxScale": 10**400}),
            [f"spec.stageMaxScale: Invalid value: a number beyond all ranges: {MUST_COUNT}"],
        ),
        (
            spa({"stageMinScale": 5, "stageMaxScale": 3}),
            [
                (
                    "spec.stageMinScale: Invalid value: 5: must not exceed spec.stageMaxScale (3) [SPA002]; "
                    "lower it, or raise spec.stageMaxScale (0 stands for no limit)"
                )
            ],
        ),
        (
            spa(labels={"serving.knative.dev/revision": "hello-00001"}),
            [
                (
                    'metadata.labels[serving.knative.dev/revision]: Invalid value: "hello-00001": must be the '
                    'object\'s own name, "hello-00002" [SPA003]; leave the label out to have it filled in'
                )
            ],
        ),
        (
            spa({"stageMinScale": True, "stageMaxScale": -2}, labels={"serving.knative.dev/revision": ""}),
            [
                f"spec.stageMinScale: Invalid value: true: {MUST_COUNT}",
                f"spec.stageMaxScale: Invalid value: -2: {MUST_COUNT}",
                (
                    'metadata.labels[serving.knative.dev/revision]: Invalid value: "": must be the object\'s own '
                    'name, "hello-00002" [SPA003]; leave the label out to have it filled in'
                ),
            ],
        ),
    ],
)
def test_what_is_denied(obj: dict[str, Any], denied: list[str]) -> None:
    verdict = verdict_on(obj)
    assert lines(verdict) == denied
    assert verdict.allowed == (not denied)


def test_a_label_is_not_compared_with_a_name_that_is_not_there_yet() -> None:
    obj = spa(name=None, generateName="hello-", labels={"serving.knative.dev/revision": "hello-00002"})
    assert verdict_on(obj).allowed


@pytest.mark.parametrize(
    ("own", "bounds", "warned"),
    [
        # An entry without bounds says nothing about absent ones, and neither do equal ones.
        ({}, (None, None), []),
        ({"minScale": 2, "maxScale": 10}, (2, 10), []),
        ({"minScale": 2, "maxScale": 10}, (1, 5), []),
        ({"minScale": 0, "maxScale": 0}, (0, 0), []),
        # SPA004
        (
            {"maxScale": 10},
            (1, 0),
            [
                (
                    "spec.stageMaxScale: Invalid value: 0: removes the cap of 10 that the rollout gives this revision, "
                    "since 0 stands for no limit [SPA004]; leave it out to keep the cap"
                ),
                (
                    "spec.stageMinScale: Invalid value: 1: has no effect, since the revision's own minimum is 0; "
                    "in effect: minimum 0, no maximum [SPA006]; a stage can only lower it"
                ),
            ],
        ),
        # SPA005
        (
            {"minScale": 2},
            (1, 5),
            [
                (
                    "spec.stageMaxScale: Invalid value: 5: has no effect, since the revision has no maximum of its "
                    "own; in effect: minimum 1, no maximum [SPA005]; a limit needs autoscaling.knative.dev/max-scale "
                    "on the revision"
                )
            ],
        ),
        (
            {"minScale": 2, "maxScale": 0},
            (2, 5),
            [
                (
                    "spec.stageMaxScale: Invalid value: 5: has no effect, since the revision has no maximum of its "
                    "own; in effect: minimum 2, no maximum [SPA005]; a limit needs autoscaling.knative.dev/max-scale "
                    "on the revision"
                )
            ],
        ),
        # SPA006
        (
            {"minScale": 2, "maxScale": 10},
            (3, 8),
            [
                (
                    "spec.stageMinScale: Invalid value: 3: has no effect, since the revision's own minimum is 2; "
                    "in effect: minimum 2, maximum 8 [SPA006]; a stage can only lower it"
                )
            ],
        ),
        (
            {"maxScale": 1},
            (1, 1),
            [
                (
                    "spec.stageMinScale: Invalid value: 1: has no effect, since the revision's own minimum is 0; "
                    "in effect: minimum 0, maximum 1 [SPA006]; a stage can only lower it"
                )
            ],
        ),
        # SPA007: what the rollout sets and does not fit beside what is set here.
        (
            {"minScale": 5, "maxScale": 10},
            (None, 3),
            [
                (
                    "spec.stageMinScale: Required value: the rollout gives this revision 5, which does not fit "
                    "spec.stageMaxScale (3) [SPA007]; until it is set, the revision's own bound holds"
                )
            ],
        ),
        (
            {"minScale": 7, "maxScale": 5},
            (6, None),
            [
                (
                    "spec.stageMaxScale: Required value: the rollout gives this revision 5, which does not fit "
                    "spec.stageMinScale (6) [SPA007]; until it is set, the revision's own bound holds"
                )
            ],
        ),
        (
            {"minScale": 5, "maxScale": 3},
            (None, None),
            [
                (
                    "spec.stageMinScale: Required value: the rollout gives this revision 5, but a minimum of 5 with a "
                    "maximum of 3 [SPA007]; until it is set, the revision's own bound holds"
                ),
                (
                    "spec.stageMaxScale: Required value: the rollout gives this revision 3, but a minimum of 5 with a "
                    "maximum of 3 [SPA007]; until it is set, the revision's own bound holds"
                ),
            ],
        ),
        (
            {"minScale": 2, "maxScale": -1},
            (2, None),
            [
                (
                    "spec.stageMaxScale: Required value: the rollout gives this revision -1, which is not valid "
                    "[SPA007]; until it is set, the revision's own bound holds"
                )
            ],
        ),
        (
            {"minScale": -1, "maxScale": 3},
            (None, 3),
            [
                (
                    "spec.stageMinScale: Required value: the rollout gives this revision -1, which is not valid "
                    "[SPA007]; until it is set, the revision's own bound holds"
                )
            ],
        ),
    ],
)
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
def test_what_the_bounds_come_to_beside_the_rollout_s(
    own: dict[str, Any], bounds: tuple[int | None, int | None], warned: list[str], path: str
) -> None:
    rollouts = cache(stored_ro(targetRevisions=[entry("hello-00002", 100, **own)]))
    obj = complete_spa(*bounds)
    assert lines(verdict_on(obj, path=path, lookup=rollouts, user=LOOP)) == warned


@pytest.mark.parametrize(
    ("bounds", "field", "own"), [((None, 10), "spec.stageMinScale", 2), ((2, None), "spec.stageMaxScale", 10)]
)
def test_an_absent_bound_is_missed_where_nothing_fills_it_in(
    bounds: tuple[int | None, int | None], field: str, own: int
) -> None:
    verdict = verdict_on(complete_spa(*bounds), path="/validate", lookup=cache(stored_ro()), user=LOOP)
    assert lines(verdict) == [
        (
            f"{field}: Required value: the rollout gives this revision {own} [SPA007]; "
            f"until it is set, the revision's own bound holds"
        )
    ]


@pytest.mark.parametrize("spec", [{"stageMinScale": -1, "stageMaxScale": 0}, {"stageMinScale": 3, "stageMaxScale": -1}])
def test_bounds_that_are_none_come_to_nothing(spec: dict[str, int]) -> None:
    obj = spa(spec, labels=dict(BOTH_LABELS), ownerReferences=[OWNER])
    verdict = verdict_on(obj, lookup=cache(stored_ro()), user=LOOP)
    assert [finding.id for finding, _ in verdict.findings] == ["SPA001"]


@pytest.mark.parametrize(
    ("bounds", "strategy", "own"),
    [
        ((0, 0), "resourceutil", {"minScale": 2, "maxScale": 10}),
        ((0, 0), " ResourceUtil ", {"minScale": 2, "maxScale": 10}),
        ((0, 1), "availability", {"minScale": 2, "maxScale": 10}),
        ((0, 1), "availability", {"minScale": 2}),
        ((0, 1), "resourceutil", {}),
    ],
)
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize("user", [UPSTREAM, LOOP])
def test_what_upstream_writes_passes_without_a_warning(
    bounds: tuple[int, int], strategy: str, own: dict[str, Any], path: str, user: str
) -> None:
    rollouts = cache(stored_ro(strategy=strategy, targetRevisions=[entry("hello-00002", 100, **own)]))
    verdict = verdict_on(complete_spa(*bounds), path=path, lookup=rollouts, user=user)
    assert (verdict.allowed, verdict.findings, verdict.notices, verdict.defaults) == (True, (), (), ())


def test_under_availability_nothing_is_held_and_0_0_removes_the_cap() -> None:
    verdict = verdict_on(complete_spa(0, 0), lookup=cache(stored_ro()), user=LOOP)
    assert [finding.id for finding, _ in verdict.findings] == ["SPA004"]


STATED = (
    'set by hand, but RolloutOrchestrator "hello" controls this object [SPA008]; '
    "the loop sets it: leave it out, also in Git"
)


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
def test_a_person_is_warned_not_to_set_what_the_loop_sets(path: str) -> None:
    verdict = verdict_on(complete_spa(1, 8), path=path, lookup=cache(stored_ro()))
    assert verdict.allowed
    assert lines(verdict) == [
        f"spec.stageMinScale: Invalid value: 1: {STATED}",
        f"spec.stageMaxScale: Invalid value: 8: {STATED}",
    ]


def test_it_is_the_rollout_filled_in_as_owner_too_that_controls() -> None:
    obj = spa({"stageMaxScale": 8}, labels={"serving.knative.dev/service": "hello"})
    assert lines(verdict_on(obj, lookup=cache(stored_ro()))) == [f"spec.stageMaxScale: Invalid value: 8: {STATED}"]


@pytest.mark.parametrize(
    "owner",
    [
        {**OWNER, "controller": False},
        {**OWNER, "kind": "Deployment", "apiVersion": "apps/v1"},
    ],
)
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
def test_nobody_else_s_object_is_the_loop_s(owner: dict[str, Any], path: str) -> None:
    obj = complete_spa(1, 8, ownerReferences=[owner])
    assert lines(verdict_on(obj, path=path, lookup=cache(stored_ro()))) == []
