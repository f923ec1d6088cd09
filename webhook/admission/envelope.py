"""Bytes to review, verdict to bytes."""

import json
from base64 import b64encode
from typing import Any, Final, NoReturn

import orjson

from webhook.admission.errors import MalformedReview
from webhook.admission.response import audit_annotations_of, status_of, warnings_of
from webhook.admission.verdict import Verdict

_ENVELOPE: Final = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
_BLANKS: Final = " \t\n\r"


def read_review(body: bytes) -> Any:
    """The JSON value in the body. Of a key that stands twice the last one counts, as for an API server.

    Raises MalformedReview on anything that is no JSON in UTF-8, or too deep or long a number to be read.
    """
    if not body:
        raise MalformedReview("the body is empty; it must be an AdmissionReview")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_whatever_is_json(body)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode


def _read_whatever_is_json(body: bytes) -> Any:
    """JSON that no API server sends, but somebody may: numbers beyond a double, halves of surrogate pairs.

    These deserve a verdict; everything else gets the reason why it is no review.
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
        raise MalformedReview("the body goes on behind its JSON value")
    return value


def _encode(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # What could only be read slowly is written slowly.
        return json.dumps(value, separators=(",", ":")).encode()


def write_verdict(verdict: Verdict) -> bytes:
    """The AdmissionReview that answers; the same verdict gives the same bytes."""
    response: dict[str, Any] = {"uid": verdict.uid, "allowed": verdict.allowed}
    if not verdict.allowed:
        response["status"] = status_of(verdict)
    if verdict.fills:
        patch = [{"op": "add", "path": pointer, "value": value} for pointer, value in verdict.fills]
        response["patchType"] = "JSONPatch"
        response["patch"] = b64encode(_encode(patch)).decode()
    if (verdict.findings or verdict.notices) and (warnings := warnings_of(verdict)):
        response["warnings"] = warnings
    if (verdict.findings or verdict.skipped) and (annotations := audit_annotations_of(verdict)):
        response["auditAnnotations"] = annotations
    return _encode({**_ENVELOPE, "response": response})
