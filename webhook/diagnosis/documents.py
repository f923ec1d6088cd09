"""Documents: summaries, causes and chains as JSON values, for programs and for the page. Times are RFC 3339."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from webhook.api.wire import format_time
from webhook.diagnosis.cause import Cause
from webhook.diagnosis.chain import Link
from webhook.diagnosis.pod_problem import PodProblem
from webhook.diagnosis.summary import RevisionSummary, Summary
from webhook.diagnosis.world import Unread

Json = dict[str, Any]


def summary_document(summary: Summary) -> Json:
    """A summary; what is not known is null."""
    wanted, running, ending = summary.replicas
    return {
        "namespace": summary.namespace,
        "name": summary.name,
        "state": summary.state,
        "needsPerson": summary.needs_person,
        "strategy": summary.strategy,
        "stage": summary.stage,
        "stages": summary.stages,
        "held": summary.held,
        "waitsFor": summary.waits_for,
        "since": time_document(summary.since),
        "secondsLeft": None if summary.left is None else round(summary.left),
        "replicas": {"wanted": wanted, "running": running, "ending": ending},
        "revisions": [_revision(one) for one in summary.revisions],
        "cause": None if summary.cause is None else cause_document(summary.cause),
        "pauseAhead": None if summary.pause_ahead is None else cause_document(summary.pause_ahead),
    }


def cause_document(cause: Cause) -> Json:
    return {
        "id": cause.id,
        "effect": cause.effect,
        "says": cause.says,
        "about": cause.about,
        "since": time_document(cause.since),
        "wayOut": cause.way_out,
        "next": cause.next,
    }


def chain_document(link: Link) -> Json:
    return {
        "kind": link.kind,
        "name": link.name,
        "says": link.says,
        "isWell": link.is_well,
        "since": time_document(link.since),
        "under": [chain_document(one) for one in link.under],
    }


def unread_document(unread: Sequence[Unread]) -> list[Json]:
    return [
        {
            "resource": one.resource.full_name,
            "namespace": one.namespace or None,
            "reason": one.reason,
            "message": one.message,
        }
        for one in unread
    ]


def explanation_document(
    summary: Summary, causes: Sequence[Cause], chain: Link, unread: Sequence[Unread], at: datetime
) -> Json:
    """What ``explain`` says, at this time."""
    return {
        "at": time_document(at),
        "rollout": summary_document(summary),
        "causes": [cause_document(one) for one in causes],
        "chain": chain_document(chain),
        "notSeen": unread_document(unread),
    }


def _revision(one: RevisionSummary) -> Json:
    minimum, maximum = one.bounds
    return {
        "name": one.name,
        "direction": one.direction,
        "traffic": {"wished": one.wished, "real": one.real},
        "replicas": {"wanted": one.wanted, "running": one.running, "ending": one.ending},
        "stageMinScale": minimum,
        "stageMaxScale": maximum,
        "podsNotReady": [_problem(each) for each in one.problems],
    }


def _problem(problem: PodProblem) -> Json:
    return {"pod": problem.pod, "kind": problem.kind, "says": problem.says, "since": time_document(problem.since)}


def time_document(time: datetime | None) -> str | None:
    """A time as Kubernetes writes it; None where it is not known."""
    return None if time is None else format_time(time)
