"""The rules of the annotations by which people steer a rollout, RO015 and RO016, and the name that is filled in."""

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.admission.rules.field_error import invalid
from webhook.admission.rules.table import RO015, RO016
from webhook.admission.verdict import Finding
from webhook.api.steering import Group, problems_in


def steering_findings(
    annotations: Mapping[str, Any], old: Mapping[str, Any] | None, groups: Iterable[Group], username: str
) -> list[Finding]:
    """The findings in the groups that a write sets or changes; ``username`` is that of the writer.

    A name that a mutating webhook filled in is the writer's.
    """
    groups = list(groups)
    findings = [
        invalid(RO015, _field(problem.key), problem.value, problem=problem.problem, way_out=problem.way_out)
        for problem in problems_in(annotations, old, groups)
    ]
    for group in groups:
        if group.main not in annotations or group.by not in annotations:
            continue
        if not username or annotations[group.by] != username:
            way_out = f"leave it out, as with kubectl annotate ... {group.by}-, and it is filled in"
            problem = "must be the user name of the writer"
            findings.append(invalid(RO016, _field(group.by), annotations[group.by], problem=problem, way_out=way_out))
    return findings


def names_to_fill_in(annotations: Mapping[str, Any], groups: Iterable[Group], username: str) -> dict[str, str]:
    """The annotations with the writer's name that are absent in these groups; none for a writer without a name."""
    if not username:
        return {}
    return {group.by: username for group in groups if group.main in annotations and group.by not in annotations}


def _field(key: str) -> str:
    return f"metadata.annotations[{key}]"
