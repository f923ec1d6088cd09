"""Source: where the pages read."""

from typing import Protocol

from webhook.diagnosis.world import World


class Source(Protocol):
    """A world that changes; ``webhook.diagnosis.live_world.LiveWorld`` is one."""

    def world(self) -> World: ...

    def version(self) -> int:
        """A number that grows with every change of the world."""
        ...

    def wait(self, version: int, seconds: float) -> int:
        """The version, once it is another than this one or the time is over."""
        ...

    def not_ready(self) -> str:
        """Why there is nothing to show yet, with the last error; empty once there is."""
        ...
