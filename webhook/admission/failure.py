"""Failures: the answer to a review whose judgement raised an exception, and what the log says of it.

What reads a review, quotes a value or writes an answer elsewhere may be what raised: nothing here depends on it.
"""

import json
import traceback
from typing import Any, Final

from webhook.admission.envelope import JSON, MAX_WARNING, TEXT, Response, read_review
from webhook.admission.knative_objects import read_knative_request
from webhook.admission.request import KNATIVE, MUTATE, ROUTE, Request, read_request
from webhook.admission.rules import RULE_IDS
from webhook.admission.settings import OnError
from webhook.admission.verdict import Verdict
from webhook.api.kinds import GROUP

_RULE_IDS: Final = frozenset(RULE_IDS)
_UNDONE: Final = {MUTATE: "filled nothing in", KNATIVE: "left it as it is"}
_LONGEST_NAME: Final = 64


def read_failed(body: bytes, path: str) -> Request | None:
    """The request of a review that was not judged, None if it has none with a uid; ``path`` has no query.

    Raises nothing.
    """
    name = path.lstrip("/")
    try:
        return read_knative_request(body) if name == KNATIVE else read_request(read_review(body), name)
    except BaseException:
        return _read_plainly(body, name)


def _read_plainly(body: bytes, path: str) -> Request | None:
    """The same by code that reads nothing else."""
    try:
        members = _object(_object(json.loads(body)).get("request"))
    except Exception:
        return None
    uid, operation = _text(members.get("uid")), _text(members.get("operation"))
    if not uid:
        return None
    is_judged = operation in ("CREATE", "UPDATE") and not members.get("subResource")
    return Request(
        path=path,
        uid=uid,
        operation=operation,
        kind=_text(_object(members.get("kind")).get("kind")) if is_judged else "",
        not_judged="",
        namespace=_text(members.get("namespace")),
        username=_text(_object(members.get("userInfo")).get("username")),
        object=members.get("object"),
        old=members.get("oldObject"),
    )


def failed_verdict(request: Request, problem: BaseException, on_error: OnError) -> Verdict:
    """The verdict on a review that was not judged: without a patch, and refused only where a write has to be checked.

    The mutating call allows it, since the validating call follows, and that one refuses it unless ``on_error`` is
    ``allow``. At /knative a new Revision is rolled out as by Knative alone. A Route is refused whatever ``on_error``
    is: only held ones are reviewed, and what would move one has to wait until it can be put back.
    """
    namespace, name = names_in(request)
    whom = f"{request.kind or 'object'} {_quoted(f'{namespace}/{name}' if namespace else name)}"
    fault = f"Stagegate's webhook failed on it ({type(problem).__name__})"
    report = f"report it with the line of the webhook's log that has uid {_quoted(request.uid)}"
    allowed = is_allowed(request, on_error)
    if allowed:
        failed = f"{whom}: {fault} and {_UNDONE.get(request.path, 'did not check it')}; {report}"
    elif request.path == KNATIVE:
        failed = f"{whom} keeps its traffic: {fault}. The fault is Stagegate's, not the Route's: {report}"
    else:
        failed = (
            f"{whom} is refused unchecked: {fault}. The fault is Stagegate's, not the object's: {report}. "
            "The webhook's option --on-error=allow lets such writes pass meanwhile"
        )
    return Verdict(
        uid=request.uid,
        allowed=allowed,
        path=request.path,
        operation=request.operation,
        kind=request.kind,
        namespace=namespace,
        name=name,
        skipped=f"the webhook failed: {type(problem).__name__}",
        failed=failed,
        precedes_validation=request.path == MUTATE,
    )


def is_allowed(request: Request, on_error: OnError) -> bool:
    """True if a review that was not judged lets the write pass."""
    if request.path == KNATIVE:
        return request.kind != ROUTE
    return not request.kind or request.path == MUTATE or on_error == "allow"


def failed_response(verdict: Verdict) -> Response:
    """The response with the verdict on a review that was not judged.

    A refusal has the code 500, after which clients try again; a warning is cut as an API server would cut it.
    """
    response: dict[str, Any] = {"uid": verdict.uid, "allowed": verdict.allowed}
    if verdict.allowed:
        text = verdict.failed
        response["warnings"] = [text if len(text) <= MAX_WARNING else text[: MAX_WARNING - 3] + "..."]
    else:
        response["status"] = {
            "status": "Failure",
            "message": verdict.failed,
            "reason": "InternalError",
            "details": {"name": verdict.name[:253], "group": GROUP, "kind": verdict.kind},
            "code": 500,
        }
    response["auditAnnotations"] = {"skipped": verdict.skipped}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return Response(200, JSON, json.dumps(review).encode(), verdict)


def unanswered(path: str) -> Response:
    """The response to a review that was not judged and has no uid to be found: for an API server the call failed.

    So the failurePolicy of the webhook's registration decides on the write.
    """
    line = "the server failed on this review; its log says why"
    return Response(500, TEXT, f"{line}\n".encode(), Verdict(uid="", allowed=False, path=path, failed=line))


def rules_at(problem: BaseException) -> str:
    """The ids of the rules that were being checked, separated by commas; empty if it was none.

    They are the rules that the innermost function of the traceback checks; a rule's constant is named like its id.
    """
    for frame, _ in reversed(list(traceback.walk_tb(problem.__traceback__))):
        ids = _RULE_IDS.intersection(frame.f_code.co_names)
        if ids:
            return ",".join(sorted(ids))
    return ""


def names_in(request: Request) -> tuple[str, str]:
    """Namespace and name of the object in a request; empty where they cannot be read."""
    metadata = _object(_object(request.object).get("metadata"))
    return request.namespace or _text(metadata.get("namespace")), _text(metadata.get("name"))


def _quoted(text: str) -> str:
    """A text for a message: ASCII, one line, shortened."""
    return json.dumps(text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}...")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
