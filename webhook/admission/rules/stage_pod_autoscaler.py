"""The rules of an SPA: SPA001 to SPA008."""

from typing import Any, Final, NamedTuple

from webhook.admission.lookup import CachedRollout, RevisionBounds
from webhook.admission.rules.field_error import echo, in_schema, invalid, required
from webhook.admission.rules.table import SPA001, SPA002, SPA003, SPA004, SPA005, SPA006, SPA007, SPA008
from webhook.admission.verdict import Finding
from webhook.api.kinds import MAX_INT32, REVISION_LABEL
from webhook.api.wire import is_count
from webhook.planning import scale_bounds
from webhook.strategies.defaulting import exceeds
from webhook.strategies.table import STRATEGIES

MIN_FIELD: Final = "spec.stageMinScale"
MAX_FIELD: Final = "spec.stageMaxScale"


class SPAFacts(NamedTuple):
    """What the rules read of an SPA after defaulting: JSON values as received, None if absent.

    ``spec`` is the whole spec before defaulting. ``name`` is None if there is only a generateName.
    """

    name: str | None
    revision_label: str | None
    minimum: Any
    maximum: Any
    spec: Any = None


def bounds_of(spec: Any) -> tuple[Any, Any]:
    """Minimum and maximum in the JSON value of a spec; None if absent or null."""
    return (spec.get("stageMinScale"), spec.get("stageMaxScale")) if isinstance(spec, dict) else (None, None)


def denying_findings(spa: SPAFacts) -> list[Finding]:
    """SPA001 to SPA003, which need no RO."""
    name, label, minimum, maximum, spec = spa
    findings: list[Finding] = []
    if spec is not None and not isinstance(spec, dict):
        way_out = "kubectl explain stagepodautoscalers.spec shows its fields"
        findings.append(in_schema(invalid(SPA001, "spec", spec, problem="must be an object", way_out=way_out)))
    sound = True
    for field, value in ((MIN_FIELD, minimum), (MAX_FIELD, maximum)):
        if value is not None and not is_count(value):
            sound = False
            problem = f"must be a whole number from 0 to {MAX_INT32}"
            way_out = "leave it out to inherit the revision's own bound"
            findings.append(in_schema(invalid(SPA001, field, value, problem=problem, way_out=way_out)))
    if sound and minimum and maximum and minimum > maximum:
        problem = f"must not exceed {MAX_FIELD} ({echo(maximum)})"
        way_out = f"lower it, or raise {MAX_FIELD} (0 stands for no limit)"
        findings.append(in_schema(invalid(SPA002, MIN_FIELD, minimum, problem=problem, way_out=way_out), "spec"))
    if label is not None and name is not None and label != name:
        field = f"metadata.labels[{REVISION_LABEL}]"
        problem = f"must be the object's own name, {echo(name)}"
        way_out = "leave the label out to have it filled in"
        findings.append(invalid(SPA003, field, label, problem=problem, way_out=way_out))
    return findings


def advising_findings(spa: SPAFacts, rollout: CachedRollout, own: RevisionBounds) -> list[Finding]:
    """SPA004 to SPA007: the effect of the bounds, given the revision's own ones from the rollout."""
    minimum, maximum = spa.minimum, spa.maximum
    if not (minimum is None or is_count(minimum)) or not (maximum is None or is_count(maximum)):
        return []
    own_min, own_max = own
    findings: list[Finding] = []
    is_held = minimum == 0 and STRATEGIES[rollout.strategy].holds_at_zero
    if maximum == 0 and own_max and own_max > 0 and not is_held:
        problem = f"removes the cap of {own_max} that the rollout gives this revision, since 0 stands for no limit"
        way_out = "leave it out to keep the cap"
        findings.append(invalid(SPA004, MAX_FIELD, maximum, problem=problem, way_out=way_out))
    # Upstream writes 0/1 on every revision that gives up its traffic, whatever its own maximum.
    if maximum and not own_max and (minimum, maximum) != (0, 1):
        problem = f"has no effect, since the revision has no maximum of its own; in effect: {_effect(spa, own)}"
        way_out = "a limit needs autoscaling.knative.dev/max-scale on the revision"
        findings.append(invalid(SPA005, MAX_FIELD, maximum, problem=problem, way_out=way_out))
    if minimum and minimum > (own_min or 0):
        problem = f"has no effect, since the revision's own minimum is {own_min or 0}; in effect: {_effect(spa, own)}"
        way_out = "a stage can only lower it"
        findings.append(invalid(SPA006, MIN_FIELD, minimum, problem=problem, way_out=way_out))
    for field, value, given in ((MIN_FIELD, minimum, own_min), (MAX_FIELD, maximum, own_max)):
        if value is None and given is not None:
            problem = f"the rollout gives this revision {given}{_misfit(field, spa, own)}"
            way_out = "until it is set, the revision's own bound holds"
            findings.append(required(SPA007, field, problem=problem, way_out=way_out))
    return findings


