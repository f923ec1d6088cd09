"""Our server with answers made before: what bytes, TLS, HTTP and metrics cost without a decision."""

import socket
from datetime import UTC, datetime
from pathlib import Path

from certs.context import LiveContext
from certs.served import ServedFiles
from webhook.admission import EmptyLookup, Lookup, Response, Settings
from webhook.server.application import Application
from webhook.server.handler import AdmissionHandler
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.service import Service


def serve(port: int, certificates: Path, answers: dict[str, Response]) -> None:
    """Answer each path with its response, whatever the review. Does not return."""
    metrics, settings = ServerMetrics(), Settings()
    files = certificates / "tls.crt", certificates / "tls.key"
    key_pair = ServedFiles(*files, LiveContext(), lambda: datetime.now(UTC), metrics.read_key_pair)
    key_pair.load(key_pair.read())
    service = Service(settings, Limits(), key_pair, metrics)

    def answer(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Response:
        return answers[path]

    service.handler = AdmissionHandler(EmptyLookup(), settings, metrics, examine=answer)
    Application(service, socket.create_server(("127.0.0.1", port))).run()
