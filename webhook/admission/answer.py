"""Bytes in, bytes out: the HTTP answer to one admission call."""

from typing import Final, NamedTuple

from webhook.admission.envelope import read_review, write_verdict
from webhook.admission.errors import MalformedReview, UnknownPath
from webhook.admission.judgement import judge
from webhook.admission.lookup import Lookup
from webhook.admission.request import read_path
from webhook.admission.settings import Settings
from webhook.admission.verdict import Verdict

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


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
    try:
        read_path(path)
        verdict = judge(read_review(body), path, lookup, settings)
        return Answer(200, JSON, write_verdict(verdict), verdict)
    except UnknownPath as unknown:
        return _refusal(404, str(unknown))
    except MalformedReview as malformed:
        return _refusal(400, str(malformed))
    except RecursionError:
        # What could just be read can still be too deep to be compared.
        return _refusal(400, "the body is nested too deeply")


def review(body: bytes, path: str, lookup: Lookup, settings: Settings) -> tuple[int, bytes]:
    """The status and body of ``examine``."""
    answer = examine(body, path, lookup, settings)
    return answer.status, answer.body


def _refusal(status: int, line: str) -> Answer:
    return Answer(status, TEXT, f"{line}\n".encode(), None)
