"""The served pair on disk: read at the start, and again whenever the files change."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from certs.context import LiveContext
from certs.errors import CertificateError
from certs.pair import Pair
from webhook.server.tally import Tally

_LOG: Final = logging.getLogger("stagegate.certificate")


class PairFiles:
    """Two PEM files and the live context that serves them. A pair that is not good leaves the last good one served."""

    def __init__(
        self, certificate: Path, key: Path, live: LiveContext, tally: Tally, now: Callable[[], datetime]
    ) -> None:
        self.certificate = certificate
        self.key = key
        self.live = live
        self.trouble = ""
        self._tally = tally
        self._now = now
        self._seen: Pair | None = None

    def read(self) -> Pair:
        """What the files hold now. Raises CertificateError for a file that cannot be read."""
        parts = []
        for path in (self.certificate, self.key):
            try:
                parts.append(path.read_bytes())
            except OSError as problem:
                raise CertificateError(f"cannot read {path}: {problem.strerror}") from problem
        return Pair(*parts)

    def load(self, pair: Pair) -> bool:
        """Serve the pair; False when it is served already. Raises CertificateError, which names the files."""
        try:
            loaded = self.live.load(pair, self._now())
        except CertificateError as problem:
            raise CertificateError(f"{self.certificate} and {self.key}: {problem}") from problem
        self._tally.pairs["loaded"] += loaded
        return loaded

    def look(self, pair: Pair | None, problem: str = "") -> None:
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
            self._tally.pairs["refused"] += 1
            _LOG.warning("the last good certificate stays: %s", problem)
        self.trouble = problem

    async def watch(self, seconds: float) -> None:
        """Look every so many seconds, for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                pair = await asyncio.to_thread(self.read)
            except CertificateError as problem:
                self.look(None, str(problem))
            else:
                self.look(pair)
