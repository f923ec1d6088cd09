"""The settings in files that no webhook judges: annotations of a Knative Service, and the ConfigMap."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from webhook.admission.rules import Rule
from webhook.admission.rules.field_error import echo
from webhook.api.kinds import SETTINGS_NAME
from webhook.check.kubernetes_object import KubernetesObject
from webhook.check.node import joined
from webhook.check.rules import KSVC001, SET001
from webhook.check.schema import Problem, text_problems
from webhook.knative.annotations import ENABLED, PROGRESSIVE, annotations_of, template_annotations_of, texts
from webhook.planning.config import parse_boolean
from webhook.planning.setting_problems import (
    STAGEGATE_PREFIX,
    SettingProblem,
    config_map_problems,
    misplaced_on_service,
    template_problems,
    unknown_setting,
)

CONFIG_MAP: Final = "ConfigMap"
ON_SERVICE: Final = "metadata.annotations"
ON_TEMPLATE: Final = "spec.template.metadata.annotations"


def is_settings(one: KubernetesObject) -> bool:
    """True for the ConfigMap with the settings of rollouts."""
    return (one.api_version, one.kind, one.name) == ("v1", CONFIG_MAP, SETTINGS_NAME)


def config_map_findings(one: KubernetesObject) -> Iterator[Problem]:
    """What is wrong with the ConfigMap."""
    yield from text_problems(one.node.member("data"), "data")
    for problem in config_map_problems(texts(one.wire, "data")):
        yield _found(SET001, joined("data", problem.key), problem)


def service_findings(one: KubernetesObject) -> Iterator[Problem]:
    """What is wrong with the annotations of ours on a Knative Service and on its template."""
    yield from text_problems(one.node.member("metadata", "annotations"), ON_SERVICE)
    yield from text_problems(one.node.member("spec", "template", "metadata", "annotations"), ON_TEMPLATE)
    own, on_template = annotations_of(one.wire), template_annotations_of(one.wire)
    misplaced = misplaced_on_service(own)
    for key in misplaced:
        if key != ENABLED:
            yield _no_effect(ON_SERVICE, key, own[key], ON_TEMPLATE)
    others = {key: value for key, value in own.items() if key not in misplaced or key == ENABLED}
    for problem in (*template_problems(others), *_stagegate_problems(others)):
        yield _found(KSVC001, joined(ON_SERVICE, problem.key), problem)
    if PROGRESSIVE in on_template:
        yield _no_effect(ON_TEMPLATE, PROGRESSIVE, on_template[PROGRESSIVE], ON_SERVICE)
    for problem in template_problems(on_template):
        yield _found(KSVC001, joined(ON_TEMPLATE, problem.key), problem)


def _stagegate_problems(annotations: Mapping[str, Any]) -> Iterator[SettingProblem]:
    for key, value in annotations.items():
        if key == PROGRESSIVE:
            if parse_boolean(value) is None:
                yield SettingProblem(key, value, "is not true or false", 'write for example "true"', False)
        elif key.startswith(STAGEGATE_PREFIX):
            yield unknown_setting(key, value, (PROGRESSIVE,))


def _found(rule: Rule, field: str, problem: SettingProblem) -> Problem:
    ignored = "" if problem.is_unknown else ", so that it is ignored"
    return Problem(rule, field, f"Invalid value: {echo(problem.value)}: {problem.problem}{ignored}", problem.way_out)


def _no_effect(path: str, key: str, value: str, elsewhere: str) -> Problem:
    problem = f"Invalid value: {echo(value)}: has no effect here"
    return Problem(KSVC001, joined(path, key), problem, f"set it in {elsewhere}")
