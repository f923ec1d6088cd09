"""The server of pages: a WSGI app over plain HTTP in a few threads of its own, none of which a slow client can hold."""

import functools
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import waitress
from flask import Flask
from waitress.channel import HTTPChannel

from webhook.cluster.backoff import Backoff
from webhook.cluster.supervisor import Supervisor

_FINISH_SECONDS: Final = 2.0
_LONGEST_PAUSE: Final = 4.0
"""After exceptions, twice this at most: a probe waits for seconds only, and three in a row restart the process."""
_PAUSE_SECONDS: Final = 0.25
_SPARE: Final = 16
"""Connections that are accepted while every other one has a page under way; then clients wait."""


@dataclass(frozen=True, slots=True)
class PageLimits:
    """``threads`` is the number of responses at a time, ``connections`` that of clients.

    The first connection without a page under way gives way to one too many.

    In seconds: ``request`` is the longest time from the first byte of a request to its last, ``idle`` the longest
    between two requests, and ``write`` the longest in which a client takes nothing of its response.
    """

    threads: int = 4
    connections: int = 100
    request: float = 10.0
    idle: int = 10
    write: float = 30.0


class PagesServer:
    """Serves an app on a listening socket; it reads no request bodies."""

    def __init__(
        self,
        app: Flask,
        listener: socket.socket,
        supervisor: Supervisor | None = None,
        limits: PageLimits | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor()
        self._limits = limits or PageLimits()
        self._stopped = threading.Event()
        self._app = app
        self._listener = listener
        self._server: Any = None
        self._sockets: dict[int, Any] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        # Created in the worker: its threads start at once and would not survive the fork.
        self._server = waitress.create_server(
            self._app,
            map=self._sockets,
            sockets=[self._listener],
            threads=self._limits.threads,
            connection_limit=self._limits.connections + _SPARE,
            channel_timeout=self._limits.idle,
            cleanup_interval=1,
            asyncore_use_poll=True,
            max_request_body_size=1024,
            max_request_header_size=16 * 1024,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        self._server.channel_class = functools.partial(_Connection, self._limits, time.monotonic, self._supervisor)
        # By default an exception in accepting closes the listener.
        self._server.handle_error = self._not_accepted
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        backoff = Backoff(random.random, cap=_LONGEST_PAUSE)
        while not self._stopped.is_set():
            try:
                self._server.run()
                return
            except BaseException as problem:
                self._supervisor.fault("pages", "the thread of the pages", problem)
                self._stopped.wait(backoff.next())

    def _not_accepted(self) -> None:
        self._supervisor.fault("pages", "a new connection")
        # The listener stays readable: without a pause the thread would only try again.
        self._stopped.wait(_PAUSE_SECONDS)

    def stop(self) -> None:
        """Finish the pages under way, within a few seconds, then close the connections.

        Call it again to close what was left to pages that took longer.
        """
        if self._thread is None:
            self._listener.close()
            return
        self._stopped.set()
        makers = self._server.task_dispatcher
        # The threads that make pages end first: each wakes the thread of the sockets when its page is done.
        makers.shutdown(timeout=_FINISH_SECONDS)
        if self._thread.is_alive():
            self._server.trigger.pull_trigger(self._close)
            self._thread.join(5.0)
        self._listener.close()
        if makers.threads:
            # Without connections, those that waited for a client end too.
            makers.shutdown(timeout=_FINISH_SECONDS)
        # A thread that is left may wake that of the sockets at any time. Its descriptor stays open then: closed, it
        # would become that of another file.
        if not makers.threads:
            self._server.close()

    def _close(self) -> None:
        # Runs in the thread of the sockets, which ends once it waits for none.
        for connection in list(self._server.active_channels.values()):
            connection.handle_close()
        for each in list(self._sockets.values()):
            each.del_channel()


class _Connection(HTTPChannel):  # type: ignore[misc]
    """A connection with deadlines. waitress has one for silence only, which a byte now and then puts off."""

    def __init__(
        self,
        limits: PageLimits,
        monotonic: Callable[[], float],
        supervisor: Supervisor,
        *of_channel: Any,
        **named: Any,
    ) -> None:
        self._limits, self._monotonic, self._supervisor = limits, monotonic, supervisor
        # The request or the response that has begun, and since when: the parser, or the time of the last byte sent.
        self._incomplete: tuple[Any, float] | None = None
        self._unsent: tuple[float, float] | None = None
        super().__init__(*of_channel, **named)
        self._make_room()

    def handle_error(self) -> None:
        """An exception in reading or writing, in the thread of the sockets."""
        self._supervisor.fault("pages", "a connection, which is closed")
        self.handle_close()

    def service(self) -> None:
        """Respond, in a thread of waitress, which would only log an exception."""
        try:
            super().service()
        except BaseException as problem:
            self._supervisor.fault("pages", "a connection, which is closed", problem)
            self.will_close = True
            self.server.pull_trigger()

    def _make_room(self) -> None:
        # Runs in the thread of the sockets, the only one that begins a request or closes a connection.
        others = [each for each in self.server.active_channels.values() if each is not self]
        if len(others) >= self._limits.connections:
            waiting = (each for each in others if not each.requests and not each.total_outbufs_len)
            if (first := next(waiting, None)) is not None:
                first.handle_close()

    def readable(self) -> bool:
        """Asked before each wait of the thread of the sockets, which is at least once a second."""
        now = self._monotonic()
        # What follows a request that is being answered is not read on.
        self._incomplete = _since(self._incomplete, None if self.requests else self.request, now)
        self._unsent = _since(self._unsent, self.last_activity if self.total_outbufs_len else None, now)
        if _is_late(self._incomplete, now, self._limits.request) or _is_late(self._unsent, now, self._limits.write):
            self.will_close = True
            # The thread of the sockets closes what it can write to, which a full socket never becomes by itself.
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
        return bool(super().readable())


def _since(before: tuple[Any, float] | None, what: Any, now: float) -> tuple[Any, float] | None:
    """What is under way, None for nothing, and the time at which it was first seen."""
    if what is None:
        return None
    return before if before is not None and before[0] == what else (what, now)


def _is_late(one: tuple[Any, float] | None, now: float, limit: float) -> bool:
    return one is not None and now - one[1] > limit
