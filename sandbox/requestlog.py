"""What was asked of the sandbox: one record a request, with counts over them."""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 200_000
"""Records kept before the oldest are dropped; the counters of /metrics are never dropped."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request after it was answered (a watch: when it began).

    ``verb`` is one of get, list, watch, create, update, patch, apply, delete; other paths have the
    method in lower case and an empty resource.
    """

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    user: str
    user_agent: str
    code: int
    dry_run: bool


class RequestLog:
    """Records of a running sandbox, safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[RequestRecord] = deque(maxlen=_KEPT)
        self._totals: Counter[tuple[str, ...]] = Counter()

    def add(self, record: RequestRecord) -> None:
        """Keep one more record."""
        verb = _METRIC_VERBS.get(record.verb, record.verb.upper())
        scope = "resource" if record.name else "namespace" if record.namespace else "cluster"
        key = (str(record.code), "All" if record.dry_run else "", record.group, record.resource, scope)
        with self._lock:
            self._records.append(record)
            self._totals[(*key, record.subresource, verb, record.version)] += 1

    def __iter__(self) -> Iterator[RequestRecord]:
        with self._lock:
            return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def exposition(self) -> str:
        """``apiserver_request_total`` in the text format of Prometheus, with a real API server's labels."""
        with self._lock:
            totals = sorted(self._totals.items())
        lines = [
            "# HELP apiserver_request_total Counter of apiserver requests broken out for each of their properties.",
            "# TYPE apiserver_request_total counter",
        ]
        for key, number in totals:
            labels = ",".join(f'{label}="{value}"' for label, value in zip(_LABELS, key, strict=True))
            lines.append(f'apiserver_request_total{{component="apiserver",{labels}}} {number}')
        return "\n".join(lines) + "\n"


_LABELS: Final = ("code", "dry_run", "group", "resource", "scope", "subresource", "verb", "version")
_METRIC_VERBS: Final = {"create": "POST", "update": "PUT"}
