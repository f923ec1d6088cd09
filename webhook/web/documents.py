"""Documents: what the pages show, as JSON values for programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from webhook.api.wire import format_time
from webhook.diagnosis.documents import explanation_document, summary_document, time_document
from webhook.diagnosis.summary import Summary
from webhook.web.detail import Detail

Json = dict[str, Any]

_API_VERSION: Final = "stagegate.dev/v1alpha1"


def list_document(summaries: Sequence[Summary], at: datetime) -> Json:
    """The rollouts that the filters leave."""
    items = [summary_document(one) for one in summaries]
    return {"apiVersion": _API_VERSION, "kind": "RolloutList", "at": format_time(at), "items": items}


def detail_document(detail: Detail) -> Json:
    """One rollout: what ``stagegate explain`` says, and what the page shows besides."""
    at = detail.snapshot.at
    return {
        "apiVersion": _API_VERSION,
        "kind": "RolloutPage",
        **explanation_document(detail.summary, detail.causes, detail.chain, detail.unread, at),
        "stages": [
            {
                "stage": row.number,
                "when": row.when,
                "since": time_document(row.since),
                "replicas": row.replicas,
                "revisions": dict(zip(detail.revisions, row.shares, strict=True)),
            }
            for row in detail.stages
        ],
        "moments": [
            {
                "isPlanned": column.planned,
                "traffic": dict(column.traffic),
                "replicas": dict(column.replicas),
                "begins": column.stage or None,
            }
            for column in detail.chart.columns
        ],
        "peakReplicas": detail.chart.peak,
        "pods": [
            {"name": pod.name, "revision": pod.revision, "isReady": pod.is_ready, "says": pod.says, "node": pod.node}
            for pod in detail.pods
        ],
        "conditions": [one.to_dict() for one in detail.conditions],
        "events": [
            {
                "at": time_document(one.at),
                "reason": one.reason,
                "message": one.message,
                "about": one.about,
                "count": one.count,
            }
            for one in detail.events
        ],
    }
