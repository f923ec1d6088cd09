"""The usual call, answered in the moment its last byte arrives: no task, no queue, no scope is made for it.

Measured, this doubles what one core answers. Whatever is not usual (chunks, a large body, another type, HTTP/1.0, a
client that waits for 100-continue or reads slowly) goes the ASGI way and gets the same bytes.
"""

from typing import Any, Final

from gunicorn.asgi.protocol import _get_cached_date_header, _get_cached_status_line

from webhook.server.call_head import ADMISSION_PATHS, REVIEW_TYPE
from webhook.server.connection import Connection, Host

_PATHS: Final = {path.encode(): path for path in ADMISSION_PATHS}
_TYPE: Final = REVIEW_TYPE.encode()
_UNUSUAL: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade", b"content-encoding"})
_HTTP_1_1: Final = (1, 1)


class UsualCallConnection(Connection):
    """A connection that tells the usual calls from the others by their heads, and answers them itself.

    Gunicorn's own loop over this connection sleeps meanwhile: it wakes only for requests that it is told about.
    """

    def __init__(self, worker: Host) -> None:
        super().__init__(worker)
        self._gate = worker.service.gate
        self._usual_path = ""
        self._parts: list[bytes] = []
        self._complete = False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._usual_path:
            self._leave()
        super().connection_lost(exc)

    def _on_headers_complete(self) -> Any:
        path = self._path_of_usual_call()
        if not path:
            return super()._on_headers_complete()
        self._usual_path = path
        self._gate.tally.in_flight += 1
        self.answered = False
        self._enter("body", self._limits.body_seconds)
        return False

    def _on_body(self, chunk: bytes) -> None:
        if self._usual_path:
            self._parts.append(chunk)
        else:
            super()._on_body(chunk)

    def _on_message_complete(self) -> None:
        if self._usual_path:
            self._complete = True
        else:
            super()._on_message_complete()

    def _feed_callback_parser(self, data: bytes) -> Any:
        going_on = super()._feed_callback_parser(data)
        while self._complete:
            self._complete = False
            self._answer()
            if self._closed:
                return False
            # What the client sent behind this call is the beginning of the next.
            parser = self._callback_parser
            if parser.remaining_truncated:
                self.close()
                return False
            rest = parser.remaining()
            parser.reset()
            self._enter("idle", self._limits.keep_alive_seconds)
            if rest:
                going_on = super()._feed_callback_parser(rest)
        return going_on

    def _path_of_usual_call(self) -> str:
        parser = self._callback_parser
        path = _PATHS.get(parser.path.partition(b"?")[0], "")
        length = parser.content_length
        if not (
            path
            and parser.method == b"POST"
            and length
            and length <= self._limits.large
            and parser.http_version == _HTTP_1_1
            and parser.should_keep_alive
            and self._current_request is None
            and not self._flow_control.write_paused
        ):
            return ""
        content_type = b""
        for name, value in parser.asgi_headers:
            if name == b"content-type":
                content_type = value
            elif name in _UNUSUAL:
                return ""
        return path if content_type == _TYPE else ""

    def _answer(self) -> None:
        path, parts = self._usual_path, self._parts
        self._leave()
        try:
            answer = self._gate.answer(path, parts[0] if len(parts) == 1 else b"".join(parts))
        except Exception:
            self.log.exception("no answer to a call")
            self._send_error_response(500, "the server failed on this call; its log says why\n")
            self.close()
            return
        self.answered = True
        self.worker.nr += 1
        closing = self.worker.draining
        self._safe_write(
            b"%scontent-type: %s\r\ncontent-length: %d\r\nServer: gunicorn/asgi\r\n%s%s\r\n%s"
            % (
                _get_cached_status_line(_HTTP_1_1, answer.status),
                answer.content_type.encode(),
                len(answer.body),
                _get_cached_date_header(),
                b"Connection: close\r\n" if closing else b"",
                answer.body,
            )
        )
        if closing:
            self.close()

    def _leave(self) -> None:
        self._usual_path, self._parts = "", []
        self._gate.tally.in_flight -= 1
