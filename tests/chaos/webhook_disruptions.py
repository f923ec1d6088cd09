"""The real webhook over TLS, which is killed, stopped and started again at random."""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sandbox.demo.process import Process
from tests.chaos.clocks import set_clock
from tests.chaos.ground import Span
from tests.chaos.life import ENTRY

KILLED: Final = "killed"
SLOW: Final = "slow"
SILENT: Final = "silent"
DISRUPTED: Final = {way: f"the webhook is {way}" for way in (KILLED, SLOW, SILENT)}

_CALL_SECONDS: Final = 3.0
"""The time-out of an API server's call, as in the manifests."""
_START_SECONDS: Final = 120.0


class WebhookDisruptions:
    """Runs the webhook; within a ``with`` block it is disrupted while ``enabled`` is true.

    ``options`` are those of ``stagegate serve``. ``every`` is the mean time in seconds between two disruptions; ``met``
    counts them. The wall clock is right until ``set_clock``.
    """

    def __init__(
        self, kubeconfig: Path, options: Sequence[str], folder: Path, chance: random.Random, every: float
    ) -> None:
        self._chance, self._every = chance, every
        self._log, self._clock = folder / "serve.log", folder / "serve.clock"
        self._options = ["--drain", "0", "--kubeconfig", str(kubeconfig), *options]
        self._process = self._begun()
        self._stopped = threading.Event()
        self._busy = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="disruptions", daemon=True)
        self.met: Counter[str] = Counter()
        self.spans: list[Span] = []
        self.enabled = False

    def __enter__(self) -> "WebhookDisruptions":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._process.stop()

    def stop_disrupting(self) -> None:
        """Disrupt it no more; return when it serves."""
        self.enabled = False
        with self._busy:
            self._process.wait_for_line("serving ", _START_SECONDS)

    def set_clock(self, wrong_by: float) -> None:
        """Let its wall clock be wrong by so many seconds from now on, also after a start."""
        set_clock(self._clock, wrong_by)

    def _run(self) -> None:
        while not self._stopped.wait(self._chance.expovariate(1.0 / self._every)):
            with self._busy:
                if self.enabled:
                    self._disrupt()

    def _disrupt(self) -> None:
        what = self._chance.choices([KILLED, SLOW, SILENT], [5, 4, 1])[0]
        self.met[what] += 1
        began = time.monotonic()
        if what == KILLED:
            self._send(signal.SIGKILL)
            self._stopped.wait(self._chance.uniform(0.0, 0.5))
            self._process.stop()
            self._process = self._begun()
            self._process.wait_for_line("serving ", _START_SECONDS)
        else:
            self._send(signal.SIGSTOP)
            self._stopped.wait(self._chance.uniform(0.3, 1.5) if what == SLOW else _CALL_SECONDS + 0.5)
            self._send(signal.SIGCONT)
        self.spans.append(Span(DISRUPTED[what], began, time.monotonic()))

    def _begun(self) -> Process:
        self._log.unlink(missing_ok=True)
        return Process(["serve", *self._options], self._log, program=["-c", ENTRY.read_text(), str(self._clock)])

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
