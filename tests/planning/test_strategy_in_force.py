"""Which strategy is in force."""

import pytest

from tests.planning.rollouts import rollout
from webhook.planning import RolloutConfig, strategy_in_force
from webhook.planning.config import STRATEGY_ANNOTATION


@pytest.mark.parametrize(
    ("annotated", "specified", "configured", "in_force"),
    [
        (None, "", "availability", "availability"),
        (None, "", "resourceutil", "resourceutil"),
        (None, "availability", "resourceutil", "availability"),
        ("resourceutil", "availability", "availability", "resourceutil"),
        ("availability", "resourceutil", "resourceutil", "availability"),
    ],
)
def test_strategy_in_force(annotated: str | None, specified: str, configured: str, in_force: str) -> None:
    """The annotation, else what the RO states, else what is configured; upstream takes what is configured."""
    annotations = {STRATEGY_ANNOTATION: annotated} if annotated is not None else None
    ro = rollout(strategy=specified, annotations=annotations)
    assert strategy_in_force(ro, RolloutConfig(progressive_rollout_strategy=configured)) == in_force


@pytest.mark.parametrize(
    ("word", "read"),
    [
        (" ResourceUtil\t", "resourceutil"),
        ("RESOURCEUTIL", "resourceutil"),
        ("resource-util", "availability"),
        ("canary", "availability"),
        ("AVAILABILITY ", "availability"),
    ],
)
def test_strategy_spelling(word: str, read: str) -> None:
    """Blanks are cut, case is ignored, an unknown word is availability."""
    config = RolloutConfig(progressive_rollout_strategy="resourceutil")
    assert strategy_in_force(rollout(strategy=word), config) == read


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_word_states_nothing(blank: str) -> None:
    ro = rollout(strategy=blank, annotations={STRATEGY_ANNOTATION: blank})
    assert strategy_in_force(ro, RolloutConfig(progressive_rollout_strategy="resourceutil")) == "resourceutil"
    assert strategy_in_force(ro, RolloutConfig(progressive_rollout_strategy=blank)) == "availability"
