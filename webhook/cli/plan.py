"""``stagegate plan``: what a rollout will do and need, before anything is written."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from webhook.api.quantity import format_quantity, parse_quantity
from webhook.cli.arguments import count, object_name, path
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.errors import DONE, FAILED, MISSING, USAGE, CommandError
from webhook.cli.output import Output, output_options
from webhook.text import visible

if TYPE_CHECKING:
    from rich.table import Table

    from webhook.api.wire import Wire
    from webhook.diagnosis.world import World
    from webhook.forecast.forecast import Forecast, Setting
    from webhook.forecast.objects import Objects
    from webhook.forecast.room import Room
    from webhook.forecast.subject import Subject

MARKDOWN: Final = "markdown"
SVG: Final = "svg"
TABLE: Final = "table"
_QUOTA: Final = "quota"
_BOTH: Final = "both"
_MOST_DEMAND: Final = 100_000
_MOST_SETTINGS: Final = 20

EXAMPLES: Final = """\
examples:
  stagegate plan hello
      the stages to come of a rollout on its way, or of the next edit of a Service
  stagegate plan -f old.yaml -f new.yaml --demand 10 --ratio 5,10,20 --strategy both
      an edit of a Service that nothing has seen yet, with six settings side by side
  stagegate plan -f new.yaml --per-replica nvidia.com/gpu=1 --fits quota -o markdown
      against the live Service and the ResourceQuotas of its namespace, for a pull request's comment
  stagegate plan hello --fits nvidia.com/gpu=6
      whether all of its replicas, at the peak, fit into six GPUs

