"""AdmissionReview in, verdict out; no sockets, no clock, no cluster."""

from webhook.admission.answer import Answer, examine, review
from webhook.admission.errors import MalformedReview, UnknownPath
from webhook.admission.judgement import judge
from webhook.admission.lookup import EmptyLookup, Entry, Lookup, Rollout
from webhook.admission.rollout_cache import RolloutCache
from webhook.admission.rules import RULE_IDS
from webhook.admission.settings import DEFAULT_CONTROLLERS, Enforcement, Settings
from webhook.admission.verdict import EFFECTS, Effect, Fill, Finding, Judged, Verdict

__all__ = [
    "DEFAULT_CONTROLLERS",
    "EFFECTS",
    "RULE_IDS",
    "Answer",
    "Effect",
    "EmptyLookup",
    "Enforcement",
    "Entry",
    "Fill",
    "Finding",
    "Judged",
    "Lookup",
    "MalformedReview",
    "Rollout",
    "RolloutCache",
    "Settings",
    "UnknownPath",
    "Verdict",
    "examine",
    "judge",
    "review",
]
