"""In what two outcomes of a rollout differ: rows of an outcome, and the lines about it."""

from dataclasses import replace

import pytest

from sandbox.demo.outcome import Outcome, Share, differences


def stage(old: int | None, old_target: int, new: int, new_target: int) -> tuple[Share, Share]:
    return Share("old", old, "down", old_target), Share("new", new, "up", new_target)


SEEN = Outcome(
    (stage(50, 5, 50, 5), stage(None, 0, 100, 10)), 15, {"old": (0, 1), "new": (2, 10)}, {"old": 0, "new": 10}
)


@pytest.mark.parametrize(
    ("observed", "reasons"),
    [
        pytest.param(SEEN, [], id="as predicted"),
        pytest.param(
            replace(SEEN, stages=SEEN.stages[:1]), ["2 stages were predicted, there were 1"], id="a stage too few"
        ),
        pytest.param(
            replace(SEEN, stages=(stage(40, 5, 60, 5), SEEN.stages[1])),
            [
                (
                    "stage 1 should have been old down 50 % (5 replicas), new up 50 % (5 replicas), "
                    "and was old down 40 % (5 replicas), new up 60 % (5 replicas)"
                )
            ],
            id="another stage",
        ),
        pytest.param(replace(SEEN, peak=16), ["a peak of 15 replicas was predicted, it was 16"], id="a higher peak"),
        pytest.param(
            replace(SEEN, bounds={"old": (0, 1), "new": (0, 10)}),
            ["bounds of SPA new: predicted (2, 10), found (0, 10)"],
            id="other bounds",
        ),
        pytest.param(
            replace(SEEN, bounds={"new": (2, 10)}),
            ["bounds of SPA old: predicted (0, 1), found None"],
            id="an SPA that is gone",
        ),
        pytest.param(
            replace(SEEN, scales={"old": 1, "new": 10}), ["replicas of old: predicted 0, found 1"], id="one still runs"
        ),
    ],
)
def test_differences_from_what_was_observed(observed: Outcome, reasons: list[str]) -> None:
    assert differences(SEEN, observed) == reasons
