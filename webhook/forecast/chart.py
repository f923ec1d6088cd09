"""The chart of a rollout as SVG: the share of each revision above, its replicas stacked below, stage by stage."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 720
_LEFT: Final = 44
_RIGHT: Final = 12
_TRAFFIC_TOP: Final = 34
_TRAFFIC_HEIGHT: Final = 90
_REPLICAS_TOP: Final = 160
_REPLICAS_HEIGHT: Final = 130
_LEGEND_TOP: Final = 336
_LEGEND_LINE: Final = 20
_MOST_COLORS: Final = 4
_TICKS: Final = 4
_MOST_LABELS: Final = 24

_MARKS: Final = (
    "",
    '<path class="mark" d="M-2 2L2-2M0 8L8 0M6 10L10 6"/>',
    '<circle class="paper" cx="4" cy="4" r="1.6"/>',
    '<path class="mark" d="M0 4H8M4 0V8"/>',
)
"""What tells the patterns apart without colour: nothing, stripes, dots, a grid."""

STYLE: Final = (
    ".chart{--ink:#1f2328;--rule:#6e7781;--r0:#4a6fa5;--r1:#b35900;--r2:#2f7d4f;--r3:#7a4b9a;--paper:#ffffff}"
    "@media(prefers-color-scheme:dark){.chart{--ink:#e6edf3;--rule:#8d96a0;--r0:#8fb4e8;--r1:#f0a35e;--r2:#7fcf9d;"
    "--r3:#c9a2e6;--paper:#14181d}}"
    ".chart text{font:12px sans-serif;fill:var(--ink)}.chart .rule{stroke:var(--rule);stroke-width:1}"
    ".chart .border{stroke:var(--rule);stroke-width:1;stroke-dasharray:3 3}"
    ".chart .peak{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:6 3}"
    ".chart .paper{fill:var(--paper)}.chart .mark{stroke:var(--paper);stroke-width:2}"
    ".chart .r0{fill:var(--r0)}.chart .r1{fill:var(--r1)}.chart .r2{fill:var(--r2)}.chart .r3{fill:var(--r3)}"
    ".chart .planned{opacity:.6}"
)
"""The colours, which the page has in its own style sheet and a file of its own carries inside."""

STYLE_HASH: Final = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""The style as a source of a Content-Security-Policy."""


@dataclass(frozen=True, slots=True)
class Column:
    """One moment: percents and replicas by revision. ``stage`` is the label of a stage that begins here, else empty.

    A column that is not ``planned`` was observed.
    """

    label: str
    traffic: Mapping[str, int]
    replicas: Mapping[str, int]
    stage: str = ""
    planned: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """``revisions`` are in the order in which they are stacked, from below. ``description`` says the same in words."""

    title: str
    description: str
    revisions: Sequence[str]
    columns: Sequence[Column]

    @property
    def peak(self) -> int:
        return max((sum(column.replicas.values()) for column in self.columns), default=0)


def svg(chart: Chart, *, name: str = "chart", standalone: bool = True) -> str:
    """The chart as an SVG element; ``standalone`` carries its own style. ``name`` begins the ids in it.

    Revisions differ by colour and by pattern, and the legend names both; planned columns are lighter.
    """
    height = _LEGEND_TOP + _LEGEND_LINE * len(chart.revisions)
    named = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {_WIDTH} {height}" {named}>',
        f'<title id="{name}-title">{_text(chart.title)}</title>',
        f'<desc id="{name}-desc">{_text(chart.description)}</desc>',
    ]
    if standalone:
        lines += [f"<style>{STYLE}</style>", f'<rect class="paper" width="{_WIDTH}" height="{height}"/>']
    lines.append("<defs>")
    for index in range(min(len(chart.revisions), _MOST_COLORS)):
        size = 'width="8" height="8"'
        lines.append(
            f'<pattern id="{name}-{index}" {size} patternUnits="userSpaceOnUse">'
            f'<rect class="r{index}" {size}/>{_MARKS[index]}</pattern>'
        )
    lines.append("</defs>")
    lines += _Drawing(chart, name).lines()
    return "\n".join([*lines, "</svg>"])


