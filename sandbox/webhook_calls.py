"""HTTPS calls to webhooks: verified by their bundle, bounded in time, over kept connections."""

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any, Final

import urllib3
from urllib3 import exceptions

from sandbox.objects import Object, encode

REVIEW: Final = "admission.k8s.io/v1"
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "stagegate-sandbox"}
_KEPT: Final = 16
"""Idle connections kept for each webhook."""


class CallFailed(Exception):
    """The webhook gave no usable answer."""


class WebhookCalls:
    """Calls webhooks by URL; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, urllib3.PoolManager] = {}

    def ask(self, client: Mapping[str, Any], review: Mapping[str, Any], timeout: int) -> Object:
        """Post a review; returns the response in the answer. Raises CallFailed."""
        if "url" not in client:
            service = f'service "{client["service"]["name"]}" in namespace "{client["service"]["namespace"]}"'
            raise CallFailed(
                f"failed to call webhook: {service}: the sandbox has no cluster network; give clientConfig.url instead"
            )
        url = f"{client['url']}?timeout={timeout}s"
        pool, body = self._pool(client.get("caBundle") or ""), encode(review)
        try:
            try:
                response = _post(pool, url, body, timeout)
            except exceptions.ProtocolError:
                response = _post(pool, url, body, timeout)  # a connection that was kept has ended meanwhile
        except (exceptions.HTTPError, OSError) as problem:
            raise CallFailed(f'failed to call webhook: Post "{url}": {_why(problem)}') from None
        if response.status != 200:
            text = json.dumps(response.data[:512].decode(errors="replace").strip())
            raise CallFailed(f"failed to call webhook: an error on the server ({text}) has prevented the request")
        return _response(response.data, review["request"]["uid"])

    def close(self) -> None:
        """Close every kept connection."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()
            self._pools.clear()

    def _pool(self, bundle: str) -> urllib3.PoolManager:
        with self._lock:
            if bundle not in self._pools:
                trusted = base64.b64decode(bundle).decode(errors="replace") if bundle else None
                self._pools[bundle] = urllib3.PoolManager(maxsize=_KEPT, ca_cert_data=trusted)
            return self._pools[bundle]


def _post(pool: urllib3.PoolManager, url: str, body: bytes, timeout: int) -> urllib3.BaseHTTPResponse:
    limit = urllib3.Timeout(total=timeout)
    return pool.request("POST", url, body=body, headers=_HEADERS, timeout=limit, retries=False)


def _response(content: bytes, uid: str) -> Object:
    wanted = (REVIEW, "AdmissionReview", uid)
    try:
        answer = json.loads(content)
        response: Object = answer["response"]
        found = (answer["apiVersion"], answer["kind"], response["uid"])
    except (ValueError, KeyError, TypeError) as problem:
        raise CallFailed(f"received invalid webhook response: no AdmissionReview: {problem!r}") from None
    if found != wanted:
        raise CallFailed(f"received invalid webhook response: it has {found} where {wanted} is expected")
    return response


def _why(problem: Exception) -> str:
    if isinstance(problem, exceptions.NewConnectionError):
        return "connect: connection refused"
    return "context deadline exceeded" if isinstance(problem, exceptions.TimeoutError) else str(problem)
