"""The short lane: an admission call from the ASGI entry straight to the gate, with bounds on the body."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from webhook.server.call_head import LINE_TYPE, Refusal, refuse_head, too_large
from webhook.server.gate import Gate
from webhook.server.limits import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_LINE_TYPE: Final = LINE_TYPE.encode()


class Lane:
    """Serves /mutate and /validate. The connection's deadlines are the worker's business; here are only the bytes."""

    def __init__(self, gate: Gate, limits: Limits) -> None:
        self._gate = gate
        self._limits = limits
        self._large = asyncio.Semaphore(limits.large_at_once)

    async def serve(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one call, in ASGI's terms."""
        tally = self._gate.tally
        tally.in_flight += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            tally.in_flight -= 1

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        content_type, length = _head_of(scope["headers"])
        refusal = refuse_head(scope["method"], path, content_type, length, self._limits.body)
        if refusal is None:
            body = await self._read(receive)
            if body is None:
                return
            if len(body) <= self._limits.body:
                answer = self._gate.answer(path, body)
                await _send(send, answer.status, answer.content_type.encode(), answer.body)
                return
            refusal = too_large(self._limits.body)
        self._gate.tally.refused[refusal.status] += 1
        await _send(send, refusal.status, _LINE_TYPE, refusal.body, refusal)
        await self._discard(receive)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body, or one that is longer than the limit; None when the client left or was too slow."""
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body: bytes = message["body"]
        if not message.get("more_body"):
            return body
        parts = bytearray(body)
        while len(parts) <= self._limits.large:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts += message["body"]
            if not message.get("more_body"):
                return bytes(parts)
        async with self._large:
            while len(parts) <= self._limits.body:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts += message["body"]
                if not message.get("more_body"):
                    break
        return bytes(parts)

    async def _discard(self, receive: Receive) -> None:
        """Read on for a while: a client that is still sending sees the answer only if its bytes are taken."""
        left = self._limits.discard
        while left > 0:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return
            left -= len(message["body"])


def _head_of(headers: list[tuple[bytes, bytes]]) -> tuple[str, int | None]:
    content_type, length = "", None
    for name, value in headers:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"content-length":
            length = int(value)
    return content_type, length


async def _send(send: Send, status: int, content_type: bytes, body: bytes, refusal: Refusal | None = None) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if refusal is not None and refusal.allow:
        headers.append((b"allow", refusal.allow.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
