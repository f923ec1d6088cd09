"""The complete Flask app under gunicorn's gthread worker: the same answers without the short lane."""

from datetime import UTC, datetime
from pathlib import Path

from tests.bench.bare_app import Embedded, gunicorn_settings
from webhook.admission import EmptyLookup, Settings
from webhook.server.gate import Gate
from webhook.server.limits import Limits
from webhook.server.pages import make_app
from webhook.server.state import State
from webhook.server.tally import Tally


def serve(port: int, certificates: Path, threads: int = 8) -> None:
    """Does not return."""
    app = make_app(Gate(EmptyLookup(), Settings(), Tally()), Limits(), lambda: State(datetime.max.replace(tzinfo=UTC)))
    settings = gunicorn_settings(port, certificates)
    Embedded(app, settings | {"worker_class": "gthread", "threads": threads}).run()
