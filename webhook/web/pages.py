"""The pages as a Flask app: the list, one rollout, both as fragments in a stream, and what programs read."""

import ipaddress
import json
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, abort, render_template, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from werkzeug.exceptions import HTTPException

from webhook.api import MalformedObject
from webhook.api.wire import Wire, format_time
from webhook.cluster.supervisor import Supervisor
from webhook.diagnosis.ages import age_text, ago
from webhook.diagnosis.snapshot import snapshot_of
from webhook.forecast.chart import STYLE_HASH, svg
from webhook.text import visible
from webhook.web.detail import Detail, detail_of
from webhook.web.documents import detail_document, list_document
from webhook.web.history import History
from webhook.web.listing import Filters, listing
from webhook.web.reading import Reading
from webhook.web.source import Source
from webhook.web.stream import BEAT_SECONDS, SHORTEST_SECONDS, events_of

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PICTURE_POLICY: Final = f"default-src 'none'; style-src {STYLE_HASH}; frame-ancestors 'none'"
_LOOPBACK_NAMES: Final = frozenset({"localhost"})


@dataclass(frozen=True)
class PageOptions:
    """``hosts`` are the names by which the page may be asked for, empty for any; ``streams`` is the most at a time.
    ``records``: what changes is recorded also while no page is open, in a thread of the supervisor, until ``ended``.

    A page on loopback that answered to any name could be read by a site whose name leads to 127.0.0.1.
    """

    monotonic: Callable[[], float]
    hosts: Collection[str] = ()
    streams: int = 24
    records: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    supervisor: Supervisor = field(default_factory=Supervisor)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)


def make_app(source: Source, options: PageOptions) -> Flask:
    """The app for any WSGI server that gives each stream a thread."""
    app = Flask("webhook.web")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(age=ago, span=age_text, stamp=format_time, version=metadata.version("stagegate"))
    pages = _Pages(app, source, options)
    app.before_request(pages.check_host)
    app.before_request(_check_site)
    app.after_request(_secured)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, pages.failed)
    app.add_url_rule("/", "rollouts", pages.rollouts)
    app.add_url_rule("/healthz", "healthz", pages.healthz)
    app.add_url_rule("/readyz", "readyz", pages.readyz)
    app.add_url_rule("/metrics", "metrics", pages.metrics)
    app.add_url_rule("/<namespace>/<name>", "rollout", pages.rollout)
    return app


