"""A traffic client of a held Route."""

from webhook.api import RolloutOrchestrator


class Held:
    """``waiting`` is what the traffic waits for, None once requests follow; ``moves`` counts how often it was moved."""

    def __init__(self, waiting: str | None) -> None:
        self.waiting = waiting
        self.moves = 0

    def is_held(self, ro: RolloutOrchestrator) -> bool:
        return True

    def move(self, ro: RolloutOrchestrator) -> None:
        self.moves += 1

    def waiting_for(self, ro: RolloutOrchestrator) -> str | None:
        return self.waiting
