"""The AdmissionReview around a decision: from the bytes of a request to the bytes of its response."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import orjson

from webhook.admission.judgement import judge
from webhook.admission.lookup import Lookup
from webhook.admission.request import MalformedReview, UnknownPath, read_path
from webhook.admission.rules.field_error import echo
from webhook.admission.settings import Settings
from webhook.admission.verdict import INVALID, Verdict
from webhook.api.kinds import GROUP
from webhook.api.wire import is_deep

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

MAX_CAUSES: Final = 20
"""The most findings that a denial lists; the rest is counted."""

MAX_WARNINGS: Final = 15
MAX_WARNING: Final = 256
"""An API server cuts warnings to 256 characters once their sum exceeds 4,096; fifteen of that length stay below."""

_MAX_NAME: Final = 253
_ENVELOPE: Final = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
_BLANKS: Final = " \t\n\r"


Result = TypeVar("Result")


class Response(NamedTuple):
    """An HTTP status, content type and body. ``verdict`` is None if the request was not a review (4xx)."""

    status: int
    content_type: str
    body: bytes
    verdict: Verdict | None


def examine(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Response:
    """Respond to one request. ``path`` is ``/mutate`` or ``/validate``, with or without a query.

    Any bytes give either 200 with an AdmissionReview or 4xx with one line of plain text; nothing is raised.
    """

    def judged() -> Response:
        read_path(path)
        return response_of(judge(read_review(body), path, lookup, settings))

    return or_refusal(body, judged)


def response_of(verdict: Verdict) -> Response:
    """The response with the verdict on a review."""
    return Response(200, JSON, write_verdict(verdict), verdict)


def or_refusal(body: bytes, answer: Callable[[], Result]) -> Result | Response:
    """The answer to one request, or the refusal of one that is no review (400) or at no path of ours (404)."""
    try:
        return answer()
    except UnknownPath as unknown:
        return _refusal(404, str(unknown))
    except MalformedReview as malformed:
        return _refusal(400, str(malformed))
    except RecursionError:
        if not is_deep(read_review(body)):
            raise
        return _refusal(400, "the body is nested too deeply")


def review(body: bytes, path: str, lookup: Lookup, settings: Settings) -> tuple[int, bytes]:
    """The status and body of ``examine``."""
    response = examine(body, path, lookup, settings)
    return response.status, response.body


def _refusal(status: int, line: str) -> Response:
    return Response(status, TEXT, f"{line}\n".encode(), None)


def read_review(body: bytes) -> Any:
    """Parse the body as JSON. The last of duplicate keys counts, as for an API server.

    Raises MalformedReview if it is not JSON in UTF-8, is nested too deeply, or has a number with too many digits.
    """
    if not body:
        raise MalformedReview("the body is empty; it must be an AdmissionReview")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_any_json(body)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode


def _read_any_json(body: bytes) -> Any:
    """Parse JSON that orjson refuses and that only other clients than API servers send.

    Numbers beyond a double and unpaired surrogates get a verdict; everything else gets the reason of its refusal.
    """
    try:
        text = body.decode().strip(_BLANKS)
        value, end = _decode(text)
    except UnicodeDecodeError:
        raise MalformedReview("the body is not UTF-8") from None
    except RecursionError:
        raise MalformedReview("the body is nested too deeply") from None
    except ValueError:
        raise MalformedReview("the body is not JSON") from None
    if end != len(text):
        raise MalformedReview("the body continues after its JSON value")
    return value


def _encode(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # The values that orjson refused to read are repeated in labels and names.
        return json.dumps(value, separators=(",", ":")).encode()


def write_verdict(verdict: Verdict) -> bytes:
    """The AdmissionReview with the response; the same verdict gives the same bytes."""
    response: dict[str, Any] = {"uid": verdict.uid, "allowed": verdict.allowed}
    if not verdict.allowed:
        response["status"] = status_of(verdict)
    if verdict.defaults:
        patch = [{"op": "add", "path": pointer, "value": value} for pointer, value in verdict.defaults]
        response["patchType"] = "JSONPatch"
        response["patch"] = b64encode(_encode(patch)).decode()
    if (verdict.findings or verdict.notices) and (warnings := warnings_of(verdict)):
        response["warnings"] = warnings
    if (verdict.findings or verdict.skipped) and (annotations := audit_annotations_of(verdict)):
        response["auditAnnotations"] = annotations
    return _encode({**_ENVELOPE, "response": response})


def status_of(verdict: Verdict) -> dict[str, Any]:
    """The Status of a denial: 403 with a cause for each finding, or 400 for an object that cannot be read.

    Never 422 Invalid: clients that force (Flux, Argo CD, ``kubectl apply --force``) read it as a change of an immutable
    field and delete the stored object. kubectl prints no causes of a 403, so the message has all of them.
    """
    if verdict.malformed:
        return {"status": "Failure", "message": verdict.malformed, "reason": "BadRequest", "code": 400}
    findings = verdict.denials
    causes = [_cause(finding.reason, finding.body, field=finding.field) for finding in findings[:MAX_CAUSES]]
    texts = [finding.text for finding in findings[:MAX_CAUSES]]
    if (more := len(findings) - MAX_CAUSES) > 0:
        causes.append(_cause(INVALID, f"... and {more} more", field="spec"))
        texts.append(f"... and {more} more")
    refused = f"{verdict.kind}.{GROUP} {echo(verdict.name)} is refused:"
    details = {"name": verdict.name[:_MAX_NAME], "group": GROUP, "kind": verdict.kind, "causes": causes}
    return {
        "status": "Failure",
        "message": "\n".join((refused, *texts, *verdict.remarks)),
        "reason": "Forbidden",
        "details": details,
        "code": 403,
    }


def warnings_of(verdict: Verdict) -> Sequence[str]:
    """One printable, short line for each finding that does not deny, then the notices."""
    texts = [finding.text for finding, effect in verdict.findings if effect != "denied"]
    texts += verdict.notices
    if len(texts) > MAX_WARNINGS:
        texts[MAX_WARNINGS - 1 :] = [f"... and {len(texts) - MAX_WARNINGS + 1} more"]
    return [text if len(text) <= MAX_WARNING else text[: MAX_WARNING - 3] + "..." for text in texts]


def audit_annotations_of(verdict: Verdict) -> dict[str, str]:
    """For the audit log: the ids of the findings by their effect, and why an object was not judged."""
    annotations: dict[str, str] = {effect: ",".join(ids) for effect, ids in verdict.ids_by_effect.items()}
    if verdict.skipped:
        annotations["skipped"] = verdict.skipped
    return annotations


def _cause(reason: str, message: str, *, field: str) -> dict[str, str]:
    return {"reason": reason, "message": message, "field": field}
