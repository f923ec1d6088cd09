"""Network: two network namespaces, in which addresses of pods and services are addresses of the machine itself."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.rig.release import Unavailable

SERVER: Final = "192.0.2.1"
"""The address of the main namespace as seen from the second one."""

PODS: Final = "10.244.0.0/16"
SERVICES: Final = "10.0.0.0/16"

_CLONE_NEWNET: Final = 0x40000000
_RESOLVER: Final = Path("/etc/resolv.conf")


class Network:
    """Whoever enters ``inside`` or ``aside`` opens sockets there, and so do the threads and processes started there.

    Knative's controller and autoscaler both listen on port 8080 of all addresses, so one of them runs aside.
    Everything goes when the last process and the object are gone.
    """

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            home = self._open()
            try:
                self._inside = self._new()
                self._aside = self._new()
            finally:
                self._set(home)
            with self.inside():
                self._configure()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._ends.close()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread works in the main namespace."""
        with self._entered(self._inside):
            yield

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The calling thread works in the second namespace, from which only SERVER can be reached."""
        with self._entered(self._aside):
            yield

    @contextmanager
    def _entered(self, namespace: int) -> Iterator[None]:
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self._set(namespace)
            try:
                yield
            finally:
                self._set(before)
        finally:
            os.close(before)

    def _open(self) -> int:
        descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._ends.callback(os.close, descriptor)
        return descriptor

    def _new(self) -> int:
        if self._libc.unshare(_CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise Unavailable(f"no network namespace for Knative ({reason}): run as root or with CAP_NET_ADMIN")
        return self._open()

    def _set(self, namespace: int) -> None:
        if self._libc.setns(namespace, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def _configure(self) -> None:
        aside = f"/proc/{os.getpid()}/fd/{self._aside}"
        _ip("link set lo up")
        for addresses in (PODS, SERVICES, *_name_servers()):
            _ip(f"route add local {addresses} dev lo")
        _ip("link add inside type veth peer name aside")
        _ip(f"link set aside netns {aside}")
        _ip(f"address add {SERVER}/30 dev inside")
        _ip("link set inside up")
        with self.aside():
            _ip("link set lo up")
            _ip("address add 192.0.2.2/30 dev aside")
            _ip("link set aside up")


def _name_servers() -> list[str]:
    """Those of the machine; programs ask them for names of services, which the rig answers."""
    try:
        lines = [line.split() for line in _RESOLVER.read_text().splitlines()]
    except OSError:
        return []
    return [
        words[1] for words in lines if words[:1] == ["nameserver"] and ":" not in words[1] and words[1][:4] != "127."
    ]


def _ip(command: str) -> None:
    try:
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise Unavailable("no program ip for Knative's network namespace: install iproute2") from missing
    if done.returncode != 0:
        raise Unavailable(f"ip {command}: {done.stderr.strip()}")
