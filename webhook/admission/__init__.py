"""AdmissionReview in, verdict out; no sockets, no clock, no cluster."""

from webhook.admission.envelope import Response, examine, review
from webhook.admission.judgement import judge
from webhook.admission.lookup import CachedRollout, EmptyLookup, Lookup, RevisionBounds
from webhook.admission.request import MalformedReview, UnknownPath
from webhook.admission.rollout_cache import RolloutCache
from webhook.admission.rules import RULE_IDS
from webhook.admission.settings import DEFAULT_CONTROLLERS, Enforcement, Settings
from webhook.admission.verdict import EFFECTS, Default, Effect, Finding, Judged, Verdict

__all__ = [
    "DEFAULT_CONTROLLERS",
    "EFFECTS",
    "RULE_IDS",
    "CachedRollout",
    "Default",
    "Effect",
    "EmptyLookup",
    "Enforcement",
    "Finding",
    "Judged",
    "Lookup",
    "MalformedReview",
    "Response",
    "RevisionBounds",
    "RolloutCache",
    "Settings",
    "UnknownPath",
    "Verdict",
    "examine",
    "judge",
    "review",
]
