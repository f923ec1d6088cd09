"""The gate: one admission call from bytes to answer, counted. Both lanes end here."""

import logging
import time
from collections.abc import Callable
from typing import Final

from webhook.admission import Answer, Lookup, Settings, examine
from webhook.server.tally import Tally

_LOG: Final = logging.getLogger("stagegate.admission")

Examine = Callable[[bytes, str, Lookup, Settings], Answer]


class Gate:
    """Answers calls from a lookup that others keep up to date."""

    def __init__(
        self,
        lookup: Lookup,
        settings: Settings,
        tally: Tally,
        examine: Examine = examine,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.lookup = lookup
        self.settings = settings
        self.tally = tally
        self._examine = examine
        self._clock = clock

    def answer(self, path: str, body: bytes) -> Answer:
        """The answer to one call; ``path`` is /mutate or /validate, without a query. Raises nothing for any bytes."""
        started = self._clock()
        answer = self._examine(body, path, self.lookup, self.settings)
        self.tally.count(path, answer, self._clock() - started)
        verdict = answer.verdict
        if verdict is not None and not verdict.allowed:
            _LOG.info(
                "denied",
                extra={
                    "fields": {
                        "path": path,
                        "operation": verdict.operation,
                        "kind": verdict.kind,
                        "namespace": verdict.namespace,
                        "name": verdict.name,
                        "uid": verdict.uid,
                        "ids": ",".join(verdict.ids_by_effect.get("denied", [])),
                    }
                },
            )
        return answer