class _Drawing:
    def __init__(self, chart: Chart, name: str) -> None:
        self._chart, self._name = chart, name
        self._step = (_WIDTH - _LEFT - _RIGHT) / max(len(chart.columns), 1)

    def lines(self) -> Iterator[str]:
        yield f'<text x="{_LEFT}" y="{_TRAFFIC_TOP - 18}">traffic in percent</text>'
        yield f'<text x="{_LEFT}" y="{_REPLICAS_TOP - 14}">replicas</text>'
        yield from self._axis(_TRAFFIC_TOP, _TRAFFIC_HEIGHT, (0, 50, 100), 100)
        yield from self._panel(
            _TRAFFIC_TOP, _TRAFFIC_HEIGHT, [column.traffic for column in self._chart.columns], 100, 0
        )
        top = max(self._chart.peak, 1)
        yield from self._axis(_REPLICAS_TOP, _REPLICAS_HEIGHT, _ticks(top), top)
        gap = min(4.0, self._step / 4)
        replicas = [column.replicas for column in self._chart.columns]
        yield from self._panel(_REPLICAS_TOP, _REPLICAS_HEIGHT, replicas, top, gap)
        yield from self._borders()
        yield from self._peak(top)
        yield from self._legend()

    def _axis(self, top: int, height: int, ticks: Sequence[int], most: int) -> Iterator[str]:
        for tick in ticks:
            y = top + height - height * tick / most
            yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>'
            yield f'<line class="rule" x1="{_LEFT - 3}" x2="{_LEFT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        bottom = top + height
        yield f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'

    def _panel(
        self, top: int, height: int, values: Sequence[Mapping[str, int]], most: int, gap: float
    ) -> Iterator[str]:
        for place, (column, amounts) in enumerate(zip(self._chart.columns, values, strict=True)):
            y = float(top + height)
            for index, revision in enumerate(self._chart.revisions):
                tall = height * amounts.get(revision, 0) / most
                y -= tall
                if tall:
                    planned = ' class="planned"' if column.planned else ""
                    yield (
                        f'<rect{planned} x="{_LEFT + place * self._step + gap / 2:.1f}" y="{y:.1f}" '
                        f'width="{self._step - gap:.1f}" height="{tall:.1f}" '
                        f'fill="url(#{self._name}-{index % _MOST_COLORS})"/>'
                    )

    def _borders(self) -> Iterator[str]:
        bottom = _REPLICAS_TOP + _REPLICAS_HEIGHT
        every = len(self._chart.columns) <= _MOST_LABELS
        for place, column in enumerate(self._chart.columns):
            x = _LEFT + place * self._step
            if column.stage:
                yield f'<line class="border" x1="{x:.1f}" x2="{x:.1f}" y1="{_TRAFFIC_TOP - 6}" y2="{bottom}"/>'
                yield f'<text x="{x + 3:.1f}" y="{bottom + 30}">{_text(column.stage)}</text>'
            if every:
                middle = x + self._step / 2
                yield f'<text x="{middle:.1f}" y="{bottom + 14}" text-anchor="middle">{_text(column.label)}</text>'

    def _peak(self, top: int) -> Iterator[str]:
        if self._chart.peak:
            y = _REPLICAS_TOP + _REPLICAS_HEIGHT - _REPLICAS_HEIGHT * self._chart.peak / top
            yield f'<line class="peak" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{_WIDTH - _RIGHT}" y="{y - 4:.1f}" text-anchor="end">peak {self._chart.peak}</text>'

    def _legend(self) -> Iterator[str]:
        for index, revision in enumerate(self._chart.revisions):
            y = _LEGEND_TOP + index * _LEGEND_LINE
            yield f'<rect x="{_LEFT}" y="{y}" width="14" height="14" fill="url(#{self._name}-{index % _MOST_COLORS})"/>'
            yield f'<text x="{_LEFT + 22}" y="{y + 11}">{_text(revision)}</text>'


def _text(text: str) -> str:
    """Text of an object in XML, which has no way to write most control characters."""
    return escape("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text))


def _ticks(most: int) -> list[int]:
    step = max(1, -(-most // _TICKS))
    return [*range(0, most + 1, step)]