With a file, a cluster is only read for what the files lack: the live Service for a new one, and the quotas. The exit
code is 1 if a setting does not fit, or if its rollout does not come to its end.
"""


def _ratios(text: str) -> tuple[int, ...]:
    read = count(1, 100)
    return tuple(dict.fromkeys(read(part.strip()) for part in text.split(",")))


def _amounts(text: str) -> tuple[tuple[str, Decimal], ...]:
    """``R=N``, several separated by commas; R as in a ResourceQuota."""
    from webhook.forecast.usage import resource_name

    found = []
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        number = parse_quantity(value)
        if not key or number is None or number < 0:
            raise click.BadParameter(f"must be RESOURCE=QUANTITY, such as nvidia.com/gpu=1, not {part!r}")
        found.append((resource_name(key) or key, number))
    return tuple(found)


def _fits(text: str) -> tuple[tuple[str, Decimal], ...] | None:
    """The amounts, or None for the quotas of the namespace."""
    return None if text == _QUOTA else _amounts(text)


@click.command("plan", cls=Command, epilog=EXAMPLES)
@click.argument("name", required=False, type=object_name, metavar="[NAME]")
@click.option("-f", "--filename", "files", multiple=True, type=path, metavar="F", help="A file, or - for stdin.")
@click.option("--demand", type=count(0, _MOST_DEMAND), metavar="N", help="Replicas that all of the traffic needs.")
@click.option("--ratio", type=_ratios, metavar="P[,P]", help="Ratios in percent, in place of the rollout's own.")
@click.option("--strategy", type=click.Choice(["availability", "resourceutil", _BOTH]), help="In place of its own.")
@click.option("--per-replica", type=_amounts, metavar="R=N[,R=N]", help="What a replica takes, beside its template.")
@click.option(
    "--fits",
    multiple=True,
    type=_fits,
    metavar="R=N|quota",
    help="What there is of a resource, or the namespace's quotas.",
)
@cluster_options(all_namespaces=False, selectors=False)
@output_options(TABLE, MARKDOWN, SVG)
def command(
    name: str | None,
    *,
    files: tuple[Path, ...],
    demand: int | None,
    ratio: tuple[int, ...] | None,
    strategy: str | None,
    per_replica: tuple[tuple[str, Decimal], ...] | None,
    fits: tuple[tuple[tuple[str, Decimal], ...] | None, ...],
    cluster: ClusterOptions,
    output: Output,
) -> int:
    """Show the stages to come of a rollout, with replicas, traffic, peak and resources; nothing is written."""
    from webhook.forecast.forecast import forecasts
    from webhook.forecast.subject import NoForecast, NothingToRollOut, Unreadable, subject_of
    from webhook.planning.prediction import Unpredictable

    if not name and not files:
        raise CommandError("give the name of a rollout, or files with -f", USAGE)
    settings = _settings(ratio, strategy)
    if output.form == SVG and len(settings) > 1:
        raise CommandError("-o svg draws one setting; give one ratio and one strategy", USAGE)
    given = _given(files)
    live, namespace = _live(given, name, cluster, wants_quotas=None in fits)
    try:
        subject = subject_of(
            given, live, name or "", namespace=namespace, demand=demand, per_replica=dict(per_replica or ())
        )
        found = forecasts(subject, settings, _rooms(subject, fits), datetime.now(UTC))
    except NothingToRollOut as problem:
        return _print_nothing(str(problem), output)
    except Unreadable as problem:
        raise CommandError(str(problem)) from problem
    except NoForecast as problem:
        raise CommandError(str(problem), MISSING) from problem
    except Unpredictable as problem:
        raise CommandError(str(problem)) from problem
    _print(subject, found, output)
    return DONE if all(one.fitting for one in found) else FAILED


def _settings(ratios: Sequence[int] | None, strategy: str | None) -> "list[Setting]":
    from webhook.forecast.forecast import Setting
    from webhook.strategies import STRATEGIES

    strategies: list[str | None] = [*STRATEGIES] if strategy == _BOTH else [strategy]
    found = [Setting(ratio, each) for each in strategies for ratio in ratios or (None,)]
    if len(found) > _MOST_SETTINGS:
        raise CommandError(f"{len(found)} settings; {_MOST_SETTINGS} are the most", USAGE)
    return found


def _given(files: Iterable[Path]) -> "Objects":
    from webhook.diagnosis.dump import UnreadableDump, read_dump
    from webhook.forecast.objects import Objects

    objects: list[Wire] = []
    for file in files:
        where = "standard input" if str(file) == "-" else str(file)
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
            objects += _with_kinds(read_dump(text))
        except OSError as problem:
            raise CommandError(f"cannot read {where}: {problem.strerror}", MISSING) from problem
        except UnreadableDump as problem:
            raise CommandError(f"{where}: {str(problem).removeprefix('not a dump: ')}") from problem
        except UnicodeDecodeError as problem:
            raise CommandError(f"{where}: not a text in UTF-8") from problem
    return Objects(objects)


def _live(given: "Objects", name: str | None, cluster: ClusterOptions, *, wants_quotas: bool) -> "tuple[Objects, str]":
    """What the cluster has of the rollout, if it is needed, and the namespace that was read."""
    from webhook.cluster.errors import ApiError
    from webhook.cluster.resource import NAMESPACES
    from webhook.diagnosis.reading import read_world
    from webhook.forecast.objects import Objects

    services, rollouts = given.all("Service"), given.all("RolloutOrchestrator")
    lacks_old = len(services) < 2 and not rollouts
    lacks_quotas = wants_quotas and not given.all("ResourceQuota")
    if (services or rollouts) and not lacks_old and not lacks_quotas:
        return Objects(), ""
    first: Wire = next((one["metadata"] for one in (*rollouts, *services)), {})
    namespace = cluster.given_namespace or first.get("namespace") or cluster.namespace
    world = read_world(cluster.client, namespace, datetime.now(UTC), name=name or first.get("name") or "")
    objects = _with_kinds(world)
    with suppress(ApiError):
        found = cluster.client.get(NAMESPACES, None, namespace)
        objects.append({**found, "apiVersion": NAMESPACES.api_version, "kind": NAMESPACES.kind})
    return Objects(objects), namespace


def _with_kinds(world: "World") -> "list[Wire]":
    """The objects of a world, each with its kind, which the items of a list lack."""
    return [
        {**one, "apiVersion": resource.api_version, "kind": resource.kind}
        for resource, objects in world.objects.items()
        for one in objects
    ]


def _rooms(subject: "Subject", fits: Iterable[tuple[tuple[str, Decimal], ...] | None]) -> "list[Room]":
    from webhook.forecast.room import Room, rooms_of

    found: list[Room] = []
    for amounts in fits:
        if amounts is not None:
            found += [Room("--fits", resource, number) for resource, number in amounts]
            continue
        quotas = rooms_of(subject.quotas)
        if not quotas:
            raise CommandError("--fits quota: there is no ResourceQuota that pods of the rollout count in", MISSING)
        found += quotas
    return found


def _print_nothing(says: str, output: Output) -> int:
    """A change of nothing that Knative makes a Revision of is fine."""
    if output.is_document:
        output.document("Forecast", {"fits": True, "assumptions": [], "settings": [], "message": says})
    else:
        print(visible(says), file=sys.stderr if output.form == SVG else sys.stdout)
    return DONE


def _print(subject: "Subject", found: "Sequence[Forecast]", output: Output) -> None:
    from webhook.forecast.chart import svg
    from webhook.forecast.report import chart_of, markdown, wire_of

    if output.is_document:
        rollout = {"namespace": subject.ro.namespace, "name": subject.ro.name}
        fits = all(one.fitting for one in found)
        content = {"rollout": rollout, "fits": fits, "assumptions": [*subject.assumptions]}
        output.document("Forecast", {**content, "settings": [wire_of(one) for one in found]})
    elif output.form == MARKDOWN:
        print(visible(markdown(subject, found)), end="")
    elif output.form == SVG:
        print(svg(chart_of(subject, found[0])))
    else:
        _print_text(subject, found, output)


def _print_text(subject: "Subject", found: "Sequence[Forecast]", output: Output) -> None:
    from webhook.forecast.report import verdict

    say = output.answer.print
    say(visible(f"{subject.ro.namespace or 'default'}/{subject.ro.name}"))
    if len(found) > 1:
        say(_comparison(found))
    for one in found if len(found) == 1 else ():
        say(visible(f"{one.strategy}, ratio {one.ratio} %: {verdict(one)}"))
        if one.prediction.stages:
            say("")
            say(_stages(subject, one))
    fits = [(one, fitted) for one in found for fitted in one.fits]
    if fits:
        say("")
    for one, fitted in fits:
        of = f"{one.strategy}, ratio {one.ratio} %: " if len(found) > 1 else ""
        say(visible(of + fitted.text))
    say("\nassumed:")
    for text in subject.assumptions:
        say(visible(f"- {text}"))


def _stages(subject: "Subject", forecast: "Forecast") -> "Table":
    """A row for each stage: traffic and replicas at its end, and its peak."""
    from webhook.forecast.report import rows_of, shown_resources, shown_revisions

    keys = shown_resources(forecast)
    table = _table("STAGE", *shown_revisions(subject, forecast), "PEAK", *keys)
    for row in rows_of(subject, forecast):
        table.add_row(*map(visible, row))
    return table


def _comparison(found: "Sequence[Forecast]") -> "Table":
    from webhook.forecast.report import shown_resources

    keys = list(dict.fromkeys(key for one in found for key in shown_resources(one)))
    has_fits = any(one.fits for one in found)
    table = _table("STRATEGY", "RATIO", "STAGES", "PEAK", "BEYOND", *keys, *(["FITS"] if has_fits else []))
    for one in found:
        prediction = one.prediction
        table.add_row(
            one.strategy,
            f"{one.ratio} %",
            str(len(prediction.stages)),
            str(prediction.peak),
            f"+{prediction.peak - prediction.start.total}",
            *(format_quantity(one.peak.get(key, Decimal())) for key in keys),
            *(["yes" if one.fitting else "no"] if has_fits else []),
        )
    return table


def _table(*heads: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(visible(head), overflow="fold")
    return table
