"""``matchConditions`` of webhooks and policies."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.admission.attributes import DECLARED, Attributes
from sandbox.expressions import EvaluationFailed, compiled


def conditions_hold(conditions: Iterable[Mapping[str, Any]], attributes: Attributes) -> bool:
    """Whether all are true. One that is false outweighs any that fail; otherwise raises EvaluationFailed."""
    variables = attributes.variables()
    failures = []
    for condition in conditions:
        try:
            verdict = compiled(condition["expression"].strip(), DECLARED).evaluate(variables)
            if verdict is not True and verdict is not False:
                raise EvaluationFailed("the expression gives no bool")
        except EvaluationFailed as problem:
            failures.append(f"expression '{condition['expression']}' resulted in error: {problem}")
            continue
        if not verdict:
            return False
    if failures:
        raise EvaluationFailed(", ".join(failures))
    return True
