"""ValidatingAdmissionPolicy and its bindings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.admission.attributes import DECLARED, Attributes, rules_match, selectors_match
from sandbox.admission.conditions import conditions_hold
from sandbox.expressions import CompilationFailed, EvaluationFailed, compiled
from sandbox.failures import REASON_CODES, FieldError, forbidden, forbidden_field, invalid_value
from sandbox.objects import Object, name_of

_WITH_VARIABLES: Final = DECLARED | {"variables"}


@dataclass(frozen=True, slots=True)
class Denial:
    """One validation that did not hold."""

    message: str
    reason: str


def judge(policies: Sequence[Object], bindings: Sequence[Object], attributes: Attributes) -> None:
    """Evaluate every bound policy; warnings go to the attributes. Raises ApiError for the first denial."""
    if attributes.exempt:
        return
    for policy in sorted(policies, key=name_of):
        spec = policy["spec"]
        bound = [b for b in bindings if b["spec"].get("policyName") == name_of(policy)]
        if not bound or not _matches(spec.get("matchConstraints") or {}, attributes):
            continue
        applying = [b for b in bound if _matches(b["spec"].get("matchResources"), attributes)]
        denials = list(_denials(spec, attributes)) if applying else []
        for binding in applying:
            for denial in denials:
                _act(policy, binding, denial, attributes)


def _matches(constraints: Mapping[str, Any] | None, attributes: Attributes) -> bool:
    if not constraints:
        return True
    rules = constraints.get("resourceRules")
    if rules and not rules_match(rules, attributes):
        return False
    if rules_match(constraints.get("excludeResourceRules") or (), attributes):
        return False
    return selectors_match(constraints, attributes)


def _denials(spec: Mapping[str, Any], attributes: Attributes) -> Iterator[Denial]:
    failing = spec.get("failurePolicy", "Fail") == "Fail"
    try:
        if not conditions_hold(spec.get("matchConditions") or (), attributes):
            return
    except EvaluationFailed as problem:
        if failing:
            yield Denial(str(problem), "")
        return
    variables = attributes.variables()
    variables["variables"] = _composed(spec.get("variables") or (), variables)
    for validation in spec.get("validations") or ():
        try:
            verdict = compiled(validation["expression"].strip(), _WITH_VARIABLES).evaluate(variables)
        except EvaluationFailed as problem:
            if failing:
                yield Denial(f"expression '{validation['expression']}' resulted in error: {problem}", "")
            continue
        if verdict is not True:
            yield Denial(_message(validation, variables), validation.get("reason") or "")


def _composed(stated: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> Object:
    values: Object = {}
    for variable in stated:
        try:
            value = compiled(variable["expression"].strip(), _WITH_VARIABLES).evaluate(
                {**variables, "variables": values}
            )
        except EvaluationFailed:
            continue  # whoever uses it fails in turn, with no such key
        values[variable["name"]] = value
    return values


def _message(validation: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    if validation.get("messageExpression"):
        try:
            text = compiled(validation["messageExpression"].strip(), _WITH_VARIABLES).evaluate(variables)
        except EvaluationFailed:
            text = ""
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text.strip()
    return str(validation.get("message") or f"failed expression: {validation['expression'].strip()}").strip()


def _act(policy: Object, binding: Object, denial: Denial, attributes: Attributes) -> None:
    actions = binding["spec"].get("validationActions") or ()
    named = f"ValidatingAdmissionPolicy '{name_of(policy)}' with binding '{name_of(binding)}'"
    if "Warn" in actions:
        attributes.warnings.append(f"Validation failed for {named}: {denial.message}")
    if "Deny" not in actions:
        return
    message = f"{named} denied request: {denial.message}"
    resource = attributes.resource
    problem = forbidden(resource.plural, resource.group, attributes.name or "Unknown", message)
    problem.reason = denial.reason or "Invalid"
    problem.code = REASON_CODES.get(problem.reason, 422)
    problem.details = {**(problem.details or {}), "causes": [{"message": message}]}
    raise problem


def findings(policy: Object) -> Iterator[FieldError]:
    """What keeps a policy from being stored; what the sandbox cannot evaluate is among it."""
    spec = policy["spec"]
    if spec.get("paramKind"):
        yield forbidden_field("spec.paramKind", "the sandbox knows no parameters of policies")
    for member, declared in (
        ("matchConditions", DECLARED),
        ("variables", _WITH_VARIABLES),
        ("validations", _WITH_VARIABLES),
    ):
        for index, entry in enumerate(spec.get(member) or ()):
            yield from expression_findings(f"spec.{member}[{index}]", entry, declared)


def expression_findings(path: str, entry: Mapping[str, Any], declared: frozenset[str]) -> Iterator[FieldError]:
    """What is wrong with the expressions at one place of a policy or webhook."""
    for member in ("expression", "messageExpression"):
        if member in entry:
            try:
                compiled(entry[member].strip(), declared)
            except CompilationFailed as problem:
                yield invalid_value(f"{path}.{member}", entry[member], f"compilation failed: {problem}")
