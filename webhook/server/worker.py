"""The worker: gunicorn's asgi worker, with a bound on connections, deadlines, and an exit that cuts no call."""

import asyncio
import os
import signal
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

from gunicorn.workers.gasgi import ASGIWorker

from webhook.server.connection import Connection
from webhook.server.usual_call import UsualCallConnection
from webhook.signals import ending_signals, ignore_the_rest, let_through

if TYPE_CHECKING:
    from webhook.server.service import Service

_ACCEPTS_AT_ONCE: Final = 64
_SWEEP_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 0.25
_EVICTED_FIRST: Final = ("handshake", "header", "closing", "idle")


class StagegateWorker(ASGIWorker):  # type: ignore[misc]
    """Accepts by itself: gunicorn and asyncio count a connection only once its handshake is done."""

    alive: bool

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.service: Service = self.app.service
        self.limits = self.service.limits
        self.tally = self.service.tally
        self.open: dict[Connection, None] = {}
        self._stopping = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether every answer from now on says that its connection closes."""
        return self.service.draining

    def init_signals(self) -> None:
        """The ending signals; a terminal sends them to this process too, so the others do nothing here either."""
        ignore_the_rest()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in ending_signals():
            at_once = number in (signal.SIGINT, signal.SIGQUIT)
            self.loop.add_signal_handler(number, self.handle_quit_signal if at_once else self.handle_exit_signal)
        self.loop.add_signal_handler(signal.SIGABRT, self.handle_abort_signal)

    def handle_exit_signal(self) -> None:
        """SIGTERM and SIGHUP. Gunicorn's ``alive`` stays: without it, connections close unannounced."""
        self.service.draining = True
        self._stopping.set()

    def handle_quit_signal(self) -> None:
        """SIGINT and SIGQUIT: at once."""
        super().handle_quit_signal()
        self._stopping.set()

    def forget(self, connection: Connection) -> None:
        """The connection is over, or never came to be."""
        self.open.pop(connection, None)
        self.tally.connections = len(self.open)

    async def _serve(self) -> None:
        let_through()
        for listener in self.sockets:
            self._listen(listener.sock)
        tasks = [self.loop.create_task(each) for each in (self._sweep(), *self.service.start())]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            await self._beat()
            if not self._quick_shutdown:
                await self._drain()
        finally:
            self.alive = False
            for task in tasks:
                task.cancel()
            self.service.stop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that should run for as long as the worker has failed: end the worker, and the arbiter starts anew."""
        if not task.cancelled() and task.exception() is not None:
            self.log.error("the worker ends: a part of it failed", exc_info=task.exception())
            self._stopping.set()

    async def _beat(self) -> None:
        """Show the arbiter signs of life until it is time to stop, or until it is gone."""
        while not self._stopping.is_set() and self.ppid == os.getppid():
            self.notify()
            try:
                await asyncio.wait_for(self._stopping.wait(), 1.0)
            except TimeoutError:
                continue

    async def _drain(self) -> None:
        """Answer with `Connection: close` for a while, then accept no more, then let every call end."""
        self.service.draining = True
        self.log.info("draining for %g seconds", self.limits.drain_seconds)
        await self._until(self.limits.drain_seconds)
        for listener in self.sockets:
            self._accept(listener.sock)
            self.loop.remove_reader(listener.sock.fileno())
            listener.close()
        await self._until(self.limits.finish_seconds)
        for connection in list(self.open):
            connection.abort()

    async def _until(self, seconds: float) -> None:
        """Until so many seconds are over; once the listeners are closed, until the last busy connection is."""
        end = self.loop.time() + seconds
        while self.loop.time() < end and not self._quick_shutdown:
            self.notify()
            if all(listener.sock is None for listener in self.sockets):
                for connection in [each for each in self.open if each.stage == "idle"]:
                    connection.close()
                if not self.open:
                    return
            await asyncio.sleep(0.05)

    async def _sweep(self) -> None:
        """End the connections that are past their deadline."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self.loop.time()
            for connection in [each for each in self.open if each.deadline < now]:
                connection.expire()

    def _listen(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self.loop.add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                peer, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as problem:
                # Out of descriptors or memory: the listener stays readable, so asking again at once would never end.
                self.log.warning("cannot accept a connection: %s", problem)
                self.loop.remove_reader(listener.fileno())
                self.loop.call_later(_PAUSE_SECONDS, self._listen, listener)
                return
            if len(self.open) < self.limits.connections or self._evict():
                self._admit(peer)
            else:
                self.tally.closed["full"] += 1
                peer.close()

    def _evict(self) -> bool:
        """Make room: the longest waiting connection without a call under way gives way to a new one."""
        for stage in _EVICTED_FIRST:
            for connection in self.open:
                if connection.stage == stage:
                    self.tally.closed["crowded"] += 1
                    self.forget(connection)
                    connection.abort()
                    return True
        return False

    def _admit(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = UsualCallConnection(self)
        self.open[connection] = None
        self.tally.connections = len(self.open)
        connection.handshake = self.loop.create_task(self._shake_hands(peer, connection))

    async def _shake_hands(self, peer: socket.socket, connection: Connection) -> None:
        try:
            await self.loop.connect_accepted_socket(
                lambda: connection,
                peer,
                ssl=self.service.context,
                ssl_handshake_timeout=self.limits.handshake_seconds * 2,
                ssl_shutdown_timeout=self.limits.close_seconds,
            )
        except (OSError, ssl.SSLError, asyncio.CancelledError) as problem:
            self.forget(connection)
            peer.close()
            self.log.debug("no handshake: %s", problem)
