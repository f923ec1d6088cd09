"""Bytes to review, verdict to bytes."""

import json
from base64 import b64encode
from json.encoder import encode_basestring_ascii
from typing import Any, Final, NoReturn

from webhook.admission.errors import MalformedReview
from webhook.admission.response import audit_annotations_of, status_of, warnings_of
from webhook.admission.verdict import Verdict

_OPENING: Final = '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":'
_ALLOWED: Final = ',"allowed":true'
_DENIED: Final = ',"allowed":false'


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
_BLANKS: Final = " \t\n\r"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def read_review(body: bytes) -> Any:
    """The JSON value in the body. Of a key that stands twice the last one counts, as for an API server.

    Raises MalformedReview on anything that is no JSON in UTF-8, or too deep or long a number to be read.
    """
    if not body:
        raise MalformedReview("the body is empty; it must be an AdmissionReview")
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


def write_verdict(verdict: Verdict) -> bytes:
    """The AdmissionReview that answers; the same verdict gives the same bytes."""
    parts = [_OPENING, encode_basestring_ascii(verdict.uid), _ALLOWED if verdict.allowed else _DENIED]
    if not verdict.allowed:
        parts += ',"status":', _encode(status_of(verdict))
    if verdict.fills:
        patch = _encode([{"op": "add", "path": pointer, "value": value} for pointer, value in verdict.fills])
        parts += ',"patchType":"JSONPatch","patch":"', b64encode(patch.encode()).decode(), '"'
    if (verdict.findings or verdict.notices) and (warnings := warnings_of(verdict)):
        parts += ',"warnings":', _encode(warnings)
    if (verdict.findings or verdict.skipped) and (annotations := audit_annotations_of(verdict)):
        parts += ',"auditAnnotations":', _encode(annotations)
    parts.append("}}")
    return "".join(parts).encode()
