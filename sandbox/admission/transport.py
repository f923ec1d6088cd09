"""HTTPS calls to webhooks: verified by their bundle, bounded in time and size, over kept connections."""

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions

from sandbox.objects import encode

_LARGEST_ANSWER: Final = 8 * 1024 * 1024
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json, */*",
    "User-Agent": "stagegate-sandbox",
}
_KEPT: Final = 16
"""Idle connections kept for each webhook."""


class CallFailed(Exception):
    """The webhook gave no usable answer."""


class Transport:
    """Calls webhooks by URL; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, urllib3.PoolManager] = {}

    def call(self, client: Mapping[str, Any], review: Mapping[str, Any], timeout: int) -> Any:
        """Post a review; returns the decoded answer. Raises CallFailed."""
        if not client.get("url"):
            service = client["service"]
            raise CallFailed(
                f'failed to call webhook: service "{service["name"]}" in namespace "{service["namespace"]}": the '
                "sandbox has no cluster network; give clientConfig.url instead"
            )
        parts = urlsplit(client["url"])
        url = f"https://{parts.netloc}{parts.path or '/'}?timeout={timeout}s"
        pool = self._pool(str(client.get("caBundle") or ""))
        try:
            status, content = self._post(pool, url, encode(review), timeout)
        except (exceptions.HTTPError, OSError) as problem:
            raise CallFailed(f'failed to call webhook: Post "{url}": {_why(problem)}') from None
        if len(content) > _LARGEST_ANSWER:
            raise CallFailed(f"failed to call webhook: the answer is longer than {_LARGEST_ANSWER} bytes")
        if not 200 <= status < 300:
            text = content[:512].decode(errors="replace").strip()
            told = f"an error on the server ({json.dumps(text)}) has prevented the request from succeeding"
            raise CallFailed(f"failed to call webhook: {told}")
        try:
            return json.loads(content)
        except ValueError as problem:
            raise CallFailed(f"failed to call webhook: {problem}") from None

    @staticmethod
    def _post(pool: urllib3.PoolManager, url: str, body: bytes, timeout: int) -> tuple[int, bytes]:
        options: Any = {"headers": _HEADERS, "timeout": urllib3.Timeout(total=timeout), "retries": False}
        try:
            response = pool.request("POST", url, body=body, preload_content=False, **options)
        except exceptions.ProtocolError:
            # A connection that was kept may have ended meanwhile.
            response = pool.request("POST", url, body=body, preload_content=False, **options)
        content = response.read(_LARGEST_ANSWER + 1)
        response.release_conn() if len(content) <= _LARGEST_ANSWER else response.close()
        return response.status, content

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


def _why(problem: Exception) -> str:
    if isinstance(problem, exceptions.NewConnectionError):
        return "connect: connection refused"
    return "context deadline exceeded" if isinstance(problem, exceptions.TimeoutError) else str(problem)