class _Pages:
    def __init__(self, app: Flask, source: Source, options: PageOptions) -> None:
        self._app, self._source, self._options = app, source, options
        self._history = History()
        self._reading = Reading(source, self._history)
        self._slots = threading.BoundedSemaphore(options.streams)
        self._recorded = -1
        if options.records:
            options.supervisor.start("history", self._record, options.ended.wait)

    def check_host(self) -> None:
        """Refuse a request that asks for another name than one of the loopback."""
        if self._options.hosts and _host_of(request.host) not in self._options.hosts:
            abort(421, "this page answers to the names of this machine's loopback only")

    def failed(self, problem: Exception) -> Response:
        """The response where a page raised an exception."""
        self._options.supervisor.fault("pages", f"{request.method} {request.path}", problem)
        return _text(500, "the page failed; the log of the process says why\n")

    def healthz(self) -> Response:
        healthy, text = self._options.supervisor.health()
        return _text(200 if healthy else 503, text)

    def metrics(self) -> Response:
        return Response(generate_latest(self._options.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    def readyz(self) -> Response:
        why = self._source.not_ready()
        return _text(503, f"{why}\n") if why else _text(200, "ok\n")

    def rollouts(self) -> Response | str:
        """All rollouts that the filters leave."""
        form = request.args.get("format", "html")
        if form == "json":
            shown = listing(self._reading.summaries(), Filters.of(request.args))
            return _json(list_document(shown.rows, self._reading.world().at))
        if form == "stream":
            return self._stream(self._list_fragment)
        return render_template("page.html", title="Rollouts", fragment=self._list_fragment())

    def rollout(self, namespace: str, name: str) -> Response | str:
        """One rollout."""
        form = request.args.get("format", "html")
        if form == "json":
            return _json(detail_document(self._detail(namespace, name)))
        if form == "svg":
            picture = svg(self._detail(namespace, name).chart)
            response = Response(picture, content_type="image/svg+xml; charset=utf-8")
            response.headers["Content-Security-Policy"] = _PICTURE_POLICY
            return response
        fragment = self._detail_fragment(namespace, name)
        if form == "stream":
            return self._stream(lambda: self._detail_fragment(namespace, name))
        return render_template("page.html", title=f"{namespace}/{name}", fragment=fragment)

    def _record(self) -> float:
        """One turn of the history: wait for a change, and record it."""
        changed = self._source.wait(self._recorded, BEAT_SECONDS)
        if changed != self._recorded:
            self._reading.world()
            self._recorded = changed
        return SHORTEST_SECONDS

    def _list_fragment(self) -> str:
        shown = listing(self._reading.summaries(), Filters.of(request.args))
        not_ready = self._source.not_ready()
        return render_template("list.html", listing=shown, now=self._reading.world().at, not_ready=not_ready)

    def _detail_fragment(self, namespace: str, name: str) -> str:
        shown = self._detail(namespace, name)
        picture = svg(shown.chart, standalone=False)
        return render_template("rollout.html", detail=shown, picture=picture, now=shown.snapshot.at)

    def _detail(self, namespace: str, name: str) -> Detail:
        world = self._reading.world()
        try:
            found = snapshot_of(world, namespace, name)
        except MalformedObject as problem:
            abort(500, f"RolloutOrchestrator {namespace}/{name}: {problem}")
        if found is None:
            abort(404, f"there is no rollout {namespace}/{name}"[:300])
        return detail_of(world, found, self._history.of(found))

    def _stream(self, render: Callable[[], str]) -> Response:
        if not self._slots.acquire(blocking=False):
            most = self._options.streams
            response = _text(503, f"{most} live pages are the most; reload this one to see changes\n")
            response.headers["Retry-After"] = "30"
            return response
        environment = request.environ

        def rendered() -> str:
            with self._app.request_context(environment):
                return render()

        options = self._options
        events = events_of(self._source, rendered, options.ended, options.monotonic, options.supervisor)
        response = Response(events, content_type="text/event-stream")
        response.headers["X-Accel-Buffering"] = "no"
        # Called in every case, also when the client leaves before the first event.
        response.call_on_close(self._slots.release)
        return response


def loopback_hosts(host: str) -> frozenset[str]:
    """The names by which a page may be asked for that listens on ``host``: empty, for any, unless that is loopback."""
    if host in _LOOPBACK_NAMES:
        return frozenset({"localhost", "127.0.0.1", "::1"})
    with suppress(ValueError):
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return frozenset({"localhost", "127.0.0.1", "::1", host.strip("[]")})
    return frozenset()


def _check_site() -> None:
    """Refuse what a page of another origin loads, which could not read it, but could take every stream."""
    is_own = request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
    if not is_own and request.headers.get("Sec-Fetch-Mode") != "navigate":
        abort(403)


def _secured(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response


def _refused(problem: HTTPException) -> Response:
    text = problem.description if problem.code in (404, 421, 500) and problem.description else problem.name
    response = _text(problem.code or 500, f"{text}\n")
    if problem.code == 405:
        response.headers["Allow"] = "GET, HEAD, OPTIONS"
    return response


def _host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    with suppress(ValueError):
        return urlsplit(f"//{header}").hostname or ""
    return ""


def _json(content: Wire) -> Response:
    return Response(json.dumps(content, indent=2) + "\n", content_type="application/json")


def _text(status: int, text: str) -> Response:
    return Response(visible(text), status=status, content_type="text/plain; charset=utf-8")
