"""The pages of a process of ``stagegate web``, as a program reads them."""

import json
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any


class ServedPage:
    """The pages at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Status and body."""
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, problem.read().decode()

    def document(self, path: str) -> dict[str, Any]:
        """The same page for programs."""
        found: dict[str, Any] = json.loads(self.get(f"{path}?format=json")[1])
        return found

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == HTTPStatus.OK
        except urllib.error.URLError:
            return False
