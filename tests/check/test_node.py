"""The paths of fields, as findings spell them, and what they lead to."""

import pytest

from webhook.check.document import documents_of
from webhook.check.node import joined, located
from webhook.check.source_text import SourceText

TEXT = """\
a: 1
a.b: 2
c: {a: {b: 3}, a.b: 4, "x y": 5, "[0]": 6}
d: [[7, 8], {e: 9}]
"""
FIELDS = {
    "a": 1,
    "a.b": 2,
    "c.a.b": 4,
    "c[a].b": 3,
    'c["x y"]': 5,
    "d[0][1]": 8,
    "d[1].e": 9,
}


@pytest.mark.parametrize(("field", "value"), FIELDS.items())
def test_the_longest_key_that_fits_is_meant(field: str, value: int) -> None:
    (document,) = documents_of(SourceText(TEXT))
    place, node = located(document.root, field)
    assert node is not None
    assert (node.value, TEXT[place.start : place.end]) == (value, str(value))


ABSENT = {"x": "a", "a.x": "a", "c.x.y": "c", "d[2]": "d", "d[1].x": "e", "d[99999999999999999999]": "d"}


@pytest.mark.parametrize(("field", "key"), ABSENT.items())
def test_what_is_absent_is_at_the_nearest_key(field: str, key: str) -> None:
    (document,) = documents_of(SourceText(TEXT))
    place, node = located(document.root, field)
    assert node is None
    assert TEXT[place.start : place.end] == key


def test_keys_are_joined_as_findings_spell_them() -> None:
    assert joined("", "spec") == "spec"
    assert joined("spec", "stageMinScale") == "spec.stageMinScale"
    assert joined("metadata.labels", "a.b/c") == "metadata.labels[a.b/c]"
    assert joined("metadata.labels", "a\x1b") == r'metadata.labels["a\u001b"]'
    assert len(joined("spec", "x" * 10_000)) < 100
