"""The law of the fence: it notices what a former leader stored after another had taken over, and nothing else."""

import pytest

from tests.chaos.answered import Answered, Wire
from tests.chaos.fence import judge_reigns

LEASE = "/apis/coordination.k8s.io/v1/namespaces/stagegate-system/leases/stagegate-loop"
SPA = "/apis/serving.knative.dev/v1/namespaces/a/stagepodautoscalers/x"
BOTH = {"loop-1", "loop-2"}


def lease(who: str, version: int, arrived: float, holder: str | None = None, code: int = 200) -> Answered:
    asked: Wire = {"spec": {"holderIdentity": who if holder is None else holder}}
    return Answered("PUT", LEASE, code, asked, {"metadata": {"resourceVersion": str(version)}}, who, arrived)


def write(who: str, version: int, arrived: float, code: int = 200, method: str = "PATCH") -> Answered:
    return Answered(method, SPA, code, {}, {"metadata": {"resourceVersion": str(version)}}, who, arrived)


TAKEN_OVER = [lease("loop-1", 1, 1.0), write("loop-1", 2, 2.0), lease("loop-1", 3, 3.0), lease("loop-2", 5, 9.0)]


@pytest.mark.parametrize(
    ("writes", "broken", "refused", "under_way"),
    [
        pytest.param([write("loop-2", 6, 10.0)], 0, 0, 0, id="the new leader's own"),
        pytest.param([write("loop-1", 4, 8.0)], 0, 0, 0, id="stored before"),
        pytest.param([write("loop-1", 6, 10.0)], 1, 0, 0, id="stored after"),
        pytest.param([write("loop-1", 3, 10.0, method="DELETE")], 1, 0, 0, id="a deletion after"),
        pytest.param([write("loop-1", 0, 10.0, code=409)], 0, 1, 0, id="refused after"),
        pytest.param([write("loop-1", 0, 8.0, code=409)], 0, 0, 0, id="refused before"),
        pytest.param([write("loop-1", 6, 8.0)], 0, 0, 1, id="arrived before, stored after"),
        pytest.param([write("loop-3", 6, 10.0)], 0, 0, 0, id="of one that elects no leader"),
        pytest.param([lease("loop-1", 7, 11.0), write("loop-1", 8, 12.0)], 0, 0, 0, id="it leads again"),
        pytest.param([lease("loop-1", 0, 11.0, code=409), write("loop-1", 8, 12.0)], 1, 0, 0, id="it only tried to"),
        pytest.param([lease("loop-1", 7, 11.0, holder=""), write("loop-1", 8, 12.0)], 1, 0, 0, id="it gave it up"),
    ],
)
def test_writes_after_a_takeover(writes: list[Answered], broken: int, refused: int, under_way: int) -> None:
    reigns = judge_reigns([*TAKEN_OVER, *writes], BOTH)
    assert (len(reigns.broken), reigns.refused, reigns.under_way) == (broken, refused, under_way)


def test_an_event_of_a_former_leader_is_counted_apart() -> None:
    path = "/api/v1/namespaces/a/events"
    late = Answered("POST", path, 201, {}, {"metadata": {"resourceVersion": "6"}}, "loop-1", 10.0)
    reigns = judge_reigns([*TAKEN_OVER, late], BOTH)
    assert (reigns.broken, reigns.late_events) == ([], 1)


@pytest.mark.parametrize("condition", [{}, {"metadata": {"resourceVersion": "2"}}])
def test_a_write_of_the_new_leader_that_changes_nothing_has_the_version_of_a_former_one(condition: Wire) -> None:
    idle = Answered("PATCH", SPA, 200, condition, {"metadata": {"resourceVersion": "2"}}, "loop-2", 10.0)
    assert judge_reigns([*TAKEN_OVER, idle], BOTH).broken == []


def test_takeovers_are_counted_and_renewals_are_not() -> None:
    assert judge_reigns([*TAKEN_OVER, lease("loop-2", 6, 10.0), lease("loop-1", 7, 20.0)], BOTH).takeovers == 2
