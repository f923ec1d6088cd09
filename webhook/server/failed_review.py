"""A failed review: an exception in judging it is logged, counted and answered."""

from webhook.admission import Response
from webhook.admission.envelope import response_of
from webhook.admission.failure import failed_verdict, rules_at
from webhook.admission.request import Request
from webhook.admission.settings import OnError
from webhook.cluster.supervisor import Supervisor


def answer_failed(request: Request, problem: Exception, on_error: OnError, supervisor: Supervisor) -> Response:
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
    supervisor.fault("admission", "a review was not judged", problem, fields)
    return response_of(verdict)
