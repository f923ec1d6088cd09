"""Whether a rollout fits: rows of a quota, of what is used now and at the peak, and the sentence."""

from decimal import Decimal
from typing import Any

import pytest

from webhook.forecast.room import Room, fit, rooms_of


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    status = {} if used is None else {"status": {"hard": hard, "used": used}}
    return {"metadata": {"name": "gpus"}, "spec": {"hard": hard, **spec}, **status}


@pytest.mark.parametrize(
    ("one", "rooms"),
    [
        pytest.param(
            quota({"requests.nvidia.com/gpu": "8", "pods": "10", "secrets": "3"}, {"requests.nvidia.com/gpu": "6"}),
            [("pods", 10, 0), ("nvidia.com/gpu", 8, 6)],
            id="what pods count in, and what is used of it",
        ),
        pytest.param(quota({"cpu": "4"}), [("cpu", 4, None)], id="of a file: nobody knows what is used"),
        pytest.param(quota({"cpu": "4"}, scopes=["BestEffort"]), [], id="pods without requests"),
        pytest.param(quota({"cpu": "4"}, scopes=["NotTerminating"]), [("cpu", 4, None)], id="pods without a deadline"),
        pytest.param(quota({"cpu": "4"}, scopeSelector={"matchExpressions": []}), [], id="of a priority class"),
        pytest.param(quota({"cpu": "many"}), [], id="no quantity"),
    ],
)
def test_the_rooms_of_a_quota(one: dict[str, Any], rooms: list[tuple[str, Any, Any]]) -> None:
    assert [(room.resource, room.hard, room.used) for room in rooms_of([one])] == rooms


@pytest.mark.parametrize(
    ("room", "text"),
    [
        pytest.param(
            Room("--fits", "nvidia.com/gpu", Decimal(6)), "fits: nvidia.com/gpu 6 of 6 (--fits)", id="just as many"
        ),
        pytest.param(
            Room("--fits", "nvidia.com/gpu", Decimal(5)),
            "does not fit: nvidia.com/gpu 6 of 5, 1 too many (--fits)",
            id="too few",
        ),
        pytest.param(
            Room("ResourceQuota gpus", "nvidia.com/gpu", Decimal(8), Decimal(7)),
            "does not fit: nvidia.com/gpu 9 of 8, 1 too many (ResourceQuota gpus)",
            id="beside others: what the rollout uses now is used already",
        ),
        pytest.param(Room("--fits", "memory", Decimal(1)), "fits: memory 0 of 1 (--fits)", id="not used at all"),
    ],
)
def test_whether_a_rollout_fits(room: Room, text: str) -> None:
    found = fit(room, now={"nvidia.com/gpu": Decimal(4)}, peak={"nvidia.com/gpu": Decimal(6)})
    assert (found.text, found.fits) == (text, text.startswith("fits"))
