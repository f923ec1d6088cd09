"""``stagegate release``: give held Services back to Knative, or list them."""

import argparse
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from webhook.cli.arguments import ObjectName, filled, namespace, seconds
from webhook.cli.cluster import connected, exit_code_of
from webhook.cli.errors import DONE, TIMED_OUT, USAGE, CommandError

if TYPE_CHECKING:
    from webhook.cluster.client import Client

_DAY: Final = 86400
_POLL: Final = 0.5
_VALUE: Final = "stagegate release"

EXAMPLES: Final = """\
examples:
  stagegate release --list
      the Services that are held, and their traffic
  stagegate release hello --namespace team-a
      its new revision runs its own minimum first, then Knative has the traffic and the bounds again
  stagegate release --all --timeout 300
      before Stagegate is removed: every held Service of every namespace

The loop carries a release out, so it has to run. A Service that is edited afterwards rolls out in stages again, unless
it or its namespace says stagegate.dev/progressive=false.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options and the examples."""
    parser.epilog = EXAMPLES
    parser.add_argument("name", nargs="?", type=filled, metavar="NAME", help="the Service to give back")
    parser.add_argument("--all", action="store_true", help="give every held Service back")
    parser.add_argument("--list", action="store_true", help="print what is held, and change nothing")
    parser.add_argument(
        "--namespace",
        "-n",
        type=namespace,
        metavar="NS",
        help='where the Services are: "default" if not given, every namespace with --all and --list',
    )
    parser.add_argument(
        "--timeout",
        type=seconds(0, _DAY),
        default=120.0,
        metavar="S",
        help="seconds to wait until everything is given back (120), 0: do not wait",
    )
    parser.add_argument(
        "--kubeconfig",
        type=filled,
        metavar="F",
        help="default: the account of the pod, else $KUBECONFIG, else ~/.kube/config",
    )
    parser.add_argument(
        "--context", type=filled, metavar="NAME", help="context of the kubeconfig; default: its current one"
    )


def run(arguments: argparse.Namespace) -> int:
    """List what is held, or have it released. Raises CommandError."""
    if [bool(arguments.name), arguments.all, arguments.list].count(True) != 1:
        raise CommandError("give one of these: the name of a Service, --all, or --list", USAGE)
    from webhook.cluster.client import Client
    from webhook.cluster.errors import ApiError

    agent = f"stagegate/{metadata.version('stagegate')} (release)"
    transport = connected(arguments.kubeconfig, arguments.context, user_agent=agent, pool_size=1)
    client = Client(transport, field_manager="stagegate-release")
    try:
        if arguments.list:
            return show(client, arguments.namespace)
        if arguments.name:
            named = ObjectName(arguments.namespace or "default", arguments.name)
            return release(client, [named], arguments.timeout)
        held = [name for name, _ in held_services(client, arguments.namespace)]
        if not held:
            print("no Service is held")
        return release(client, held, arguments.timeout)
    except ApiError as problem:
        raise CommandError(str(problem), exit_code_of(problem)) from problem


def show(client: "Client", where: str | None) -> int:
    """Print what is held, a Service a line. Raises ApiError."""
    from webhook.knative.annotations import HOLD, annotations_of
    from webhook.knative.hold import UnreadableHold, hold_of
    from webhook.knative.stage_traffic import described
    from webhook.knative.traffic import shares

    for name, route in held_services(client, where):
        try:
            hold = hold_of(route)
            phase, new = (hold.phase, hold.new) if hold is not None else ("", "")
        except UnreadableHold:
            phase, new = "unreadable", annotations_of(route)[HOLD][:60]
        traffic = described(shares((route.get("status") or {}).get("traffic"))) or "no traffic"
        print(f"{name}  {phase}  to {new}  now {traffic}")
    return DONE


def held_services(client: "Client", where: str | None) -> list[tuple[ObjectName, dict[str, Any]]]:
    """The Services that are held, in a namespace or in all, each with its Route on the wire. Raises ApiError."""
    from webhook.cluster.client import pages
    from webhook.cluster.indexer import key_of
    from webhook.cluster.resource import ROUTES
    from webhook.knative.annotations import HOLD, annotations_of

    found = (one for page in pages(client, ROUTES, where) for one in page.get("items") or ())
    return sorted((ObjectName(*key_of(one)), one) for one in found if HOLD in annotations_of(one))


def release(
    client: "Client",
    services: Iterable[ObjectName],
    timeout: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Ask the loop to release these Services, and wait until none has a hold. Raises ApiError, CommandError."""
    from webhook.cluster.errors import NotFound
    from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS, ROUTES
    from webhook.knative.annotations import HOLD, annotations_of
    from webhook.knative.service_rollout import RELEASE

    left, asked, deadline = list(services), set[ObjectName](), monotonic() + timeout
    while True:
        for name in list(left):
            if HOLD not in annotations_of(client.get(ROUTES, *name)):
                left.remove(name)
                print(f"{name}: {'released' if name in asked else 'not held'}")
            elif name not in asked:
                # The loop makes the RO a moment after the Route was pinned.
                with suppress(NotFound):
                    client.patch(ROLLOUT_ORCHESTRATORS, *name, {"metadata": {"annotations": {RELEASE: _VALUE}}})
                    asked.add(name)
        if not left:
            return DONE
        if timeout == 0 and asked.issuperset(left):
            print("\n".join(f"{name}: the loop was asked to release it" for name in left))
            return DONE
        if monotonic() >= deadline:
            names = ", ".join(map(str, left))
            hint = "see the Events of the Service, and whether the loop runs"
            raise CommandError(f"not released within {timeout:.0f} s: {names}; {hint}", TIMED_OUT)
        sleep(_POLL)
