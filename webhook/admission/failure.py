"""Failures: the answer to a review whose judgement raised an exception, and what the log says of it."""

import traceback
from typing import Any, Final

from webhook.admission.envelope import read_review
from webhook.admission.knative_objects import read_knative_request
from webhook.admission.request import KNATIVE, MUTATE, REVISION, ROUTE, Request, read_request
from webhook.admission.rules import RULE_IDS
from webhook.admission.rules.field_error import echo
from webhook.admission.settings import OnError
from webhook.admission.verdict import Verdict

_RULE_IDS: Final = frozenset(RULE_IDS)
_UNDONE: Final = {MUTATE: "filled nothing in", KNATIVE: "left it as it is"}


def read_failed(body: bytes, path: str) -> Request | None:
    """The request of a review that was not judged, None if it cannot be read; ``path`` has no query. Raises nothing."""
    try:
        name = path.lstrip("/")
        return read_knative_request(body) if name == KNATIVE else read_request(read_review(body), name)
    except Exception:
        return None


def failed_verdict(request: Request, problem: BaseException, on_error: OnError) -> Verdict:
    """The verdict on a review that was not judged: without a patch, and refused only where a write has to be checked.

    The mutating call allows it, since the validating call follows, and that one refuses it unless ``on_error`` is
    ``allow``. At /knative a new Revision is rolled out as by Knative alone. A Route is refused whatever ``on_error``
    is: only held ones are reviewed, and what would move one has to wait until it can be put back.
    """
    namespace, name = names_in(request)
    whom = f"{request.kind or 'object'} {echo(f'{namespace}/{name}' if namespace else name)}"
    fault = f"Stagegate's webhook failed on it ({type(problem).__name__})"
    report = f"report it with the line of the webhook's log that has uid {echo(request.uid)}"
    failed = ""
    notices: tuple[str, ...] = ()
    if is_allowed(request, on_error):
        notices = (f"{whom}: {fault} and {_UNDONE.get(request.path, 'did not check it')}; {report}",)
    elif request.path == KNATIVE:
        failed = f"{whom} keeps its traffic: {fault}. The fault is Stagegate's, not the Route's: {report}"
    else:
        failed = (
            f"{whom} is refused unchecked: {fault}. The fault is Stagegate's, not the object's: {report}. "
            "The webhook's option --on-error=allow lets such writes pass meanwhile"
        )
    return Verdict(
        uid=request.uid,
        allowed=not failed,
        path=request.path,
        operation=request.operation,
        kind=request.kind,
        namespace=namespace,
        name=name,
        notices=notices,
        skipped=f"the webhook failed: {type(problem).__name__}",
        failed=failed or notices[0],
        precedes_validation=request.path == MUTATE,
    )


def is_allowed(request: Request, on_error: OnError) -> bool:
    """True if a review that was not judged lets the write pass."""
    if not request.kind or request.path == MUTATE or request.kind == REVISION:
        return True
    return on_error == "allow" and request.kind != ROUTE


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
    metadata = request.object.get("metadata") if isinstance(request.object, dict) else None
    members: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
    return request.namespace or _text(members.get("namespace")), _text(members.get("name"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
