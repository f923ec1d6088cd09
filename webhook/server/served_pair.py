"""The served pair: where it is kept is read at the start and again all the time; only a good one is served."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from webhook.cluster.supervisor import Supervisor
from webhook.server.metrics import ServerMetrics

_LOG: Final = logging.getLogger("stagegate.certificate")


class ServedPair(ABC):
    """A place that keeps a pair, and the live context that serves it. A bad pair leaves the last good one served."""

    def __init__(self, live: LiveContext, metrics: ServerMetrics, now: Callable[[], datetime]) -> None:
        self.live = live
        self.trouble = ""
        self._metrics = metrics
        self._now = now
        self._wake: Callable[[], object] = lambda: None

    @property
    @abstractmethod
    def place(self) -> str:
        """What a message calls the place."""

    @abstractmethod
    def read(self) -> KeyPair | None:
        """What is kept there now, None while that is not known yet. Raises CertificateError when it cannot be read."""

    def start(self) -> None:
        """Begin whatever ``read`` relies on; most places need nothing."""
        return

    def stop(self) -> None:
        """End it."""
        return

    def load(self, pair: KeyPair) -> bool:
        """Serve the pair; False when it is served already. Raises CertificateError, which names the place."""
        try:
            loaded = self.live.load(pair, self._now())
        except CertificateError as problem:
            raise CertificateError(f"{self.place}: {problem}") from problem
        if loaded:
            self._metrics.found_pair("loaded")
        return loaded

    def look(self, pair: KeyPair | None, problem: str = "") -> None:
        """Take what was just read, or why it could not be; a bad state is told once, and stays until it is mended.

        Two files cannot be replaced at one instant: a reader may catch one old and one new, and sees the rest of the
        change with its next look.
        """
        if pair is not None:
            try:
                if self.load(pair) and self.live.certificate is not None:
                    until = f"{self.live.certificate.not_valid_after_utc:%FT%TZ}"
                    _LOG.info("new certificate served", extra={"fields": {"until": until}})
            except CertificateError as refused:
                problem = str(refused)
        if problem and problem != self.trouble:
            self._metrics.found_pair("refused")
            kept = "the last good certificate stays" if self.live.pair else "no certificate to serve yet"
            _LOG.warning("%s: %s", kept, problem)
        self.trouble = problem

    def wake(self) -> None:
        """Look at once; from any thread."""
        # The loop of a server that has just stopped is closed.
        with suppress(RuntimeError):
            self._wake()

    async def watch(self, seconds: float, supervisor: Supervisor | None = None) -> None:
        """Look every so many seconds, and when woken, for ever."""
        woken, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)

        async def turn() -> float:
            woken.clear()
            try:
                pair = await asyncio.to_thread(self.read)
            except CertificateError as problem:
                self.look(None, str(problem))
            except Exception as fault:
                self.look(None, f"cannot read {self.place}: {type(fault).__name__}: {fault}")
                raise
            else:
                self.look(pair)
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), seconds)
            return 0.0

        await (supervisor or Supervisor()).keep("certificate", turn)