def ownership_findings(minimum: Any, maximum: Any, controller: str) -> list[Finding]:
    """SPA008: a person sets bounds that the loop owns; None for a bound that this write does not set.

    ``controller`` is the name of the RO that controls the SPA.
    """
    problem = f"set by hand, but RolloutOrchestrator {echo(controller)} controls this object"
    way_out = "the loop sets it: leave it out, also in Git"
    return [
        invalid(SPA008, field, value, problem=problem, way_out=way_out)
        for field, value in ((MIN_FIELD, minimum), (MAX_FIELD, maximum))
        if value is not None
    ]


def bounds_set_now(
    bounds: tuple[Any, Any],
    *,
    before: tuple[Any, Any],
    own: RevisionBounds | None,
    managed_fields: Any,
    after_defaulting: bool,
) -> tuple[Any, Any]:
    """The bounds that the writer of this object set in this write, as far as the request shows it; None for others.

    ``bounds`` are those of the object, ``before`` those of the old object. A bound that did not change was set earlier.
    ``after_defaulting`` is true in the validating call, whose object has the defaults too: a bound equal to the
    revision's own counts as set only if a field manager owns it, since none owns what a webhook adds.
    """
    minimum = bounds[0] if bounds[0] != before[0] else None
    maximum = bounds[1] if bounds[1] != before[1] else None
    if after_defaulting and own is not None:
        own_min, own_max = own
        owned: set[str] = set()
        if (minimum is not None and minimum == own_min) or (maximum is not None and maximum == own_max):
            owned = _owned_fields(managed_fields)
        if minimum == own_min and "f:stageMinScale" not in owned:
            minimum = None
        if maximum == own_max and "f:stageMaxScale" not in owned:
            maximum = None
    return minimum, maximum


def _owned_fields(managed_fields: Any) -> set[str]:
    """The members of the spec that any field manager owns, as ``f:`` keys."""
    owned: set[str] = set()
    for manager in managed_fields if isinstance(managed_fields, list) else ():
        fields = manager.get("fieldsV1") if isinstance(manager, dict) else None
        spec = fields.get("f:spec") if isinstance(fields, dict) else None
        if isinstance(spec, dict):
            owned.update(spec)
    return owned


def _misfit(field: str, spa: SPAFacts, own: RevisionBounds) -> str:
    """Why defaulting left a bound absent; empty if it could have set it."""
    minimum, maximum = spa.minimum, spa.maximum
    if not is_count(own.min_scale if field == MIN_FIELD else own.max_scale):
        return ", which is not valid"
    if minimum is None and maximum is None and exceeds(*own):
        return f", but a minimum of {own.min_scale} with a maximum of {own.max_scale}"
    if field == MIN_FIELD and exceeds(own.min_scale, maximum):
        return f", which does not fit {MAX_FIELD} ({echo(maximum)})"
    if field == MAX_FIELD and exceeds(minimum, own.max_scale):
        return f", which does not fit {MIN_FIELD} ({echo(minimum)})"
    return ""


def _effect(spa: SPAFacts, own: RevisionBounds) -> str:
    low, high = scale_bounds(own.min_scale, own.max_scale, spa.minimum, spa.maximum)
    return f"minimum {echo(low)}, maximum {echo(high)}" if high > 0 else f"minimum {echo(low)}, no maximum"
