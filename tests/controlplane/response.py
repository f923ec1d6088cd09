"""Response: status, body and warnings of a request to an API server."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

_WARNING: Final = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class Response(NamedTuple):
    """``body`` is decoded where it is JSON, else text; ``warnings`` are without their codes."""

    status: int
    body: Any
    warnings: list[str]

    @classmethod
    def of(cls, status: int, media: str, content: bytes, warnings: Iterable[str]) -> "Response":
        """Of a media type, a body and the headers ``Warning`` as they were received."""
        texts = [re.sub(r"\\(.)", r"\1", text) for header in warnings for text in _WARNING.findall(header)]
        is_json = media.partition(";")[0].endswith("json")
        return cls(status, json.loads(content) if is_json else content.decode(), texts)

    @property
    def done(self) -> bool:
        return 200 <= self.status <= 299

    @property
    def message(self) -> str:
        """The message of a Status; empty for anything else."""
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else ""

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The findings of a denial."""
        found: list[dict[str, Any]] = self.body.get("details", {}).get("causes", [])
        return found
