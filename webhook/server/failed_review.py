"""A failed review: an exception in judging it is logged, counted and answered."""

from webhook.admission import Response
from webhook.admission.failure import failed_response, failed_verdict, read_failed, rules_at, unanswered
from webhook.admission.request import Request
from webhook.admission.settings import OnError
from webhook.cluster.supervisor import Supervisor
from webhook.server.quotation import quoting


def answer_failed(
    path: str, body: bytes, problem: BaseException, on_error: OnError, supervisor: Supervisor
) -> Response:
    """The answer to a review that raised at ``path``, as far as it can still be read. Raises nothing."""
    request = read_failed(body, path)
    if request is not None:
        return answer_unjudged(request, problem, on_error, supervisor)
    fields = {"path": path, "rule": rules_at(problem) or "none", "bytes": len(body)}
    is_withheld = quoting(problem, lambda: [body.decode("ascii", "replace")])
    supervisor.fault("admission", "a review has no answer", problem, fields, is_withheld)
    return unanswered(path.lstrip("/"))


def answer_unjudged(request: Request, problem: BaseException, on_error: OnError, supervisor: Supervisor) -> Response:
    """The answer to a review whose judgement raised. The log line names the object and never contains it."""
    verdict = failed_verdict(request, problem, on_error)
    fields = {
        "path": f"/{verdict.path}",
        "rule": rules_at(problem) or "none",
        "operation": verdict.operation,
        "kind": verdict.kind,
        "namespace": verdict.namespace,
        "name": verdict.name,
        "uid": verdict.uid,
        "allowed": verdict.allowed,
    }
    names = (verdict.kind, verdict.namespace, verdict.name)
    is_withheld = quoting(problem, lambda: (request.object, request.old), names)
    supervisor.fault("admission", "a review was not judged", problem, fields, is_withheld)
    return failed_response(verdict)
