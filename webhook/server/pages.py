"""The pages of a process for probes, scrapers and people: health, readiness, metrics; over plain HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from typing import Final

import orjson
from flask import Flask, Response, render_template, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from werkzeug.exceptions import HTTPException

from webhook.cluster.supervisor import Supervisor
from webhook.server.handler import AdmissionHandler
from webhook.server.head import LINE_TYPE, OWN_PATHS, Head, Refusal, refuse, too_large
from webhook.server.limits import Limits
from webhook.text import visible

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


def _refuse(refusal: Refusal) -> Response:
    response = _respond(refusal.status, LINE_TYPE, refusal.body)
    if refusal.allow:
        response.headers["Allow"] = refusal.allow
    return response


def _respond(status: int, content_type: str, body: bytes) -> Response:
    return Response(body, status=status, content_type=content_type)
