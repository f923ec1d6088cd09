"""What a loop keeps in memory does not grow with the rollouts that it has seen."""

from tests.loop.replaced_rollouts import Succession


def test_a_loop_keeps_nothing_of_rollouts_that_are_gone() -> None:
    """``python -m tests.bench memory`` does the same with 10,000 rollouts, and looks at the process."""
    succession = Succession()
    for _ in range(2):
        succession.replace()
    before = succession.items()
    for _ in range(3):
        succession.replace()
    assert succession.items() == before
