"""``stagegate check``: the rules of the webhook on files, before they reach a cluster."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from webhook.cli.arguments import filled
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command, Options, section
from webhook.cli.errors import DONE, FAILED, MISSING, USAGE, CommandError
from webhook.cli.rules import completed, rule_named

if TYPE_CHECKING:
    from webhook.check.report import Report
    from webhook.check.run import Options as CheckOptions
    from webhook.check.run import Run

FORMATS: Final = ("text", "compact", "json", "yaml", "github", "sarif", "junit")
_WITH_FILLS: Final = ("text", "compact", "json", "yaml")
_PIECE: Final = 2**20
_COLORS: Final = {"deny": "red", "warn": "yellow", "note": "cyan", "caret": "green"}

EXAMPLES: Final = """\
examples:
  stagegate check deploy/
      every .yaml, .yml and .json file below a folder; exits with 1 if the webhook would deny an object
  helm template ./chart | stagegate check --fail-on warn -
  kustomize build overlays/production | stagegate check --root overlays/production -
      findings name the real file, by the comments of Helm and by the origin annotations of kustomize
  stagegate check --since origin/main deploy/
      as updates of what git has there: a finding that was there before only warns
  stagegate check --cluster --fills spa.yaml
      with the live rollouts, and with what the webhook would fill in
  stagegate check --format sarif deploy/ > stagegate.sarif

