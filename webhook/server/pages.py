"""The pages of a process for probes, scrapers and people: health, readiness, metrics; over plain HTTP."""

import logging
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

import orjson
import waitress
from flask import Flask, Response, render_template, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from werkzeug.exceptions import HTTPException

from webhook.cluster.supervisor import Supervisor
from webhook.server.handler import AdmissionHandler
from webhook.server.head import LINE_TYPE, OWN_PATHS, Head, Refusal, refuse, too_large
from webhook.server.limits import Limits
from webhook.text import visible

_LOG: Final = logging.getLogger("stagegate.pages")
_FINISH_SECONDS: Final = 2.0
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


Check = tuple[bool, str]
"""Whether all is well, and the text of the page that says so or says why not."""


def make_app(
    what: str,
    health: Callable[[], Check],
    readiness: Callable[[datetime], Check],
    registry: CollectorRegistry,
    admission: tuple[AdmissionHandler, Limits] | None = None,
    supervisor: Supervisor | None = None,
) -> Flask:
    """The app for any WSGI server. ``what`` is the process in one sentence, for the front page.

    ``admission`` mounts the handler under /mutate and /validate, for people who bring a WSGI server and TLS of their
    own; ours serves reviews on another port.
    """
    app = Flask("webhook.server", static_folder=None)
    supervisor = supervisor or Supervisor()

    def checked(check: Check) -> Response:
        good, text = check
        return _respond(200 if good else 503, LINE_TYPE, visible(text).encode())

    @app.get("/healthz")
    def healthz() -> Response:
        return checked(health())

    @app.get("/readyz")
    def readyz() -> Response:
        return checked(readiness(datetime.now(UTC)))

    @app.get("/metrics")
    def metrics() -> Response:
        return _respond(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry))

    @app.get("/version")
    def version() -> Response:
        return _respond(200, "application/json", orjson.dumps({"version": metadata.version("stagegate")}))

    @app.get("/")
    def front() -> str:
        return render_template("index.html", version=metadata.version("stagegate"), what=what)

    @app.errorhandler(HTTPException)
    def refused(problem: HTTPException) -> Response:
        if problem.code == 404:
            return _refuse(Refusal(404, f"nothing at {request.path[:128]!r}; GET / names the pages"))
        if problem.code == 405:
            return _refuse(Refusal(405, f"{request.path} is read by GET, not {request.method[:16]}", "GET, HEAD"))
        return _refuse(Refusal(problem.code or 500, problem.name))

    @app.errorhandler(Exception)
    def failed(problem: Exception) -> Response:
        supervisor.fault("pages", f"{request.method} {request.path}", problem)
        return _refuse(Refusal(500, "the page failed; the log of the process says why"))

    if admission is not None:
        _mount(app, *admission)
    return app


def _mount(app: Flask, handler: AdmissionHandler, limits: Limits) -> None:
    def review() -> Response:
        asked = request.headers
        head = Head(
            method=request.method,
            path=request.path,
            content_type=asked.get("Content-Type", ""),
            content_length=request.content_length,
            content_encoding=asked.get("Content-Encoding", ""),
        )
        refusal = refuse(head, limits.body)
        if refusal is None:
            body = request.stream.read(limits.body + 1)
            if len(body) <= limits.body:
                answer = handler.review(head.path, body)
                return _respond(answer.status, answer.content_type, answer.body)
            refusal = too_large(limits.body)
        handler.metrics.refused(refusal.status)
        return _refuse(refusal)

    for path in OWN_PATHS:
        app.add_url_rule(path, path, review, methods=_METHODS, provide_automatic_options=False)


class PagesServer:
    """Serves an app on a listening socket, in a few threads of its own; it reads no request bodies."""

    def __init__(self, app: Flask, listener: socket.socket, supervisor: Supervisor | None = None) -> None:
        self._supervisor = supervisor or Supervisor()
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
            threads=4,
            connection_limit=100,
            channel_timeout=10,
            max_request_body_size=1024,
            max_request_header_size=16 * 1024,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._server.run()
                return
            except Exception:
                self._supervisor.fault("pages", "the thread of the pages")
                self._stopped.wait(1.0)

    def stop(self) -> None:
        """Finish the pages under way, within a few seconds, then close the connections."""
        if self._thread is None:
            self._listener.close()
            return
        self._stopped.set()
        # The threads that make pages end first: each wakes the thread of the sockets when its page is done.
        self._server.task_dispatcher.shutdown(timeout=_FINISH_SECONDS)
        if self._thread.is_alive():
            self._server.trigger.pull_trigger(self._close)
            self._thread.join(5.0)

    def _close(self) -> None:
        # Runs in the thread of the sockets, which ends once none is left.
        for each in list(self._sockets.values()):
            each.close()


def _refuse(refusal: Refusal) -> Response:
    response = _respond(refusal.status, LINE_TYPE, refusal.body)
    if refusal.allow:
        response.headers["Allow"] = refusal.allow
    return response


def _respond(status: int, content_type: str, body: bytes) -> Response:
    return Response(body, status=status, content_type=content_type)
