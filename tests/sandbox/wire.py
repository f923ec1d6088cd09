"""Requests as bytes on the wire, so that tests see what a client library would hide."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

import urllib3
import yaml

Object = dict[str, Any]

MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
SPAS: Final = "serving.knative.dev/v1/stagepodautoscalers"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; ``body`` is decoded JSON, or text."""

    code: int
    body: Any
    warnings: list[str]

    @property
    def message(self) -> str:
        return str(self.body["message"])


class Api:
    """One user's connection."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.url = str(cluster["server"])
        self._headers = {"User-Agent": "test/1"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        self._pool = urllib3.PoolManager(
            ca_certs=cluster["certificate-authority"],
            cert_file=user.get("client-certificate"),
            key_file=user.get("client-key"),
            retries=False,
            timeout=20.0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def request(self, method: str, path: str, body: Any = None, content_type: str = "", **query: str) -> Reply:
        """Send; a body that is not bytes is sent as JSON. Query names are given as they are."""
        return self.send(method, path, body, {"Content-Type": content_type or "application/json"}, query)

    def send(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], query: Mapping[str, str] | None = None
    ) -> Reply:
        """Send with these headers too."""
        response = self._pool.request(
            method,
            f"{self.url}{path}?{urlencode(query)}" if query else self.url + path,
            body=body if isinstance(body, bytes) or body is None else json.dumps(body).encode(),
            headers={**self._headers, **headers},
        )
        text = response.data.decode()
        decoded: Any = text
        if "json" in response.headers.get("Content-Type", "") and text:
            values = list(_values(text))
            decoded = values[0] if len(values) == 1 else values
        return Reply(response.status, decoded, response.headers.getlist("Warning"))

    def get(self, path: str, **query: str) -> Reply:
        return self.request("GET", path, **query)

    def create(self, path: str, value: Object, **query: str) -> Reply:
        return self.request("POST", path, value, **query)

    def delete(self, path: str, options: Object | None = None, **query: str) -> Reply:
        return self.request("DELETE", path, options, **query)


def _values(text: str) -> Iterator[Any]:
    """The values of a JSON text: one, or the events of a watch that has ended."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        position += len(text[position:]) - len(text[position:].lstrip())


@dataclass(frozen=True, slots=True)
class Place:
    """Paths inside one namespace."""

    name: str

    def path(self, resource: str, name: str = "", subresource: str = "") -> str:
        """``pods``, or ``group/version/plural``, with a name and a subresource behind it."""
        group, _, plural = resource.rpartition("/")
        prefix = f"/apis/{group}" if group else "/api/v1"
        return "/".join(part for part in (f"{prefix}/namespaces/{self.name}/{plural}", name, subresource) if part)


def spa(name: str, spec: Object | None = None, **metadata: Any) -> Object:
    """A StagePodAutoscaler."""
    value: Object = {"apiVersion": "serving.knative.dev/v1", "kind": "StagePodAutoscaler"}
    value["metadata"] = {"name": name, **metadata}
    return value if spec is None else value | {"spec": spec}
