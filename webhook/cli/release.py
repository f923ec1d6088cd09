"""``stagegate release``: give held Services back to Knative, or list them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from webhook.api.kinds import SETTINGS_NAME, SETTINGS_NAMESPACE
from webhook.cli.arguments import ObjectName, filled
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.errors import DONE, MISSING, TIMED_OUT, USAGE, CommandError
from webhook.cli.output import Output, output_options
from webhook.cli.release_wait import awaited
from webhook.text import visible

if TYPE_CHECKING:
    from webhook.cluster.client import Client

_POLL: Final = 0.5
_VALUE: Final = "stagegate release"
_SETTINGS: Final = f"the ConfigMap {SETTINGS_NAMESPACE}/{SETTINGS_NAME}"


class NoSuchService(CommandError):
    """The Service that is to be released, or its Route, does not exist."""


EXAMPLES: Final = """\
examples:
  stagegate release --list
      the Services that are held, and their traffic
  stagegate release hello --namespace team-a --no-wait
      asks the loop for it, and does not wait
  stagegate release hello --namespace team-a
      its new revision runs its own minimum first, then Knative has the traffic and the bounds again
  stagegate release --all --hold-nothing-new --timeout 300
      before Stagegate is removed: every held Service of every namespace, and no other is held from then on

The loop carries a release out, so it has to run. A Service that is edited afterwards rolls out in stages again, unless
it or its namespace says stagegate.dev/progressive=false.
"""


@click.command("release", cls=Command, epilog=EXAMPLES)
@click.argument("name", required=False, type=filled, metavar="[NAME]")
@click.option("--all", "every", is_flag=True, help="Give every held Service back.")
@click.option("--list", "only_list", is_flag=True, help="Print what is held, and change nothing.")
@click.option(
    "--hold-nothing-new", "last", is_flag=True, help=f"With --all: first set hold-nothing-new in {_SETTINGS}."
)
@click.option("--no-wait", is_flag=True, help="Ask the loop, and do not wait for it.")
@cluster_options(
    all_namespaces=False,
    selectors=False,
    timeout="2m",
    timeout_help="How long to wait, such as 90s or 5m; 0: no limit.",
)
@output_options()
def command(
    name: str | None,
    *,
    every: bool,
    only_list: bool,
    last: bool,
    no_wait: bool,
    cluster: ClusterOptions,
    output: Output,
) -> int:
    """Give the Service NAME, in the middle of a rollout, back to Knative.

    With --all and --list every namespace is meant if none is given.
    """
    if [bool(name), every, only_list].count(True) != 1:
        raise CommandError("give one of these: the name of a Service, --all, or --list", USAGE)
    if last and not every:
        raise CommandError("--hold-nothing-new: goes with --all only", USAGE)
    if last and cluster.given_namespace is not None:
        raise CommandError("--hold-nothing-new: is for every namespace; leave out --namespace", USAGE)
    if only_list:
        if no_wait:
            raise CommandError("--no-wait: does not go with --list, which waits for nothing", USAGE)
        return show(cluster.client, cluster.given_namespace, output)
    cluster = cluster.unlimited
    if last:
        hold_nothing_new(cluster.client)

    def held() -> list[ObjectName]:
        return [each for each, _ in held_services(cluster.client, cluster.given_namespace)]

    services = [ObjectName(cluster.namespace, name)] if name else held()
    seconds = 0.0 if no_wait else cluster.timeout
    run = partial(release_until_none, held=held) if last else partial(release, every=every)
    if not output.is_document:
        if not services:
            say_nothing_is_held(cluster.given_namespace, output)
        return run(cluster.client, services, seconds)
    items: list[dict[str, str]] = []
    try:
        return run(
            cluster.client,
            services,
            seconds,
            report=lambda each, result: items.append({**each._asdict(), "result": result}),
        )
    finally:
        output.document("ReleaseList", {"items": items})


def show(client: "Client", where: str | None, output: Output) -> int:
    """Print what is held, a Service a line. Raises ApiError."""
    from webhook.knative.annotations import HOLD, annotations_of
    from webhook.knative.hold import UnreadableHold, hold_of
    from webhook.knative.stage_traffic import described
    from webhook.knative.traffic import shares_in

    items = []
    for name, route in held_services(client, where):
        try:
            hold = hold_of(route)
            phase, new = (hold.phase, hold.new) if hold is not None else ("", "")
        except UnreadableHold:
            phase, new = "unreadable", annotations_of(route)[HOLD][:60]
        traffic = shares_in(route, "status")
        if not output.is_document:
            print(visible(f"{name}  {phase}  to {new}  now {described(traffic) or 'no traffic'}"))
        items.append({**name._asdict(), "phase": phase, "newRevision": new, "traffic": traffic})
    if output.is_document:
        output.document("HeldServiceList", {"items": items})
    elif not items:
        say_nothing_is_held(where, output)
    return DONE


def say_nothing_is_held(where: str | None, output: Output) -> None:
    """Say so on standard error, apart from the output."""
    output.talk.print(f"No Services are held in {'the cluster' if where is None else f'namespace {where}'}.")


def held_services(client: "Client", where: str | None) -> list[tuple[ObjectName, dict[str, Any]]]:
    """The Services that are held, in a namespace or in all, each with its Route on the wire. Raises ApiError.

    None where Knative is not installed.
    """
    from webhook.cluster.client import pages
    from webhook.cluster.errors import NotFound
    from webhook.cluster.indexer import key_of
    from webhook.cluster.resource import ROUTES
    from webhook.knative.annotations import HOLD, annotations_of

    found = (one for page in pages(client, ROUTES, where) for one in page.get("items") or ())
    try:
        return sorted((ObjectName(*key_of(one)), one) for one in found if HOLD in annotations_of(one))
    except NotFound:
        return []


def hold_nothing_new(client: "Client") -> None:
    """Let no other Service be held from now on. Raises ApiError."""
    from webhook.cluster.errors import NotFound
    from webhook.cluster.resource import CONFIG_MAPS
    from webhook.planning.config import HOLD_NOTHING_NEW

    metadata = {"name": SETTINGS_NAME, "namespace": SETTINGS_NAMESPACE}
    # Without the namespace there is no Knative, and nothing to hold.
    with suppress(NotFound):
        client.apply(
            CONFIG_MAPS, SETTINGS_NAMESPACE, SETTINGS_NAME, {"metadata": metadata, "data": {HOLD_NOTHING_NEW: "true"}}
        )


def print_result(service: ObjectName, result: str) -> None:
    """Print what became of a Service in a line."""
    print(f"{service}: {result}")


def release(
    client: "Client",
    services: Iterable[ObjectName],
    timeout: float,
    *,
    every: bool = False,
    given: float | None = None,
    report: Callable[[ObjectName, str], None] = print_result,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Ask the loop to release these Services, and wait until none has a hold. Raises ApiError, CommandError.

    A ``timeout`` of 0 does not wait; an infinite one has no limit. A Service that is deleted meanwhile needs no
    release; with ``every`` this holds for all, since they were just listed.
    ``given`` is the time that an error names, if ``timeout`` is only what is left of it.
    """
    from webhook.cluster.errors import NotFound
    from webhook.cluster.resource import KNATIVE_SERVICES, ROUTES
    from webhook.knative.annotations import HOLD, annotations_of, annotations_patch
    from webhook.knative.service_rollout import RELEASE

    left, deadline = list(services), monotonic() + timeout
    asked = dict[ObjectName, bool]()
    """True where the Service was annotated, and not its RO."""
    while True:
        for name in list(left):
            try:
                with _named(name):
                    route = client.get(ROUTES, *name)
            except NoSuchService:
                if not every and name not in asked:
                    raise
                left.remove(name)
                report(name, "deleted")
                continue
            if HOLD not in annotations_of(route):
                left.remove(name)
                report(name, "released" if name in asked else "not held")
                if asked.get(name):
                    with suppress(NotFound):
                        client.patch(KNATIVE_SERVICES, *name, annotations_patch({RELEASE: None}))
            elif name not in asked:
                # Without its Service, the Route goes as well.
                with suppress(NotFound) if every else _named(name):
                    asked[name] = ask(client, name, route)
        if not left:
            return DONE
        if timeout == 0:
            for name in (each for each in left if each in asked):
                report(name, "the loop was asked to release it")
            return DONE
        if monotonic() >= deadline:
            found = visible("; ".join(f"{name}: {awaited(client, name)}" for name in left))
            raise CommandError(f"not released within {timeout if given is None else given:g} s: {found}", TIMED_OUT)
        sleep(_POLL)


