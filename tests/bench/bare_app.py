"""The least an admission webhook can do on gunicorn's own asgi worker: parse the review, answer bytes made before."""

import json
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication


class Bare:
    """Answers each path with the bytes of a file."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        json.loads(body)
        answer = self._answers[scope["path"]]
        length = b"%d" % len(answer)
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class Embedded(BaseApplication):  # type: ignore[misc]
    """Gunicorn with settings from a dict."""

    def __init__(self, app: Any, settings: dict[str, Any]) -> None:
        self._app, self._settings = app, settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app


def gunicorn_settings(port: int, certificates: Path) -> dict[str, Any]:
    """What every contender on gunicorn shares."""
    return {
        "bind": f"127.0.0.1:{port}",
        "workers": 1,
        "certfile": str(certificates / "tls.crt"),
        "keyfile": str(certificates / "tls.key"),
        "keepalive": 120,
        "control_socket_disable": True,
        "loglevel": "error",
    }


def serve(port: int, certificates: Path, answers: dict[str, bytes]) -> None:
    """Does not return."""
    settings = gunicorn_settings(port, certificates)
    worker = {"worker_class": "asgi", "asgi_loop": "uvloop", "http_parser": "fast", "asgi_lifespan": "off"}
    Embedded(Bare(answers), settings | worker).run()
