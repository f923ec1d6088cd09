"""Requests that the sandbox must answer as a real API server does, step by step."""

from collections.abc import Sequence
from typing import Final

from tests.e2e.likeness.built_in_kinds import BUILT_IN
from tests.e2e.likeness.custom_resources import CREATES, DELETIONS, UPDATES
from tests.e2e.likeness.ownership import OWNERSHIP
from tests.e2e.likeness.reads import READS
from tests.e2e.likeness.registration import ADMISSION
from tests.e2e.likeness.schemas import SCHEMAS
from tests.e2e.likeness.steps import Step

SCENARIOS: Final[dict[str, Sequence[Step]]] = {
    "creates": CREATES,
    "updates": UPDATES,
    "deletions": DELETIONS,
    "schemas": SCHEMAS,
    "ownership": OWNERSHIP,
    "built-in kinds": BUILT_IN,
    "reads": READS,
    "admission": ADMISSION,
}
