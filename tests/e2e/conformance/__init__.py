"""Requests that the sandbox must answer as a real API server does, step by step."""

from collections.abc import Sequence
from typing import Final

from tests.e2e.conformance.custom_resources import CREATES, DELETIONS, UPDATES
from tests.e2e.conformance.ownership import OWNERSHIP
from tests.e2e.conformance.reads import READS
from tests.e2e.conformance.registration import ADMISSION
from tests.e2e.conformance.schemas import SCHEMAS
from tests.e2e.conformance.steps import Step

SCENARIOS: Final[dict[str, Sequence[Step]]] = {
    "creates": CREATES,
    "updates": UPDATES,
    "deletions": DELETIONS,
    "schemas": SCHEMAS,
    "ownership": OWNERSHIP,
    "reads": READS,
    "admission": ADMISSION,
}
