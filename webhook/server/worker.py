"""The worker: gunicorn's arbiter starts and watches it; it accepts connections, and its exit cuts no call."""

import asyncio
import faulthandler
import gc
import os
import signal
import socket
import time
from email.utils import formatdate
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import uvloop
from gunicorn.workers.base import Worker

from webhook.server import kernel_buffers
from webhook.server.eviction import first_to_go, is_stalled
from webhook.server.large_bodies import LargeBodies
from webhook.server.protocol import Connection
from webhook.server.tls import Buffers, Tls
from webhook.signals import ending_signals, ignore_the_rest, let_through

if TYPE_CHECKING:
    from webhook.server.service import Service

_ACCEPTS_AT_ONCE: Final = 64
_SWEEP_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 0.25
_COLLECTED_AT: Final = (10_000, 20, 100)


class StagegateWorker(Worker):  # type: ignore[misc]
    """One event loop with every connection. It accepts by itself: asyncio counts a connection after its handshake."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.service: Service = self.app.service
        self.limits = self.service.limits
        self.clients = self.service.clients
        self.handler = self.service.handler
        self.metrics = self.service.metrics
        self.monotonic = time.monotonic
        self.large_bodies = LargeBodies(self.limits.large_together, self.is_stalled)
        self.open: dict[Connection, None] = {}
        self._buffers = Buffers()
        self._connecting: set[asyncio.Task[None]] = set()
        self.loop: asyncio.AbstractEventLoop
        self._stopping = asyncio.Event()
        self._at_once = False
        self.date = _http_date()

    def init_process(self) -> None:
        # Gunicorn sets the signals up next, and the loop takes them.
        self.loop = uvloop.new_event_loop()
        super().init_process()

    def init_signals(self) -> None:
        """The ending signals; a terminal sends them to this process too, so the others do nothing here either."""
        ignore_the_rest()
        # The arbiter ends a worker without heartbeats by SIGABRT, which prints then where each of its threads hangs.
        faulthandler.enable()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in ending_signals():
            at_once = number in (signal.SIGINT, signal.SIGQUIT)
            self.loop.add_signal_handler(number, self._stop_at_once if at_once else self._stop)

    def run(self) -> None:
        for _ in range(self.age - 1):
            # The workers before this one, which the arbiter has replaced.
            self.metrics.faulted("worker")
        # The pages' thread asks: ``list`` takes the connections in one step.
        self.metrics.ask_connections(self.open.__len__, lambda: sum(each.in_flight for each in list(self.open)))
        # Reviews have no cycles. By default a large one is walked again and again while it is parsed.
        gc.freeze()
        gc.set_threshold(*_COLLECTED_AT)
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.loop.close()

    @property
    def draining(self) -> bool:
        """True once shutdown has begun: every response carries ``Connection: close``."""
        return self.service.draining

    def is_stalled(self, connection: Connection) -> bool:
        """True for a call that is under way no longer."""
        return is_stalled(connection, self.loop.time(), self.limits)

    def forget(self, connection: Connection) -> None:
        """The connection has ended, or failed in its handshake."""
        self.open.pop(connection, None)

    def _stop(self) -> None:
        self.service.draining = True
        self._stopping.set()

    def _stop_at_once(self) -> None:
        self._at_once = True
        self._stopping.set()

    async def _serve(self) -> None:
        let_through()
        self.loop.set_exception_handler(self._uncaught)
        for listener in self.sockets:
            kernel_buffers.prepare(listener.sock)
            self._listen(listener.sock)
        sweeps = self.service.supervisor.keep("connections", self._sweep)
        tasks = [self.loop.create_task(each) for each in (sweeps, *self.service.start())]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            await self._beat()
            if not self._at_once:
                await self._drain()
        finally:
            self.alive = False
            for connection in list(self.open):
                connection.abort()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self.service.stop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that should run for as long as the worker has failed: end the worker, and the arbiter starts anew."""
        if not task.cancelled() and task.exception() is not None:
            self.log.error("the worker ends: a part of it failed", exc_info=task.exception())
            self._stopping.set()

    async def _beat(self) -> None:
        """Send the arbiter heartbeats until it is time to stop, or until the arbiter is gone."""
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

    async def _until(self, seconds: float) -> None:
        """Until so many seconds are over; once the listeners are closed, until the last busy connection is."""
        end = self.loop.time() + seconds
        while self.loop.time() < end and not self._at_once:
            self.notify()
            if all(listener.sock is None for listener in self.sockets):
                for connection in [each for each in self.open if each.stage == "idle"]:
                    connection.close()
                if not self.open:
                    return
            await asyncio.sleep(0.05)

    async def _sweep(self) -> float:
        """Take the time of day for the answers, and end the connections that are past their deadline or stalled."""
        self.date = _http_date()
        now = self.loop.time()
        try:
            self.large_bodies.make_room()
        except Exception:
            self.service.supervisor.fault("connections", "a large body that has stalled")
        overdue = [each for each in self.open if each.deadline < now]
        for connection in sorted(overdue, key=attrgetter("deadline")):
            try:
                # One that ends can let another go on, which has a new deadline then.
                if connection.deadline < now:
                    connection.expire()
            except Exception:
                self.service.supervisor.fault("connections", "a connection past its deadline")
                self.forget(connection)
                connection.abort()
        return _SWEEP_SECONDS

    def _uncaught(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception of a callback or task that was not caught; a broken connection is no fault."""
        problem = context.get("exception")
        if isinstance(problem, OSError):
            self.log.debug("%s: %s", context["message"], problem)
        else:
            self.service.supervisor.fault("event loop", context["message"], problem)

    def _listen(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self.loop.add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                peer, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as problem:
                # Out of descriptors or memory.
                self.log.warning("cannot accept a connection: %s", problem)
                self._pause(listener)
                return
            try:
                if len(self.open) < self.limits.connections or self._evict(address[0]):
                    self._admit(peer, address[0])
                else:
                    self.metrics.closed("full")
                    peer.close()
            except Exception:
                self.service.supervisor.fault("connections", "a new connection, which is closed")
                peer.close()
                self._pause(listener)
                return

    def _pause(self, listener: socket.socket) -> None:
        """Accept nothing for a while: the listener stays readable, so accepting again at once would never end."""
        self.loop.remove_reader(listener.fileno())
        self.loop.call_later(_PAUSE_SECONDS, self._listen, listener)

    def _evict(self, newcomer: str) -> bool:
        """Make room for a new connection from that address; False if none gives way to it."""
        connection = first_to_go(self.open, self.loop.time(), self.limits, newcomer)
        if connection is None:
            return False
        self.metrics.closed("crowded")
        self.forget(connection)
        connection.abort()
        return True

    def _admit(self, peer: socket.socket, address: str) -> None:
        try:
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kernel_buffers.bound(peer)
        except OSError:
            peer.close()
            return
        connection = Connection(self, peer, address)
        connection.tls = Tls(connection, self.service.context, self.loop, self._buffers)
        self.open[connection] = None
        task = self.loop.create_task(self._connect(peer, connection, connection.tls))
        self._connecting.add(task)
        task.add_done_callback(partial(self._connected, peer, connection))

    async def _connect(self, peer: socket.socket, connection: Connection, tls: Tls) -> None:
        """The handshake begins with the first bytes of the client."""
        try:
            await self.loop.connect_accepted_socket(lambda: tls, peer)
        except (OSError, asyncio.CancelledError) as problem:
            self.forget(connection)
            peer.close()
            self.log.debug("no connection: %s", problem)

    def _connected(self, peer: socket.socket, connection: Connection, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self.service.supervisor.fault("connections", "a new connection", problem)
            self.forget(connection)
            peer.close()


def _http_date() -> bytes:
    """The time of day as HTTP writes it."""
    return formatdate(usegmt=True).encode()
