"""The ASGI entry: admission calls take the short lane, all else goes to the pages."""

from typing import Any

from a2wsgi import WSGIMiddleware

from webhook.server.call_head import ADMISSION_PATHS
from webhook.server.lane import Lane, Message, Receive, Send


class Entry:
    """One ASGI application out of the lane and a WSGI app. No page reads a body, so none is handed to the pages."""

    def __init__(self, lane: Lane, pages: Any) -> None:
        self._lane = lane
        self._pages: Any = WSGIMiddleware(pages, workers=4)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in ADMISSION_PATHS:
            await self._lane.serve(scope, receive, send)
        else:
            await self._pages(scope, _no_body, send)


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
