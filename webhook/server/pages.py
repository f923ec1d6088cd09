"""The Flask app: health, readiness, metrics, the front page, and the two admission routes; complete by itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata

from flask import Flask, Response, render_template, request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from werkzeug.exceptions import HTTPException

from webhook.server.call_head import ADMISSION_PATHS, LINE_TYPE, Refusal, refuse_head, too_large, unknown_path
from webhook.server.gate import Gate
from webhook.server.limits import Limits
from webhook.server.metrics import make_registry, render
from webhook.server.state import State, readiness


def make_app(gate: Gate, limits: Limits, state: Callable[[], State]) -> Flask:
    """The app for any WSGI server. Its admission routes answer the same bytes as the short lane."""
    app = Flask("webhook.server", static_folder=None)
    registry = make_registry(gate.tally, state)

    def admission() -> Response:
        refusal = refuse_head(
            request.method, request.path, request.headers.get("Content-Type", ""), request.content_length, limits.body
        )
        if refusal is not None:
            return _refuse(gate, refusal)
        body = request.stream.read(limits.body + 1)
        if len(body) > limits.body:
            return _refuse(gate, too_large(limits.body))
        answer = gate.answer(request.path, body)
        return _respond(answer.status, answer.content_type, answer.body)

    for path in ADMISSION_PATHS:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        app.add_url_rule(path, path, admission, methods=methods, provide_automatic_options=False)

    @app.get("/healthz")
    def healthz() -> Response:
        return _respond(200, LINE_TYPE, b"ok\n")

    @app.get("/readyz")
    def readyz() -> Response:
        ready, text = readiness(state(), datetime.now(UTC))
        return _respond(200 if ready else 503, LINE_TYPE, text.encode())

    @app.get("/metrics")
    def metrics() -> Response:
        return _respond(200, CONTENT_TYPE_PLAIN_0_0_4, render(registry))

    @app.get("/")
    def front() -> str:
        return render_template("index.html", version=metadata.version("stagegate"), settings=gate.settings)

    @app.errorhandler(HTTPException)
    def refused(problem: HTTPException) -> Response:
        if problem.code == 404:
            return _refuse(gate, unknown_path(request.path))
        if problem.code == 405:
            line = f"{request.path} is read by GET, not {request.method[:16]}"
            return _refuse(gate, Refusal(405, line, "GET, HEAD"))
        return _refuse(gate, Refusal(problem.code or 500, problem.name))

    return app


def _refuse(gate: Gate, refusal: Refusal) -> Response:
    gate.tally.refused[refusal.status] += 1
    response = _respond(refusal.status, LINE_TYPE, refusal.body)
    if refusal.allow:
        response.headers["Allow"] = refusal.allow
    return response


def _respond(status: int, content_type: str, body: bytes) -> Response:
    return Response(body, status=status, content_type=content_type)
