"""The table of causes, and the reference that lists it."""

import re
from pathlib import Path

from tests.diagnosis.worlds import causes
from webhook.diagnosis.causes import CAUSES

REFERENCE = Path(__file__).parents[3] / "docs" / "REFERENCE.md"


def test_ids_are_unique() -> None:
    ids = [row.id for row in CAUSES]
    assert len(set(ids)) == len(ids)


def test_a_world_in_order_has_no_cause() -> None:
    assert causes() == []


def test_the_reference_lists_every_cause() -> None:
    section = REFERENCE.read_text().partition("### stagegate explain")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.M) == [(row.id, row.summary) for row in CAUSES]
