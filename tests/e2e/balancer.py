"""A TCP balancer: one address before several servers, which it admits and withdraws by their readiness."""

import asyncio
import contextlib
import http.client
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

Backend = tuple[str, int]
_POLL_SECONDS: Final = 0.2


class Balancer:
    """Hands new connections to those that are ready, in turn; a connection once made stays where it is.

    ``pages`` is the port of the readiness page, the same at every address.
    ``refused`` are the servers that did not take a connection although they had not been withdrawn.
    """

    def __init__(self, backends: Iterable[Backend], pages: int) -> None:
        self.refused: list[Backend] = []
        self.admitted: list[Backend] = []
        self._backends = list(backends)
        self._pages = pages
        self._turn = 0
        self._closed = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._carry, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._loop.run_forever, self._look)]
        for thread in self._threads:
            thread.start()

    def add(self, backend: Backend) -> None:
        """Balance to this one too from now on."""
        self._backends.append(backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(10)
        self._loop.close()

    def _look(self) -> None:
        while not self._closed.wait(_POLL_SECONDS):
            self.admitted = [each for each in self._backends if is_ready(each[0], self._pages)]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        admitted = self.admitted
        if not admitted:
            writer.close()
            return
        self._turn += 1
        backend = admitted[self._turn % len(admitted)]
        try:
            back_reader, back_writer = await asyncio.open_connection(*backend)
        except OSError:
            if backend in self.admitted:
                self.refused.append(backend)
            writer.close()
            return
        # At the end of the balancer it is cancelled, which asyncio would log as a fault of the connection.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(_pipe(reader, back_writer), _pipe(back_reader, writer))

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def is_ready(address: str, pages: int) -> bool:
    """Whether the pages of a server say 200 at /readyz, asked as a kubelet asks."""
    connection = http.client.HTTPConnection(address, pages, timeout=3)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
