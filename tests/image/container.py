"""Container: a program of the image as a pod would run it, by the kernel's own means."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from tests.image.build import Image

_WITHIN: Final = 120.0

# What a container runtime mounts, on a root that is read-only and nosuid: /proc, a few devices, a /dev/shm in memory.
_MOUNTS: Final = """
mount --bind "$1" "$1" && mount -o remount,bind,ro,nosuid "$1" &&
mount -t proc proc "$1/proc" &&
mount -t tmpfs -o mode=755 dev "$1/dev" && mkdir "$1/dev/shm" && mount -t tmpfs -o noexec,nosuid shm "$1/dev/shm" &&
for device in null urandom; do touch "$1/dev/$device" && mount --bind "/dev/$device" "$1/dev/$device" || exit 1; done &&
for volume in $2; do
  mount --bind "${volume%%:*}" "$1${volume##*:}" && mount -o remount,bind,ro "$1${volume##*:}" || exit 1
done &&
root="$1" user="$3" && shift 3 &&
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"""


class Container:
    """A process of the image: its user, its environment, its entry point, process 1 of its own, and a root that nobody
    can write to. ``volumes`` are folders of this machine to mount read-only at folders that the image has.

    Use it in a ``with``: at the end it is gone.
    """

    def __init__(
        self,
        image: Image,
        arguments: Sequence[str],
        log: Path,
        *,
        entry: Sequence[str] | None = None,
        volumes: Mapping[Path, str] = {},
        environment: Mapping[str, str] = {},
    ) -> None:
        mounted = " ".join(f"{source}:{target}" for source, target in volumes.items())
        self._log = log
        self._output: IO[str] = log.open("w")
        self._process = subprocess.Popen(
            [
                *("/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c"),
                *(f"PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin; {_MOUNTS}", "sh", str(image.root), mounted),
                *(image.stage.last("USER"), *(entry or image.stage.listed("ENTRYPOINT")), *arguments),
            ],
            env={**image.environment(), **environment},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # unshare ends with its child. The other way round does not hold: the kernel forgets that a child is to die with
        # its parent once the child is another user.
        children = self._children()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        if not children:
            self._process.kill()
        self._process.wait(_WITHIN)
        self._output.close()

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """Of the program itself, as this machine counts."""
        (pid,) = self._children()
        return pid

    def _children(self) -> list[int]:
        parent = self._process.pid
        try:
            return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def wait(self, seconds: float = _WITHIN) -> int:
        """Its exit code."""
        return self._process.wait(seconds)

    def stop(self, seconds: float = _WITHIN) -> int:
        """As the kubelet ends it; its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait(seconds)

    def wait_for_line(self, part: str, seconds: float = _WITHIN) -> str:
        """The first line of its output that holds this."""
        deadline = time.monotonic() + seconds
        while True:
            found = next((line for line in self.output.splitlines() if part in line), None)
            if found is not None:
                return found
            assert self._process.poll() is None, f"it ended: {self.output}"
            assert time.monotonic() < deadline, f"no {part!r} in {self.output}"
            time.sleep(0.05)

    def status(self) -> dict[str, str]:
        """What the kernel says of it: /proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
