"""``stagegate doctor``: what is wrong with an installation, and the way out."""

import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from webhook.cli.arguments import ObjectName, duration, namespace, pod_namespace, secret
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.errors import DONE, FAILED, TIMED_OUT, CommandError
from webhook.cli.output import Output, output_options
from webhook.text import visible

if TYPE_CHECKING:
    from webhook.diagnosis.doctor.examination import Examined
    from webhook.diagnosis.doctor.result import State

_YEAR: Final = 365 * 86400.0
_PAUSE: Final = 2.0
"""Seconds between two examinations with ``--wait``."""
_SHORT: Final = "short"
_MARKS: Final[dict["State", tuple[str, str, str]]] = {
    "ok": ("√", "ok", "green"),
    "warning": ("‼", "warn", "yellow"),
    "failed": ("✗", "FAIL", "red"),
    "unknown": ("?", "?", "cyan"),
}
"""For each state its mark, the same where the terminal has ASCII only, and its color."""

EXAMPLES: Final = """\
examples:
  stagegate doctor
      every check, in groups; exit code 1 if one failed
  stagegate doctor -o short
      only what is not well
  stagegate doctor --wait --timeout 3m -n team-a
      after an installation: until nothing fails; the dry run is made in team-a
  stagegate doctor --expiring 60d -o json

A check is well, has a warning, has failed, or is not known: it could not be seen by you or from here. Nothing is
written: what is tried end to end are dry runs.
"""


@click.command("doctor", cls=Command, epilog=EXAMPLES)
@click.option("--wait", "waits", is_flag=True, help="Examine again until nothing fails, at most for --timeout.")
@click.option(
    "--expiring",
    type=duration(0, 10 * _YEAR),
    default="21d",
    metavar="DURATION",
    help="Warn of certificates that end within this time.",
)
@click.option(
    "--stagegate-namespace",
    type=namespace,
    metavar="NS",
    help="Where Stagegate is installed; default: $POD_NAMESPACE, else as registered, else stagegate-system.",
)
@click.option(
    "--secret",
    type=secret,
    metavar="NS/NAME",
    help="The Secret of the certificates; default: stagegate-certs there.",
)
@cluster_options(
    all_namespaces=False,
    selectors=False,
    timeout_help="How long to wait with --wait, such as 90s or 5m, and how long one examination may take; 0: no limit.",
)
@output_options(_SHORT)
def command(
    *,
    waits: bool,
    expiring: float,
    stagegate_namespace: str | None,
    secret: ObjectName | None,
    cluster: ClusterOptions,
    output: Output,
) -> int:
    """Examine an installation: API server, registration, pods, certificates, loop, rights, objects, and a dry run."""
    from webhook.cli.doctor_reading import read_installation
    from webhook.diagnosis.doctor.examination import examine, has_failed

    if waits:
        cluster = cluster.unlimited
    client = cluster.client
    rehearsal = cluster.client_as("stagegate-doctor", dry_run=True)

    def examined() -> tuple["Examined", ...]:
        return examine(
            read_installation(
                client,
                rehearsal,
                namespace=stagegate_namespace or pod_namespace(),
                trial_namespace=cluster.namespace,
                secret=secret,
                now=datetime.now(UTC),
                expiring=timedelta(seconds=expiring),
                name=f"stagegate-doctor-{secrets.token_hex(4)}",
            )
        )

    groups = until_well(examined, cluster.timeout, output) if waits else examined()
    show(groups, output)
    if not has_failed(groups):
        return DONE
    return TIMED_OUT if waits else FAILED


def until_well(
    examined: Callable[[], tuple["Examined", ...]],
    timeout: float,
    output: Output,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple["Examined", ...]:
    """Examine until nothing fails or time runs out; the last examination. What fails is said once for each change.

    Raises CommandError if the API server still does not answer at the end.
    """
    from webhook.cluster.errors import ApiError
    from webhook.diagnosis.doctor.examination import has_failed

    deadline, said = monotonic() + timeout, ""
    while True:
        is_over = monotonic() >= deadline
        try:
            groups = examined()
            failing = ", ".join(each.id for group in groups for each in group.results if each.state == "failed")
            if is_over or not has_failed(groups):
                return groups
        except ApiError as problem:
            if is_over:
                raise CommandError(f"time ran out after {timeout:g} s: {problem}", TIMED_OUT) from problem
            failing = str(problem)
        if failing != said:
            output.talk.print(f"waiting: {failing}")
            said = failing
        sleep(min(_PAUSE, max(0.0, deadline - monotonic())))


def show(groups: Iterable["Examined"], output: Output) -> None:
    """Print the results, in groups; ``short`` leaves out what is well."""
    from webhook.diagnosis.doctor.examination import summary

    groups = tuple(groups)
    if output.is_document:
        output.document("DoctorReport", document_of(groups))
        return
    from rich.text import Text

    console = output.answer
    in_unicode = console.encoding.lower().startswith("utf")
    is_short = output.form == _SHORT
    for group in groups:
        results = [each for each in group.results if not is_short or each.state != "ok"]
        if not results:
            continue
        if not is_short:
            console.print(f"{group.title}\n{'-' * len(group.title)}", style="bold")
        for each in results:
            mark, word, color = _MARKS[each.state]
            line = Text.assemble((mark if in_unicode else f"{word:4}", color), f" {each.id}: {visible(each.says)}")
            console.print(line)
            if each.way_out and each.state != "ok":
                console.print(Text(f"    {visible(each.way_out)}", style="dim"))
        if not is_short:
            console.print()
    console.print(summary(groups))


def document_of(groups: Iterable["Examined"]) -> dict[str, Any]:
    """The results for programs."""
    from webhook.diagnosis.doctor.examination import has_failed

    groups = tuple(groups)
    checks = [
        {"id": each.id, "group": group.title, "state": each.state, "message": each.says, "wayOut": each.way_out}
        for group in groups
        for each in group.results
    ]
    return {"failed": has_failed(groups), "checks": checks}
