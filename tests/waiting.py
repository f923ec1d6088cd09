"""Waiting for a condition, in tests of what happens in other threads and processes."""

import time
from collections.abc import Callable


def eventually(
    condition: Callable[[], object],
    what: str,
    within: float = 60.0,
    shown: Callable[[], object] = lambda: "",
    pause: float = 0.02,
) -> None:
    """Wait until the condition holds; after ``within`` seconds fail with what was waited for and what is shown."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what} {shown()}".rstrip()
        time.sleep(pause)
