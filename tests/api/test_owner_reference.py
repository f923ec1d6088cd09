"""Which RO an SPA belongs to: what it names, the ROs that exist and that list it, the one it is."""

from typing import Any

import pytest

from webhook.api.kinds import SERVICE_LABEL
from webhook.api.owner_reference import named_rollout, owning_rollout, rollout_owner_reference

OWNER = rollout_owner_reference("hello", "u1")
LABEL = {SERVICE_LABEL: "hello"}
EXISTING = {"hello": "hello", "world": "world"}


@pytest.mark.parametrize(
    ("labels", "references", "named"),
    [
        (None, None, ""),
        ({"team": "x"}, [], ""),
        (LABEL, [rollout_owner_reference("world", "u2")], "hello"),
        ({SERVICE_LABEL: ""}, [OWNER], "hello"),
        ({SERVICE_LABEL: None}, [OWNER], "hello"),
        ({}, [{**OWNER, "controller": False}], ""),
        ({}, [{**OWNER, "kind": "Service"}], ""),
        ({}, [{**OWNER, "apiVersion": "serving.knative.dev/v2"}], "hello"),
        ({}, [{**OWNER, "apiVersion": "other/v1"}], ""),
        ({}, [{**OWNER, "name": None}], ""),
    ],
)
def test_an_spa_names_its_rollout_by_label_else_by_controller(labels: Any, references: Any, named: str) -> None:
    assert named_rollout(labels, references) == named


@pytest.mark.parametrize(
    ("labels", "references", "listing", "owner"),
    [
        (LABEL, [], ["world"], "hello"),
        ({SERVICE_LABEL: "nobody"}, [OWNER], ["hello"], None),
        ({}, [OWNER], ["world"], "hello"),
        ({}, [rollout_owner_reference("nobody", "u9")], ["hello"], None),
        ({}, [], ["world"], "world"),
        ({}, [], ["hello", "world"], None),
        ({}, [], [], None),
    ],
    ids=[
        "the label comes first",
        "one that is named but not there yet decides too",
        "the controller comes next",
        "a controller that is not there yet",
        "the only one that lists it",
        "two list it",
        "nobody lists it",
    ],
)
def test_what_it_names_decides_else_the_only_one_that_lists_it(
    labels: Any, references: Any, listing: list[str], owner: str | None
) -> None:
    assert owning_rollout(labels, references, EXISTING.get, lambda: listing) == owner
