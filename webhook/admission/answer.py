"""Bytes in, bytes out: the HTTP answer to one admission call."""

from typing import NamedTuple

from webhook.admission.lookup import Lookup
from webhook.admission.settings import Settings
from webhook.admission.verdict import Verdict


class Answer(NamedTuple):
    """An HTTP status, content type and body; ``verdict`` is None where the call was no review (4xx)."""

    status: int
    content_type: str
    body: bytes
    verdict: Verdict | None


def examine(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Answer:
    """Answer one call. ``path`` is ``/mutate`` or ``/validate``, with or without a query.

    Any bytes give either 200 with an AdmissionReview or a 4xx with one line of plain text; nothing is raised.
    """
    raise NotImplementedError


def review(body: bytes, path: str, lookup: Lookup, settings: Settings) -> tuple[int, bytes]:
    """The status and body of ``examine``."""
    answer = examine(body, path, lookup, settings)
    return answer.status, answer.body
