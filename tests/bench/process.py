"""Processes of the loop's bench, looked at from outside: the loop itself, and what CPU the servers have used."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sandbox.demo.process import Process
from tests.bench.cluster import Cluster, wait

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class LoopUnderTest:
    """The loop as a process, looked at from outside."""

    def __init__(self, cluster: Cluster, process: Process, port: int, began: float) -> None:
        self._cluster, self._process, self._port, self._began = cluster, process, port, began

    def first_reconciles(self, count: int) -> float:
        """Seconds since the start after which so many rollouts have been looked at."""
        wait(
            lambda: self._reconciles() >= count and self.queue_is_empty(), "everything is looked at", 900.0, pause=0.25
        )
        return time.monotonic() - self._began

    def queue_is_empty(self) -> bool:
        return self._metric("stagegate_loop_queue_depth") == 0.0

    def requests(self) -> int:
        """Requests so far, watches and the lease's left out, by its own count."""
        page = self._cluster.page(self._port)
        return sum(
            int(float(line.rpartition(" ")[2]))
            for line in page.splitlines()
            if line.startswith("stagegate_loop_api_requests_total{") and not re.search('"(watch|leases)"', line)
        )

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def megabytes(self) -> float:
        return self._status("VmRSS")

    def peak_megabytes(self) -> float:
        return self._status("VmHWM")

    def _status(self, key: str) -> float:
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
        return int(found.group(1)) / 1024 if found else 0.0

    def _reconciles(self) -> float:
        return self._metric('stagegate_loop_reconciles_total{kind="rollout"')

    def _metric(self, start: str) -> float:
        page = self._cluster.page(self._port)
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(start))


@contextmanager
def running_loop(cluster: Cluster) -> Iterator[LoopUnderTest]:
    """The loop under its own account, with leader election as in a cluster."""
    log = cluster.folder / f"loop-{time.monotonic_ns()}.log"
    arguments = ["loop", "--kubeconfig", str(cluster.loop_kubeconfig), "--pages-host", "127.0.0.1"]
    arguments += ["--pages-port", "0"]
    process = Process(arguments, log)
    try:
        began = time.monotonic()
        wait(lambda: "pages at" in log.read_text(), "the loop starts")
        found = re.search(r"pages at http://127\.0\.0\.1:(\d+)/", log.read_text())
        assert found is not None
        loop = LoopUnderTest(cluster, process, int(found.group(1)), began)
        wait(lambda: "working" in log.read_text(), "the loop leads", 600.0)
        yield loop
    finally:
        process.stop(20.0)


def server_cpu() -> dict[str, float]:
    """Seconds of CPU so far by program, of the control planes that this process has started."""
    found = {"kube-apiserver": 0.0, "etcd": 0.0}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            if name in found and int(fields[1]) == os.getpid():
                found[name] += (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def megabytes_of(pid: int) -> float:
    """Megabytes of a process and of those that it has started; what they share counts once."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(found.group(1)) / 1024 if found else 0.0) + sum(megabytes_of(int(child)) for child in children)
