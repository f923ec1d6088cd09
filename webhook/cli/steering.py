"""What the commands pause, resume, retry and abort share: which rollouts are meant, the write, and what is printed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from webhook.cli.arguments import ObjectName, filled, object_name
from webhook.cli.cluster_options import ClusterOptions
from webhook.cli.errors import DONE, FAILED, MISSING, USAGE, CommandError, no_rollout
from webhook.cli.output import Output
from webhook.text import visible

if TYPE_CHECKING:
    from webhook.api import RolloutOrchestrator
    from webhook.api.wire import Wire
    from webhook.cluster.client import Client
    from webhook.planning.steering_request import SteeringRequest

FIELD_MANAGER: Final = "stagegate-steering"
_TRIES: Final = 5

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the request for one rollout; ``code`` is the exit code that it would give alone.

    ``by`` is the name under which what was asked for is recorded, empty if none is.
    """

    name: ObjectName
    changed: bool
    message: str
    note: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    code: int = DONE

    def to_dict(self) -> dict[str, Any]:
        members: dict[str, Any] = {
            "namespace": self.name.namespace,
            "name": self.name.name,
            "changed": self.changed,
            "message": self.message,
        }
        if self.note:
            members["note"] = self.note
        return members | ({"annotations": dict(self.annotations)} if self.code == DONE else {"error": True})


def names_argument(command: _F) -> _F:
    """Add the names of rollouts, which are those of their Knative Services."""
    argument: Callable[[_F], _F] = click.argument("names", nargs=-1, type=object_name, metavar="[NAME...]")
    return argument(command)


def reason_option(command: _F) -> _F:
    """Add ``--reason``, which is required."""
    option: Callable[[_F], _F] = click.option(
        "--reason", required=True, type=_reason, metavar="TEXT", help="Why; shown wherever the rollout is."
    )
    return option(command)


def dry_run_option(command: _F) -> _F:
    """Add ``--dry-run``."""
    option: Callable[[_F], _F] = click.option(
        "--dry-run", is_flag=True, help="Let the API server check the write, and store nothing."
    )
    return option(command)


def _reason(text: str) -> str:
    """A reason that the webhook would not refuse."""
    from webhook.api.steering import problem_of_reason

    problem = problem_of_reason(filled(text))
    if problem is not None:
        raise click.BadParameter(problem)
    return text


def chosen(cluster: ClusterOptions, names: Sequence[str], *, every: bool | None = None) -> list[ObjectName]:
    """The rollouts that are meant: these names, or those with the labels of ``-l``, or all. Raises CommandError.

    ``every`` is None for a command without ``--all``.
    """
    if [bool(names), bool(cluster.selector), bool(every)].count(True) != 1:
        ways = "names of rollouts or -l with a selector"
        if every is not None:
            ways = "names of rollouts, -l with a selector, or --all"
        raise CommandError(f"give one of these: {ways}", USAGE)
    if names:
        if cluster.all_namespaces:
            others = "-l" if every is None else "-l or --all"
            raise CommandError(f"-A goes with {others}, not with names", USAGE)
        return [ObjectName(cluster.namespace, name) for name in dict.fromkeys(names)]
    from webhook.cluster.client import pages
    from webhook.cluster.indexer import key_of
    from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS

    listed = pages(cluster.client, ROLLOUT_ORCHESTRATORS, cluster.scope, label_selector=cluster.selector)
    found = sorted(ObjectName(*key_of(one)) for page in listed for one in page.get("items") or ())
    if not found:
        labels = " with these labels" if cluster.selector else ""
        where = "" if cluster.scope is None else f" in {cluster.scope}"
        raise CommandError(f"there is no rollout{labels}{where}", MISSING)
    return found


def steer(
    client: "Client",
    names: Iterable[ObjectName],
    ask: "Callable[[RolloutOrchestrator], SteeringRequest]",
) -> Iterator[Outcome]:
    """Carry a request out for each rollout, and go on after one that fails."""
    from webhook.api import MalformedObject
    from webhook.cli.cluster import exit_code_of, line_of
    from webhook.cluster.errors import ApiError, NotFound

    for name in names:
        try:
            yield _steer_one(client, name, ask)
        except NotFound:
            yield Outcome(name, changed=False, message=str(no_rollout(name)), code=MISSING)
        except ApiError as problem:
            yield Outcome(name, changed=False, message=line_of(problem), code=exit_code_of(problem))
        except MalformedObject as problem:
            yield Outcome(name, changed=False, message=f"rollout {name} cannot be read: {problem}", code=FAILED)


