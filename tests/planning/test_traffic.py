"""Who gets how much of the traffic."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.planning.rollouts import COMPLETE, IN_PROGRESS, REACHED, down, plain, rollout, stay, up
from webhook.api import InvalidRollout, RolloutOrchestrator
from webhook.api import TargetRevision as Revision
from webhook.planning import RolloutConfig, RouteTraffic, route_traffic

OLD, NEW = "hello-00001", "hello-00002"
SERVICE: dict[str, Any] = {"metadata": {"name": "hello"}, "spec": {}}
STAGE = [down(OLD, 70, 7, latest_revision=False), up(NEW, 30, 3, latest_revision=True, min_scale=5)]
RECORDED = [down(OLD, 90, 9, latest_revision=True), up(NEW, 10, 1, latest_revision=True)]
TARGET = plain(NEW, min_scale=5)


def route(
    spas: dict[str, int | None],
    *,
    ro: RolloutOrchestrator | None = None,
    config: RolloutConfig | None = None,
    service: dict[str, Any] = SERVICE,
) -> RouteTraffic:
    if ro is None:
        ro = under_way()
    return route_traffic(service, ro, config or RolloutConfig(), spas)


def under_way(
    *,
    stage: Sequence[Revision] = STAGE,
    target: Sequence[Revision] = (TARGET,),
    recorded: Sequence[Revision] = RECORDED,
    conditions: dict[str, str] = IN_PROGRESS,
    strategy: str = "",
) -> RolloutOrchestrator:
    return rollout(stage=stage, target=target, recorded=recorded, conditions=conditions, strategy=strategy)


def percents(routed: RouteTraffic) -> list[int]:
    return [entry["percent"] for entry in routed.traffic]


def test_several_entries_of_the_service_are_left_alone() -> None:
    own = [{"revisionName": OLD, "percent": 50}, {"latestRevision": True, "percent": 50}]
    assert route({}, service={"metadata": {"name": "hello"}, "spec": {"traffic": own}}).traffic == own


def test_the_stage_becomes_the_traffic_once_its_replicas_are_there() -> None:
    assert route({OLD: 7, NEW: 3}).traffic == [
        {"revisionName": OLD, "latestRevision": False, "percent": 70},
        {"configurationName": "hello", "latestRevision": True, "percent": 30},
    ]


@pytest.mark.parametrize("spas", [{OLD: 7}, {OLD: 7, NEW: None}, {OLD: 7, NEW: 2}])
def test_until_then_traffic_stays_as_it_was_recorded(spas: dict[str, int | None]) -> None:
    routed = route(spas)
    assert percents(routed) == [90, 10]
    assert [entry.latest_revision for entry in routed.stage_revision_status] == [False, True]


@pytest.mark.parametrize(
    ("target", "wanted", "runs", "held"),
    [
        # What the stage wants counts up to the minimum of the target.
        (plain(NEW, min_scale=5), 3, 2, True),
        (plain(NEW, min_scale=5), 5, 4, True),
        (plain(NEW, min_scale=5), 5, 5, False),
        (plain(NEW, min_scale=5), 6, 0, False),
        # Without a wanted number it is the minimum.
        (plain(NEW, min_scale=5), None, 4, True),
        # Without a minimum nothing is held back.
        (plain(NEW), 3, 0, False),
    ],
)
def test_what_traffic_waits_for(target: Revision, wanted: int | None, runs: int, held: bool) -> None:
    ro = under_way(target=[target], stage=[STAGE[0], up(NEW, 30, wanted)])
    assert percents(route({OLD: 7, NEW: runs}, ro=ro)) == ([90, 10] if held else [70, 30])


def test_a_target_that_was_not_recorded_yet_gets_nothing_at_first() -> None:
    ro = under_way(recorded=[plain(OLD, latest_revision=True)])
    assert route({OLD: 10}, ro=ro).traffic == [
        {"revisionName": OLD, "latestRevision": False, "percent": 100},
        {"configurationName": "hello", "latestRevision": True, "percent": 0},
    ]


@pytest.mark.parametrize(
    ("ro", "config"),
    [
        (under_way(), RolloutConfig(progressive_rollout_enabled=False)),
        (under_way(), RolloutConfig(rollout_duration="10m")),
        (under_way(recorded=[]), RolloutConfig()),
        (under_way(), RolloutConfig(progressive_rollout_strategy="ResourceUtil")),
        (under_way(target=[plain(NEW, 50, min_scale=5), plain(OLD, 50)]), RolloutConfig()),
    ],
)
def test_traffic_waits_only_in_one_strategy_with_one_target_at_once(
    ro: RolloutOrchestrator, config: RolloutConfig
) -> None:
    assert percents(route({OLD: 7}, ro=ro, config=config)) == [70, 30]


@pytest.mark.parametrize(
    ("conditions", "duration", "shown"),
    [(REACHED, "0", [0, 100]), (COMPLETE, "0", [100]), (REACHED, "10m", [100]), (REACHED, "", [100])],
)
def test_an_entry_without_percent_is_shown_as_0_until_the_end_or_not_at_all(
    conditions: dict[str, str], duration: str, shown: list[int]
) -> None:
    ro = under_way(stage=[down(OLD, None, 0), up(NEW, 100, 10)], recorded=[], conditions=conditions)
    assert percents(route({NEW: 10}, ro=ro, config=RolloutConfig(rollout_duration=duration))) == shown


def test_a_latest_revision_is_routed_by_its_configuration() -> None:
    stage = [up(NEW, 60, latest_revision=True, configuration_name="own", tag="a", url="http://a"), up(OLD, 40)]
    assert route({}, ro=under_way(stage=stage, recorded=[])).traffic == [
        {"configurationName": "own", "latestRevision": True, "percent": 60, "tag": "a", "url": "http://a"},
        {"revisionName": OLD, "percent": 40},
    ]


def test_the_ro_that_was_asked_about_is_unchanged() -> None:
    ro = under_way()
    before = ro.to_dict()
    route({OLD: 7}, ro=ro)
    assert ro.to_dict() == before


def test_of_entries_of_one_revision_the_last_that_states_a_target_counts() -> None:
    stage = [plain(NEW, 50, target_replicas=13), stay(NEW, 30, 0, min_scale=1)]
    ro = under_way(target=[plain(NEW, min_scale=31)], stage=stage, recorded=[plain(OLD, 100)])
    assert percents(route({NEW: 3}, ro=ro)) == [50, 30]
    ro = under_way(target=[plain(NEW, min_scale=31)], stage=stage[::-1], recorded=[plain(OLD, 100)])
    assert percents(route({NEW: 3}, ro=ro)) == [100, 0]


# Differences from upstream


TAGGED = [plain(NEW, 100, min_scale=5), plain(NEW, 0, tag="next")]
NEXT = {"revisionName": NEW, "percent": 0, "tag": "next"}


@pytest.mark.parametrize(
    ("targets", "stage", "runs", "recorded", "traffic"),
    [
        (TAGGED, STAGE, 3, RECORDED, [70, 30, NEXT]),
        (TAGGED, STAGE, 2, RECORDED, [90, 10, NEXT]),
        (TAGGED, STAGE, 0, [plain(OLD)], [100, 0, NEXT]),
        (TAGGED, [down(OLD, None, 0), up(NEW, 100)], 5, RECORDED, [0, 100, NEXT]),
        (TAGGED, [plain(NEW, 100, tag="next")], 5, RECORDED, [100, NEXT]),
        (TAGGED, TAGGED, 5, [], [100, NEXT]),
        ([*TAGGED, plain(NEW, 0, tag="other")], STAGE, 3, RECORDED, [70, 30, NEXT, {**NEXT, "tag": "other"}]),
        # The share of a tag is its own at the end, and none before.
        (
            [plain(NEW, 60), plain(NEW, 40, tag="next")],
            [plain(NEW, 100)],
            5,
            [],
            [60, {**NEXT, "percent": 40}],
        ),
        ([plain(NEW, 60), plain(NEW, 40, tag="next")], STAGE, 5, [], [70, 30, NEXT]),
        # Upstream gives a tag without a percent 100 of its own.
        ([plain(NEW), plain(NEW, tag="next")], [plain(NEW, 100)], 5, [], [100, NEXT]),
    ],
    ids=[
        "under way",
        "held back",
        "not there yet",
        "the last stage",
        "the end at once",
        "without stages",
        "two tags",
        "a tag with a share, at the end",
        "a tag with a share, under way",
        "a tag without a percent",
    ],
)
def test_tag_entries_stay_in_the_traffic(
    targets: list[Revision], stage: list[Revision], runs: int, recorded: list[Revision], traffic: list[Any]
) -> None:
    ro = under_way(target=targets, stage=stage, recorded=recorded)
    routed = route({OLD: 7, NEW: runs}, ro=ro).traffic
    assert [entry if "tag" in entry else entry["percent"] for entry in routed] == traffic


def test_tag_entries_of_the_service_follow_the_stages() -> None:
    own = [{"latestRevision": True, "percent": 100}, {"revisionName": NEW, "tag": "next", "percent": 0}]
    service = {"metadata": {"name": "hello"}, "spec": {"traffic": own}}
    assert percents(route({OLD: 7, NEW: 3}, ro=under_way(target=TAGGED), service=service)) == [70, 30, 0]
    assert route({OLD: 7, NEW: 3}, ro=under_way(), service=service).traffic == own


def test_stated_strategy() -> None:
    """What the RO states decides whether traffic waits."""
    assert percents(route({OLD: 7}, ro=under_way(strategy="resourceutil"))) == [70, 30]
    configured = RolloutConfig(progressive_rollout_strategy="resourceutil")
    assert percents(route({OLD: 7}, ro=under_way(strategy="availability"), config=configured)) == [90, 10]


@pytest.mark.parametrize("word", [" Availability ", "", "canary"])
def test_strategy_spelling(word: str) -> None:
    assert percents(route({OLD: 7}, config=RolloutConfig(progressive_rollout_strategy=word))) == [90, 10]


@pytest.mark.parametrize(
    ("ro", "field"),
    [
        (under_way(target=[]), "spec.targetRevisions"),
        (under_way(stage=[], recorded=[plain(OLD)]), "spec.stageTargetRevisions"),
    ],
)
def test_no_panic_over_lists_that_are_missing(ro: RolloutOrchestrator, field: str) -> None:
    with pytest.raises(InvalidRollout) as caught:
        route({}, ro=ro)
    assert caught.value.field == field
