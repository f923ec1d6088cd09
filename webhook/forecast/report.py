"""Report: a forecast as JSON members, as Markdown, and as a chart; what all of them say."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from webhook.api.quantity import format_quantity
from webhook.api.wire import Wire
from webhook.forecast.chart import Chart, Column
from webhook.forecast.forecast import Forecast
from webhook.forecast.subject import Subject, revisions_of
from webhook.forecast.usage import LIMITS, PODS, Usage
from webhook.planning.prediction import Moment
from webhook.strategies.stage import replicas

_STEPS: Final = {"birth": "begins", "up": "up", "traffic": "traffic", "down": "down", "start": "now"}


def verdict(forecast: Forecast) -> str:
    """One sentence: stages, peak, and what it takes beyond today."""
    count, prediction = len(forecast.prediction.stages), forecast.prediction
    if not count:
        return "no stage to come"
    stages = "1 stage" if count == 1 else f"{count} stages"
    beyond = prediction.peak - prediction.start.total
    return f"{stages}, {replicas(prediction.peak)} at the peak, {beyond} more than at the start"


def shown_resources(forecast: Forecast) -> list[str]:
    """The resources that people look for: what is requested; limits where something is compared with them."""
    compared = {one.room.resource for one in forecast.fits}
    return [key for key in sorted(forecast.peak) if key != PODS and (not key.startswith(LIMITS) or key in compared)]


def shown_revisions(subject: Subject, forecast: Forecast) -> list[str]:
    """The revisions that have traffic or replicas at some moment, those of the start first."""
    moving = moved_by(forecast.prediction.moments)
    return [name for name in dict.fromkeys((*revisions_of(subject.ro), *moving)) if name in moving]


def moved_by(moments: Iterable[Moment]) -> list[str]:
    """The revisions that have traffic or replicas at some of these moments."""
    found: dict[str, None] = {}
    for one in moments:
        for amounts_of in (one.traffic, one.replicas):
            found |= dict.fromkeys(name for name, amount in amounts_of.items() if amount)
    return list(found)


def amounts(usage: Usage, keys: Sequence[str]) -> str:
    """``cpu 4, nvidia.com/gpu 6``; empty without keys."""
    return ", ".join(f"{key} {format_quantity(usage.get(key, Decimal()))}" for key in keys)


def wire_of(forecast: Forecast) -> Wire:
    """The members of one forecast in JSON."""
    prediction = forecast.prediction
    return {
        "strategy": forecast.strategy,
        "overConsumptionRatio": forecast.ratio,
        "demand": forecast.demand,
        "start": _wire_of_moment(prediction.start),
        "stages": [
            {
                "stage": forecast.first + place,
                "targetRevisions": [entry.to_dict() for entry in stage.entries],
                "steps": [_wire_of_moment(moment) for moment in stage.moments],
                "peakReplicas": stage.peak,
            }
            for place, stage in enumerate(prediction.stages)
        ],
        "peakReplicas": prediction.peak,
        "resources": {
            key: {
                "now": format_quantity(forecast.now.get(key, Decimal())),
                "peak": format_quantity(value),
                "beyondNow": format_quantity(forecast.beyond[key]),
            }
            for key, value in sorted(forecast.peak.items())
        },
        "fits": [
            {
                "source": one.room.source,
                "resource": one.room.resource,
                "hard": format_quantity(one.room.hard),
                "atPeak": format_quantity(one.needed),
                "fits": one.fits,
            }
            for one in forecast.fits
        ],
    }


def chart_of(subject: Subject, forecast: Forecast) -> Chart:
    """The chart of one forecast: the start, then every step."""
    prediction = forecast.prediction
    columns = [Column("now", prediction.start.traffic, prediction.start.replicas, planned=False)]
    for place, stage in enumerate(prediction.stages):
        for index, moment in enumerate(stage.moments):
            border = f"stage {forecast.first + place}" if index == 0 else ""
            columns.append(Column(_STEPS[moment.step], moment.traffic, moment.replicas, border))
    name = f"{subject.ro.namespace or 'default'}/{subject.ro.name}"
    names = shown_revisions(subject, forecast)
    ends = "; ".join(
        f"stage {forecast.first + place}: {described(stage.end, names)}"
        for place, stage in enumerate(prediction.stages)
    )
    return Chart(
        title=f"{name}: {forecast.strategy}, ratio {forecast.ratio} %",
        description=f"{verdict(forecast)}. {ends}".rstrip(". ") + ".",
        revisions=names,
        columns=columns,
    )


def described(moment: Moment, revisions: Sequence[str]) -> str:
    """``hello-00001 75 % on 3, hello-00002 25 % on 1``; revisions with neither are left out."""
    parts = [
        f"{name} {moment.traffic.get(name, 0)} % on {moment.replicas.get(name, 0)}"
        for name in revisions
        if moment.traffic.get(name) or moment.replicas.get(name)
    ]
    return ", ".join(parts) or "no replicas"


def markdown(subject: Subject, forecasts: Sequence[Forecast]) -> str:
    """All settings as a comment for a pull request: a heading, a comparison, and the stages of each setting."""
    lines = [f"### Rollout of `{_cell(subject.ro.namespace or 'default')}/{_cell(subject.ro.name)}`", ""]
    if len(forecasts) > 1:
        lines += ["| strategy | ratio | stages | peak | at the peak | fits |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {one.strategy} | {one.ratio} % | {len(one.prediction.stages)} | {one.prediction.peak} "
            f"| {amounts(one.peak, shown_resources(one))} | {_fits_cell(one)} |"
            for one in forecasts
        ]
        lines.append("")
    for one in forecasts:
        lines += [f"**{one.strategy}, ratio {one.ratio} %**: {verdict(one)}.", ""]
        lines += _table(subject, one)
        lines += ["", *(f"- {found.text}" for found in one.fits)]
        lines += [""] if one.fits else []
    lines += ["Assumed:", *(f"- {_cell(text)}" for text in subject.assumptions)]
    return "\n".join(lines) + "\n"


def rows_of(subject: Subject, forecast: Forecast) -> list[list[str]]:
    """A row for the start and each stage: its number, traffic and replicas of each revision at its end, and its peak:
    of replicas, and of each of ``shown_resources``.
    """
    names, keys, prediction = shown_revisions(subject, forecast), shown_resources(forecast), forecast.prediction
    rows: list[tuple[str, Moment, int]] = [("now", prediction.start, prediction.start.total)]
    rows += [(str(forecast.first + place), stage.end, stage.peak) for place, stage in enumerate(prediction.stages)]
    peaks = [forecast.usage_at_start, *forecast.usage_of_stages]
    return [
        [
            label,
            *(f"{moment.traffic.get(name, 0)} % on {moment.replicas.get(name, 0)}" for name in names),
            str(peak),
            *(format_quantity(usage.get(key, Decimal())) for key in keys),
        ]
        for (label, moment, peak), usage in zip(rows, peaks, strict=True)
    ]


def _table(subject: Subject, forecast: Forecast) -> list[str]:
    head = [
        "stage",
        *(f"`{_cell(name)}`" for name in shown_revisions(subject, forecast)),
        "peak",
        *shown_resources(forecast),
    ]
    rows = [f"| {' | '.join(row)} |" for row in rows_of(subject, forecast)]
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows]


def _fits_cell(forecast: Forecast) -> str:
    if not forecast.fits:
        return ""
    return "yes" if forecast.fitting else "**no**"


def _wire_of_moment(moment: Moment) -> Mapping[str, object]:
    return {"step": moment.step, "traffic": dict(moment.traffic), "replicas": dict(moment.replicas)}


def _cell(text: str) -> str:
    """Text of an object inside a table of Markdown."""
    return (
        "".join(character if character.isprintable() else "?" for character in text)
        .replace("|", "\\|")
        .replace("`", "'")
    )