@contextmanager
def _named(service: ObjectName) -> Iterator[None]:
    """Raise NoSuchService for this Service where an object is not found."""
    from webhook.cluster.errors import NotFound

    try:
        yield
    except NotFound as problem:
        raise NoSuchService(
            f"cannot release {service}: {problem.call}: not found; check the name and the namespace (-n): "
            "stagegate release --list prints what is held",
            MISSING,
        ) from problem


def release_until_none(
    client: "Client",
    services: Iterable[ObjectName],
    timeout: float,
    held: Callable[[], Sequence[ObjectName]],
    report: Callable[[ObjectName, str], None] = print_result,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """As ``release``, and again for those that are ``held`` a moment later: a webhook that did not know the setting
    yet has held them. Raises ApiError, CommandError."""
    end = monotonic() + timeout
    while True:
        left = max(end - monotonic(), _POLL) if timeout else 0.0
        code = release(
            client, services, left, every=True, given=timeout, report=report, monotonic=monotonic, sleep=sleep
        )
        if not timeout:
            return code
        sleep(_POLL)
        services = held()
        if not services:
            return code


def ask(client: "Client", name: ObjectName, route: Mapping[str, Any]) -> bool:
    """Ask the loop to release a Service whose Route is held; True if it is asked on the Service. Raises ApiError.

    That is where its RO does not exist, or cannot be written.
    """
    from webhook.cluster.errors import ApiError, NotFound
    from webhook.cluster.resource import KNATIVE_SERVICES, ROLLOUT_ORCHESTRATORS
    from webhook.knative.annotations import annotations_patch
    from webhook.knative.hold import readable_hold_of
    from webhook.knative.service_rollout import RELEASE

    try:
        client.patch(ROLLOUT_ORCHESTRATORS, *name, annotations_patch({RELEASE: _VALUE}))
        return False
    except ApiError as problem:
        hold = readable_hold_of(route)
        if hold is None or not (problem.is_refusal or isinstance(problem, NotFound)):
            raise
        client.patch(KNATIVE_SERVICES, *name, annotations_patch({RELEASE: hold.new}))
        return True
