"""The served key pair: it is read at the start and again periodically; only a valid one is served."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from certs.protocols import Supervisor

_LOG: Final = logging.getLogger("stagegate.certificate")

OnRead = Callable[[Literal["loaded", "refused"]], None]
"""Called for each key pair that was read and is new: it was loaded, or refused."""


class ServedKeyPair(ABC):
    """A place that keeps a key pair, and the live context that serves it.

    If a new pair is invalid, the last good one is still served.
    """

    def __init__(self, live: LiveContext, now: Callable[[], datetime], on_read: OnRead) -> None:
        self.live = live
        self.last_error = ""
        self._now = now
        self._on_read = on_read
        self._wake: Callable[[], object] = lambda: None

    @property
    @abstractmethod
    def place(self) -> str:
        """The name of the place in messages."""

    @abstractmethod
    def read(self) -> KeyPair | None:
        """The key pair as stored, None while that is not known yet. Raises CertificateError if it cannot be read."""

    def start(self) -> None:
        """Start what ``read`` relies on; most places need nothing."""
        return

    def stop(self) -> None:
        """Stop it."""
        return

    def load(self, key_pair: KeyPair) -> bool:
        """Serve the key pair; False if it is served already. Raises CertificateError, which names the place."""
        try:
            loaded = self.live.load(key_pair, self._now())
        except CertificateError as problem:
            raise CertificateError(f"{self.place}: {problem}") from problem
        if loaded:
            self._on_read("loaded")
        return loaded

    def take(self, key_pair: KeyPair | None, problem: str = "") -> None:
        """Load what was just read, or record why it could not be read; the same error in a row is logged once.

        Two files cannot be replaced at one instant: a reader may get one old and one new, and the next read gets both.
        """
        if key_pair is not None:
            try:
                if self.load(key_pair) and self.live.certificate is not None:
                    until = f"{self.live.certificate.not_valid_after_utc:%FT%TZ}"
                    _LOG.info("new certificate served", extra={"fields": {"until": until}})
            except CertificateError as refused:
                problem = str(refused)
        if problem and problem != self.last_error:
            self._on_read("refused")
            kept = "the last good certificate is still served" if self.live.key_pair else "no certificate to serve yet"
            _LOG.warning("%s: %s", kept, problem)
        self.last_error = problem

    def wake(self) -> None:
        """Read now; from any thread."""
        # The loop of a server that has just stopped is closed.
        with suppress(RuntimeError):
            self._wake()

    async def watch(self, seconds: float, supervisor: Supervisor) -> None:
        """Read every so many seconds, and when woken, until cancelled."""
        woken, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)

        async def turn() -> float:
            woken.clear()
            try:
                key_pair = await asyncio.to_thread(self.read)
            except CertificateError as problem:
                self.take(None, str(problem))
            except Exception as fault:
                self.take(None, f"cannot read {self.place}: {type(fault).__name__}: {fault}")
                raise
            else:
                self.take(key_pair)
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), seconds)
            return 0.0

        await supervisor.keep("certificate", turn)


class ServedFiles(ServedKeyPair):
    """Two PEM files: certificate and key."""

    def __init__(
        self, certificate: Path, key: Path, live: LiveContext, now: Callable[[], datetime], on_read: OnRead
    ) -> None:
        super().__init__(live, now, on_read)
        self.certificate = certificate
        self.key = key

    @property
    def place(self) -> str:
        return f"{self.certificate} and {self.key}"

    def read(self) -> KeyPair:
        """What the files hold now. Raises CertificateError for a file that cannot be read."""
        parts = []
        for path in (self.certificate, self.key):
            try:
                parts.append(path.read_bytes())
            except OSError as problem:
                raise CertificateError(f"cannot read {path}: {problem.strerror}") from problem
        return KeyPair(*parts)