def _steer_one(client: "Client", name: ObjectName, ask: "Callable[[RolloutOrchestrator], SteeringRequest]") -> Outcome:
    """Read, decide, write; again where the rollout has changed in between. Raises ApiError, MalformedObject."""
    from webhook.api import RolloutOrchestrator
    from webhook.cluster.errors import Conflict
    from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS

    for attempt in range(_TRIES):
        ro = RolloutOrchestrator.from_dict(client.get(ROLLOUT_ORCHESTRATORS, *name))
        request = ask(ro)
        if request.obstacle:
            return Outcome(name, changed=False, message=f"{name}: {request.obstacle}", code=FAILED)
        if not request.changes:
            return Outcome(name, False, request.done, request.note, _steering(ro))
        try:
            stored = RolloutOrchestrator.from_dict(write(client, name, ro, request.changes))
        except Conflict:
            if attempt == _TRIES - 1:
                raise
        else:
            steering = _steering(stored)
            return Outcome(name, True, request.done, request.note, steering, _by(steering, request.changes))
    raise AssertionError("the last try returns or raises")


def write(client: "Client", name: ObjectName, ro: "RolloutOrchestrator", changes: "Mapping[str, str | None]") -> "Wire":
    """Set annotations of an RO, None removing one. Raises ApiError; Conflict if it has changed.

    What is set is owned by a field manager of its own, so that no sync takes it away. Server-side apply cannot remove
    what another manager set, or what the webhook filled in, which belongs to none: a removal is a merge patch.
    """
    from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
    from webhook.knative.annotations import annotations_patch

    if None in changes.values():
        return client.patch(ROLLOUT_ORCHESTRATORS, *name, annotations_patch(changes, ro.metadata.resource_version))
    # Apply states everything that this manager owns; what it leaves out would be removed.
    whole = {**_steering(ro), **{key: text for key, text in changes.items() if text is not None}}
    metadata = {
        "name": name.name,
        "namespace": name.namespace,
        "uid": ro.metadata.uid,
        "resourceVersion": ro.metadata.resource_version,
        "annotations": whole,
    }
    return client.apply(ROLLOUT_ORCHESTRATORS, *name, {"metadata": metadata})


def report(outcomes: Iterable[Outcome], output: Output, kind: str, *, dry_run: bool = False) -> int:
    """Print what became of each rollout; the exit code is that of the first that failed."""
    listed, code = [], DONE
    try:
        for outcome in outcomes:
            listed.append(outcome)
            code = code or outcome.code
            if not output.is_document:
                _print(outcome, dry_run=dry_run)
    finally:
        # What was done before time ran out is part of the answer.
        if output.is_document:
            output.document(kind, {"dryRun": dry_run, "rollouts": [outcome.to_dict() for outcome in listed]})
    return code


def _print(outcome: Outcome, *, dry_run: bool) -> None:
    said = visible(f"rolloutorchestrator/{outcome.name.name} {outcome.message}")
    if outcome.code != DONE:
        click.echo(f"{click.get_current_context().command_path}: {visible(outcome.message)}", err=True)
        return
    tail = f" (by {visible(outcome.by)})" if outcome.by else ""
    end = "; nothing changed" if not outcome.changed else " (server dry run)" if dry_run else ""
    click.echo(f"{said}{tail}{end}")
    if outcome.note:
        click.echo(f"  {visible(outcome.note)}")


def _by(steering: Mapping[str, str], changes: "Mapping[str, str | None]") -> str:
    from webhook.api.steering import GROUPS

    return next((steering.get(group.by, "") for group in GROUPS if changes.get(group.main)), "")


def _steering(ro: "RolloutOrchestrator") -> dict[str, str]:
    from webhook.api.steering import STEERING_KEYS

    return {key: ro.metadata.annotations[key] for key in STEERING_KEYS if key in ro.metadata.annotations}
