"""Specs of ROs in which only the given members are wrong, and what is found in them."""

from typing import Any

from tests.admission.reviews import entry
from webhook.admission.rules.rollout_orchestrator import findings_of
from webhook.api.wire import Wire

OLD = entry("hello-00001", 100)
NEW = entry("hello-00002", 100)
DOWN = entry("hello-00001", 70, "down")
UP = entry("hello-00002", 30, "up")


def lines_of(spec: Any) -> list[tuple[str, str]]:
    """Severity and text of each finding."""
    return [(finding.severity, finding.text) for finding in findings_of(spec)]


def rollout(**members: Any) -> Wire:
    """A spec in which only the given members are wrong."""
    return {
        "initialRevisions": [OLD],
        "targetRevisions": [NEW],
        "stageTargetRevisions": [DOWN, UP],
        "rolloutStrategy": "availability",
        **members,
    }
