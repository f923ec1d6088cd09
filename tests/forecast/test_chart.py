"""The chart: an SVG that says its content in words, scales to its peak, and tells revisions apart without colour."""

import re
from xml.etree import ElementTree as ET

import pytest

from webhook.forecast.chart import STYLE, Chart, Column, svg

SPACE = "{http://www.w3.org/2000/svg}"
COLUMNS = (
    Column("now", {"old": 100}, {"old": 4, "new": 0}, planned=False),
    Column("up", {"old": 75, "new": 25}, {"old": 4, "new": 1}, "stage 1"),
    Column("down", {"old": 75, "new": 25}, {"old": 3, "new": 1}),
)
CHART = Chart("default/hello", "1 stage, 5 replicas at the peak.", ("old", "new"), COLUMNS)


def bars(root: ET.Element, index: int) -> list[tuple[float, float]]:
    """Top and height of the bars of a revision, in traffic and then in replicas."""
    found = [one for one in root.iter(f"{SPACE}rect") if one.get("fill") == f"url(#chart-{index})"]
    return [(float(one.attrib["y"]), float(one.attrib["height"])) for one in found][:-1]  # The last is the legend's.


def test_it_has_a_title_and_a_description() -> None:
    root = ET.fromstring(svg(CHART))

    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "chart-title chart-desc"
    assert root.findtext(f"{SPACE}title") == "default/hello"
    assert root.findtext(f"{SPACE}desc") == "1 stage, 5 replicas at the peak."


def test_replicas_stand_on_each_other_and_reach_the_top_at_the_peak() -> None:
    root = ET.fromstring(svg(CHART))
    old, new = bars(root, 0), bars(root, 1)

    assert [round(height, 1) for _, height in old] == [90.0, 67.5, 67.5, 104.0, 104.0, 78.0]
    assert [round(height, 1) for _, height in new] == [22.5, 22.5, 26.0, 26.0]
    top_of_peak, height_of_old = new[2][0], old[4][0]
    assert round(top_of_peak + 26.0, 1) == round(height_of_old, 1)
    assert any(text.text == "peak 5" for text in root.iter(f"{SPACE}text"))


def test_stage_borders_and_steps_are_named() -> None:
    texts = [text.text for text in ET.fromstring(svg(CHART)).iter(f"{SPACE}text")]

    assert {"stage 1", "now", "up", "down", "old", "new"} <= set(texts)


def test_what_is_planned_differs_from_what_was_observed() -> None:
    planned = [one for one in ET.fromstring(svg(CHART)).iter(f"{SPACE}rect") if one.get("class") == "planned"]

    assert len(planned) == 8


def test_every_revision_has_a_pattern_of_its_own() -> None:
    many = Chart("t", "d", [f"r{number}" for number in range(4)], COLUMNS[:1])
    marks = re.findall(r'<pattern id="[^"]+"[^>]*><rect [^>]*/>(.*?)</pattern>', svg(many))

    assert len(marks) == len(set(marks)) == 4


def test_the_page_brings_its_own_style() -> None:
    assert STYLE in svg(CHART)
    inline = svg(CHART, name="other", standalone=False)
    assert "<style" not in inline
    assert "style=" not in inline
    assert 'id="other-title"' in inline


@pytest.mark.parametrize(
    "chart",
    [
        pytest.param(Chart('"><script>alert(1)</script>', "<&>", ["<b>"], COLUMNS[:1]), id="names of objects"),
        pytest.param(Chart("\x1b[2J", "d", ["a"], COLUMNS[:1]), id="control characters"),
        pytest.param(Chart("t", "d", [], []), id="nothing"),
        pytest.param(Chart("t", "d", ["a"], [Column("now", {}, {})]), id="no replicas"),
        pytest.param(
            Chart("t", "d", [f"r{n}" for n in range(9)], [Column(str(n), {}, {"r8": n}) for n in range(99)]), id="many"
        ),
    ],
)
def test_it_is_well_formed(chart: Chart) -> None:
    root = ET.fromstring(svg(chart))

    assert not list(root.iter(f"{SPACE}script"))
    assert root.findtext(f"{SPACE}title") == chart.title.replace("\x1b", "\N{REPLACEMENT CHARACTER}")
