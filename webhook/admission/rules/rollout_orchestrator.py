"""The rules of an RO as a whole: RO005, RO007, RO009, RO011, RO013 and RO014; target_revision has those of entries."""

from operator import attrgetter
from typing import Any, Final

from webhook.admission.rules.field_error import echo, in_schema, invalid, is_date_time, required, unsupported
from webhook.admission.rules.table import RO001, RO005, RO007, RO009, RO011, RO013, RO014
from webhook.admission.rules.target_revision import TARGET, check_list, direction_of
from webhook.admission.verdict import Finding
from webhook.api.kinds import MAX_REVISIONS, SERVICE_LABEL
from webhook.api.word import word_of
from webhook.strategies.table import DEFAULT_STRATEGY, STRATEGIES

INITIAL: Final = "initialRevisions"
STAGE: Final = "stageTargetRevisions"

_LISTS: Final = (INITIAL, TARGET, STAGE)
_STRATEGIES: Final = tuple(STRATEGIES)
_MAX_STRATEGY: Final = 256


def findings_of(spec: Any) -> list[Finding]:
    """All findings in the spec of an RO in wire form, ordered by id, then by position."""
    if spec is None:
        return [_without_targets()]
    if not isinstance(spec, dict):
        way_out = "kubectl explain rolloutorchestrators.spec shows its fields"
        return [in_schema(invalid(RO001, "spec", spec, problem="must be an object", way_out=way_out))]
    findings: list[Finding] = []
    for key in _LISTS:
        revisions = spec.get(key)
        if revisions or (revisions is not None and not isinstance(revisions, list)):
            check_list(key, revisions, findings)
    _check_stage(spec.get(STAGE), spec.get(TARGET), findings)
    _check_targets(spec.get(TARGET), findings)
    _check_strategy(spec.get("rolloutStrategy"), findings)
    time = spec.get("targetFinishTime")
    if time is not None and not is_date_time(time):
        problem, way_out = "must be a date and time, such as 2030-01-01T00:00:00Z", "leave it out: the loop sets it"
        findings.append(in_schema(invalid(RO001, "spec.targetFinishTime", time, problem=problem, way_out=way_out)))
    if len(findings) > 1:
        findings.sort(key=attrgetter("id"))
    return findings


def label_findings(name: str, service_label: str | None) -> list[Finding]:
    """RO014, given the name and the service label of an RO; an absent label is filled in."""
    if not name or service_label is None or service_label == name:
        return []
    problem = f"should be the object's own name, {echo(name)}, which is also that of the Knative Service"
    field, way_out = f"metadata.labels[{SERVICE_LABEL}]", "leave the label out to have it filled in"
    return [invalid(RO014, field, service_label, problem=problem, way_out=way_out)]


def _without_targets() -> Finding:
    problem = "without targets there is nothing to roll out"
    way_out = "list the revision that is to run, with percent 100"
    return required(RO013, f"spec.{TARGET}", problem=problem, way_out=way_out)


def _check_stage(stage: Any, targets: Any, findings: list[Finding]) -> None:
    if isinstance(stage, list) and stage:
        is_read = len(stage) <= MAX_REVISIONS
        if is_read and not any(isinstance(revision, dict) and direction_of(revision) == "up" for revision in stage):
            way_out = 'give one entry the direction "up", or remove the stage'
            findings.append(required(RO005, f"spec.{STAGE}", problem="nothing goes up in this stage", way_out=way_out))
        if not targets:
            way_out = f"set {TARGET}, or remove {STAGE}"
            problem = "a stage needs the targets that it leads to"
            findings.append(required(RO007, f"spec.{TARGET}", problem=problem, way_out=way_out))
    elif not targets and (targets is None or isinstance(targets, list)):
        findings.append(_without_targets())
    if isinstance(targets, list) and targets:
        first = targets[0]
        if isinstance(first, dict) and first.get("percent") is None:
            problem = "the first target needs its share of the traffic"
            findings.append(
                required(RO007, f"spec.{TARGET}[0].percent", problem=problem, way_out="set percent, from 0 to 100")
            )


def _check_targets(targets: Any, findings: list[Finding]) -> None:
    """RO011. Entries of one revision are one target; a list that is too long is not read."""
    if not isinstance(targets, list) or not 1 < len(targets) <= MAX_REVISIONS:
        return
    names = (target.get("revisionName") for target in targets if isinstance(target, dict))
    count = len({name for name in names if name and isinstance(name, str)})
    if count > 1:
        problem = "several revisions have no stages: all of them go up at once"
        way_out = "name one revision to have stages"
        findings.append(invalid(RO011, f"spec.{TARGET}", count, problem=problem, way_out=way_out))


def _check_strategy(strategy: Any, findings: list[Finding]) -> None:
    if strategy is None or strategy in _STRATEGIES:
        return
    is_typed = isinstance(strategy, str) and len(strategy) <= _MAX_STRATEGY
    if not is_typed or word_of(strategy) not in ("", *_STRATEGIES):
        way_out = f'leave it out for "{DEFAULT_STRATEGY}"'
        finding = unsupported(RO009, "spec.rolloutStrategy", strategy, supported=_STRATEGIES, way_out=way_out)
        findings.append(finding if is_typed else in_schema(finding))
