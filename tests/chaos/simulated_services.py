"""People and Knative, simulated independently of the loop."""

import threading
from collections.abc import Sequence
from typing import Final

from tests.chaos.services import Service

_EVERY_SECONDS: Final = 0.1


class SimulatedServices:
    """Lets every service take its steps, in a ``with``. With ``more`` people begin new rollouts.

    ``problem`` is what ended it before its time.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="services", daemon=True)
        self.more = True
        self.problem: BaseException | None = None

    def __enter__(self) -> "SimulatedServices":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(30.0)

    @property
    def over(self) -> bool:
        """True once every rollout is complete, or back after an abort."""
        return all(service.is_over for service in self._services)

    def _run(self) -> None:
        try:
            while not self._stopped.wait(_EVERY_SECONDS):
                for service in self._services:
                    service.step(more=self.more)
        except BaseException as problem:
            self.problem = problem
