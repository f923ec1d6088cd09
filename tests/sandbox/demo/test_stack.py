"""The order in which a stack ends."""

import threading
from pathlib import Path

from sandbox import Sandbox
from sandbox.demo.stack import Stack
from sandbox.demo.story import PACE


def test_what_is_removed_at_the_end_is_removed_after_everything_that_writes_has_ended(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    def writers() -> set[str]:
        """The threads of this stack; those of other tests may run beside it."""
        return {thread.name for thread in threading.enumerate() if thread not in before} & {"autoscaler", "knative"}

    running: list[set[str]] = []
    with Sandbox(tmp_path / "sandbox") as plane, Stack(plane, tmp_path) as stack:
        stack.at_end(lambda: running.append(writers()))
        stack.install()
        stack.start_autoscaler(PACE, 0.1, "default")
        stack.start_knative("default")
        assert writers() == {"autoscaler", "knative"}

    assert running == [set()]
