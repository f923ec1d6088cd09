"""SPA008 in both calls: a bound set by this write, by an earlier one, or by the mutating call."""

from typing import Any

import pytest

from tests.admission.reviews import Wire, cache, complete_spa, ids, patched, response_to, spa, stored_ro, verdict_on

OWNED = [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:stageMaxScale": {}}}}]
ROLLOUTS = cache(stored_ro())


def fields_of(obj: Wire, **request: Any) -> list[str]:
    verdict = verdict_on(obj, lookup=ROLLOUTS, **request)
    return [finding.field.removeprefix("spec.stage") for finding, _ in verdict.findings if finding.id == "SPA008"]


@pytest.mark.parametrize(
    ("path", "old", "new", "warned"),
    [
        # The mutating call of a creation: this write sets every bound.
        ("/mutate", None, complete_spa(2, 10), ["MinScale", "MaxScale"]),
        ("/mutate", None, complete_spa(None, 10), ["MaxScale"]),
        ("/mutate", None, complete_spa(None, None), []),
        # The validating one: what equals the rollout's may have been filled in, unless a field manager owns it.
        ("/validate", None, complete_spa(2, 10), []),
        ("/validate", None, complete_spa(2, 8), ["MaxScale"]),
        ("/validate", None, complete_spa(2, 10, managedFields=OWNED), ["MaxScale"]),
        ("/validate", None, complete_spa(2, 10, managedFields="hostile"), []),
        ("/validate", None, complete_spa(2, 10, managedFields=[{"fieldsV1": []}, 5]), []),
        # An update: what was there before is not set by this write.
        ("/mutate", complete_spa(1, 8), complete_spa(1, 8, labels={"team": "search"}), []),
        ("/mutate", complete_spa(1, 8), complete_spa(1, 7), ["MaxScale"]),
        ("/validate", complete_spa(1, 8), complete_spa(1, 7), ["MaxScale"]),
        ("/validate", complete_spa(1, 8), complete_spa(1, 10), []),
        ("/validate", complete_spa(1, 8), complete_spa(1, 10, managedFields=OWNED), ["MaxScale"]),
    ],
)
def test_the_bounds_that_a_write_sets(path: str, old: Wire | None, new: Wire, warned: list[str]) -> None:
    assert fields_of(new, old=old, path=path) == warned


def test_both_calls_of_one_write_say_the_same() -> None:
    obj = spa({"stageMaxScale": 8}, labels={"serving.knative.dev/service": "hello"})
    first = response_to(obj, lookup=ROLLOUTS)
    second = response_to(patched(obj, first), path="/validate", lookup=ROLLOUTS)
    assert first["warnings"] == second["warnings"]
    assert first["auditAnnotations"] == second["auditAnnotations"] == {"warned": "SPA008"}


def test_what_was_filled_in_was_set_by_nobody() -> None:
    obj = spa(labels={"serving.knative.dev/service": "hello"})
    final = patched(obj, response_to(obj, lookup=ROLLOUTS))
    assert ids(finding for finding, _ in verdict_on(final, path="/validate", lookup=ROLLOUTS).findings) == []