A line begins with FILE:LINE:COLUMN; columns count characters (code points). stagegate explain-rule ID explains a rule.
"""

_judgement: Final = section("judgement")
_answer: Final = section("output")


@click.command("check", cls=Command, epilog=EXAMPLES)
@click.argument("paths", nargs=-1, metavar="PATH... | -")
@_judgement("--cluster", "use_cluster", is_flag=True, help="Also use the rollouts of the cluster as context.")
@_judgement("--since", type=filled, metavar="REV", help="Judge as updates of what git has at this revision.")
@_judgement("--as", "user", type=filled, metavar="USER", help="Judge as writes of this user; default: a person.")
@_judgement("--enforce", type=click.Choice(["deny", "warn"]), default="deny", help="As of the webhook.")
@_judgement(
    "--ignore",
    multiple=True,
    type=filled,
    metavar="ID",
    shell_complete=completed,
    help="Leave a rule out; repeatable, or with commas.",
)
@_judgement("--root", type=filled, metavar="DIR", help="Where paths of files in rendered text begin; default: here.")
@_judgement("--require-objects", is_flag=True, help="Exit with 3 if there is no object to check.")
@_answer("--format", "-o", "form", type=click.Choice(FORMATS), default="text", help="How findings are printed.")
@_answer("--fail-on", type=click.Choice(["deny", "warn", "never"]), default="deny", help="Exit with 1 on these.")
@_answer("--fills", "with_fills", is_flag=True, help="Print what the webhook would fill in, as a diff.")
@_answer("--no-color", is_flag=True, help="No colors; so do $NO_COLOR, TERM=dumb and a pipe.")
@cluster_options(all_namespaces=False, selectors=False)
def command(cluster: ClusterOptions, **given: object) -> int:
    """Check files with the rules of the webhook: rollouts, StagePodAutoscalers, and the settings on Knative Services.

    PATH is a file, a folder with all below it, or - for standard input. The rollouts among the files are the context of
    the StagePodAutoscalers. Objects of other kinds are skipped and counted.
    """
    options = Options(**given)
    _check_usage(options)
    run, check_options = _read(options, cluster)
    report = _judged(run, check_options, options, cluster)
    _print(report, options)
    click.echo(report.summary, err=True)
    if options.require_objects and not report.checked:
        raise CommandError("there is no object to check; name other files, or leave --require-objects out", MISSING)
    return FAILED if options.fail_on != "never" and report.is_at_least(options.fail_on) else DONE


def _check_usage(options: Options) -> None:
    if not options.paths:
        raise CommandError("name a file, a folder, or - for standard input", USAGE)
    if options.since and "-" in options.paths:
        raise CommandError("--since: git has nothing of standard input; name files", USAGE)
    if options.with_fills and options.form not in _WITH_FILLS:
        raise CommandError(f"--fills: has no place in {options.form}; use --format {', '.join(_WITH_FILLS)}", USAGE)


def _read(options: Options, cluster: ClusterOptions) -> tuple["Run", "CheckOptions"]:
    """What the files have. Raises CommandError."""
    from webhook.check.files import Input, MissingFile, inputs_of
    from webhook.check.run import Options as CheckOptions
    from webhook.check.run import read

    namespace = cluster.namespace if options.use_cluster else cluster.given_namespace or "default"
    ignored = _ignored(options.ignore)
    check_options = CheckOptions(options.user or "", options.enforce, namespace, ignored, options.root or "")

    def open_file(name: str) -> Input | None:
        try:
            return next(iter(inputs_of([name])), None) if os.path.isfile(name) else None  # noqa: PTH113
        except MissingFile:
            return None

    try:
        return read(inputs_of(options.paths, _pieces()), check_options, open_file), check_options
    except MissingFile as problem:
        raise CommandError(str(problem), MISSING) from problem


def _judged(run: "Run", check_options: "CheckOptions", options: Options, cluster: ClusterOptions) -> "Report":
    """The report. Raises CommandError, ApiError."""
    from webhook.check.git import GitFailed, inputs_at
    from webhook.check.run import judged, read

    live, namespaces = _live(run.spa_namespaces, run.all_namespaces, cluster) if options.use_cluster else (None, {})
    try:
        old = read(inputs_at(options.since, options.paths), check_options) if options.since else None
    except GitFailed as problem:
        raise CommandError(f"--since {options.since}: {problem}", MISSING) from problem
    return judged(run, check_options, run.context(live, namespaces), old)


def _live(
    with_spas: Sequence[str], every: Sequence[str], cluster: ClusterOptions
) -> tuple[list[dict[str, object]], dict[str, dict[str, str]]]:
    """The rollouts in some namespaces, and the labels of more of them. Raises ApiError."""
    from webhook.cluster.client import pages
    from webhook.cluster.errors import Forbidden, NotFound
    from webhook.cluster.resource import NAMESPACES, ROLLOUT_ORCHESTRATORS
    from webhook.knative.annotations import labels_of

    rollouts = [
        rollout
        for namespace in with_spas
        for page in pages(cluster.client, ROLLOUT_ORCHESTRATORS, namespace)
        for rollout in page.get("items") or ()
    ]
    labels = {}
    for namespace in every:
        try:
            labels[namespace] = labels_of(cluster.client.get(NAMESPACES, None, namespace))
        except NotFound:
            continue
        except Forbidden as problem:
            click.echo(f"the label of namespace {namespace} is not known, so --enforce applies: {problem}", err=True)
    return rollouts, labels


def _ignored(given: Sequence[str]) -> frozenset[str]:
    """The ids of rules, given in any case and with commas. Raises CommandError."""
    words = (word.strip() for each in given for word in each.split(","))
    return frozenset(rule_named(word, "--ignore ").id for word in words if word)


def _pieces() -> Iterator[bytes]:
    stream = None if sys.stdin is None else getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise CommandError("standard input is closed", MISSING)
    while piece := stream.read(_PIECE):
        yield piece


def _print(report: "Report", options: Options) -> None:
    from webhook.check.formats import fills, github, junit, lines, sarif, structured

    is_terminal = sys.stdout.isatty()
    is_plain = options.no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    style = lines.plain if is_plain or not is_terminal else _styled
    if options.form == "text":
        width = shutil.get_terminal_size().columns if is_terminal else 0
        _write(lines.text(report, width=width, style=style))
    elif options.form == "compact":
        _write(lines.compact(report, style=style))
    elif options.form == "github":
        _write(github.github(report))
    elif options.form == "sarif":
        _write([sarif.sarif(report)])
    elif options.form == "junit":
        _write([junit.junit(report)])
    else:
        from webhook.cli.documents import document, json_text, yaml_text

        content = document(structured.KIND, structured.report_object(report, with_fills=options.with_fills))
        print((json_text if options.form == "json" else yaml_text)(content), end="")
        return
    if options.with_fills:
        _write(fills.fills(report))


def _write(lines: "Sequence[str] | Iterator[str]") -> None:
    for line in lines:
        print(line)


def _styled(text: str, role: str) -> str:
    return click.style(text, fg=_COLORS[role], bold=True)
