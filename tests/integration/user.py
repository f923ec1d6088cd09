"""Somebody who talks to the API server: with the real client, and with the real kubectl."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import urllib3
import yaml
from kubernetes import client, config

from tests.controlplane.response import Response

Wire = dict[str, Any]


class Printed(NamedTuple):
    """What kubectl printed."""

    code: int
    out: str
    err: str


class User:
    """The bearer of a kubeconfig. ``kubectl`` is the program, or None where there is none."""

    def __init__(self, kubeconfig: Path, kubectl: str | None, folder: Path) -> None:
        self.kubeconfig = kubeconfig
        self._kubectl = kubectl
        self._folder = folder
        configuration = client.Configuration()
        load: Any = config.load_kube_config
        load(str(kubeconfig), client_configuration=configuration, persist_config=False)
        configuration.retries = False
        configuration.proxy = None  # the API servers of the tests are on loopback
        self.api_client = client.ApiClient(configuration)

    def close(self) -> None:
        """Close every connection."""
        self.api_client.rest_client.pool_manager.clear()

    def get(self, path: str, accept: str = "application/json", **query: str) -> Response:
        return self._send("GET", path, None, {"Accept": accept}, query)

    def create(self, path: str, body: Wire, **query: str) -> Response:
        return self._send("POST", path, body, {"Content-Type": "application/json"}, query)

    def update(self, path: str, body: Wire, **query: str) -> Response:
        return self._send("PUT", path, body, {"Content-Type": "application/json"}, query)

    def patch(self, path: str, body: Any, kind: str = "merge-patch+json", **query: str) -> Response:
        return self._send("PATCH", path, body, {"Content-Type": f"application/{kind}"}, query)

    def apply(self, path: str, body: Wire, manager: str, **query: str) -> Response:
        """Server-side apply."""
        return self.patch(path, body, "apply-patch+yaml", fieldManager=manager, **query)

    def delete(self, path: str, body: Wire | None = None) -> Response:
        return self._send("DELETE", path, body, {"Content-Type": "application/json"}, {})

    @contextmanager
    def watch(self, path: str, seconds: int, **query: str) -> Iterator[Iterator[Wire]]:
        """The events of a watch that the server ends after so many seconds."""
        query |= {"watch": "true", "timeoutSeconds": str(seconds)}
        response = self._open("GET", path, None, {}, query, timeout=seconds + 30)
        try:
            yield _events(response)
        finally:
            response.close()

    def kubectl(self, *arguments: str, stdin: Wire | None = None) -> Printed:
        """Run kubectl as this user; ``stdin`` is a manifest, read with ``-f -``."""
        assert self._kubectl is not None, "a test that runs kubectl asks for the fixture kubectl"
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        done = subprocess.run(
            [
                self._kubectl,
                f"--kubeconfig={self.kubeconfig}",
                f"--cache-dir={self._folder / 'kubectl-cache'}",
                *arguments,
            ],
            input=None if stdin is None else yaml.safe_dump(stdin),
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )
        return Printed(done.returncode, done.stdout, done.stderr)

    def _send(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Response:
        response = self._open(method, path, body, headers, query, timeout=90)
        received = response.headers
        media = received.get("Content-Type", "")
        return Response.of(response.status, media, response.read(), received.getlist("Warning"))

    def _open(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        timeout: float,
    ) -> urllib3.BaseHTTPResponse:
        prepared = self.api_client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=dict(headers),
            body=body,
            auth_settings=["BearerToken"],
        )
        response: urllib3.BaseHTTPResponse = self.api_client.call_api(*prepared[:4], _request_timeout=timeout).response
        return response


def _events(response: urllib3.BaseHTTPResponse) -> Iterator[Wire]:
    rest = b""
    for chunk in response.read_chunked():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())
