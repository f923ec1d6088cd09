"""``stagegate certs``: make, show and rotate the certificates of a directory or of a cluster."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from webhook.cli.arguments import address, hosts, namespace, object_name, path, port, secret, selector
from webhook.cli.certs_result import RESULT, STATUS, print_problems
from webhook.cli.cluster_options import connection_options, timeout_option
from webhook.cli.command import Group, Option, Options, section
from webhook.cli.errors import DONE, FAILED, MISSING, USAGE, CommandError
from webhook.cli.output import Output, output_options
from webhook.cli.probes import probed

_F = TypeVar("_F", bound=Callable[..., Any])

INIT_EXAMPLES: Final = """\
examples:
  stagegate certs init ./certs-dir --host localhost,127.0.0.1
      makes what is missing or due and keeps the rest; a second run changes nothing
  stagegate certs init ./certs-dir --host stagegate.stagegate-system.svc
      another host: a new leaf of the same authority
"""
STATUS_EXAMPLES: Final = """\
examples:
  stagegate certs status ./certs-dir
  stagegate certs status ./certs-dir --probe localhost:8443
      the chain, what that server serves, and what happens next; exit code 1 if a client could not verify it
  stagegate certs status --secret stagegate-system/stagegate-certs
      the same for a cluster: every caBundle, every webhook pod, the leader
  stagegate certs status --secret stagegate-system/stagegate-certs --lease-namespace ops
      the same if the lease of the loop is in another namespace
  kubectl -n stagegate-system exec deploy/stagegate-loop -- \\
      stagegate certs status --secret stagegate-system/stagegate-certs
      from inside the cluster, where the pods can be reached
"""
ROTATE_EXAMPLES: Final = """\
examples:
  stagegate certs rotate ./certs-dir
      a new leaf now
  stagegate certs rotate ./certs-dir --ca
      a new authority first; the old one stays trusted beside it
  stagegate certs rotate --secret stagegate-system/stagegate-certs
      a new leaf of the same authority; the webhooks serve it within a second
  stagegate certs rotate --secret stagegate-system/stagegate-certs --ca
      a new authority beside the old one; the leading loop does the rest, and no call fails
"""
FILES: Final = """
files: ca.crt (what clients trust), ca.key (signs), tls.crt and tls.key (the server's); keys have mode 0600
"""
SECRETS: Final = """
in a cluster: Secret NS/NAME has what servers read; NS/NAME-authority has ca.key, which only the loop reads
"""


@click.group("certs", cls=Group, epilog=INIT_EXAMPLES + STATUS_EXAMPLES + ROTATE_EXAMPLES + FILES + SECRETS)
def command() -> None:
    """Make, show and rotate the certificates of a directory or of a cluster."""


def _place(task: _F) -> _F:
    """Add the directory, or the Secret and its cluster."""
    timed = timeout_option(click.option)(task)
    named = click.option("--secret", type=secret, metavar="NS/NAME", help="The Secret in a cluster.")(
        connection_options(click.option)(timed)
    )
    return click.argument("directory", required=False, type=path, metavar="[DIR]")(named)


_EITHER: Final = "(DIR | --secret NS/NAME) [OPTIONS]"
_pods = section("in a cluster, as for stagegate loop")


@command.command("init", epilog=INIT_EXAMPLES + FILES)
@click.argument("directory", type=path, metavar="DIR")
@click.option(
    "--host",
    cls=Option,
    several=True,
    multiple=True,
    type=hosts,
    required=True,
    metavar="NAME...",
    help="Name or address that clients connect to, without scheme and port; several separated by blanks or commas.",
)
@output_options()
def _init_command(**given: Any) -> int:
    """Make what is missing or due."""
    return run(Options(task="init", **given))


@command.command("status", epilog=STATUS_EXAMPLES + FILES + SECRETS, options_metavar=_EITHER)
@_place
@click.option(
    "--probe",
    cls=Option,
    several=True,
    multiple=True,
    type=address,
    metavar="HOST:PORT...",
    help="A server to probe; in a cluster, instead of its pods.",
)
@_pods(
    "--webhook-configuration",
    multiple=True,
    type=object_name,
    metavar="NAME",
    help="Configuration with the caBundle; repeatable.",
)
@_pods("--webhook-pods", type=selector, metavar="SELECTOR", help="Selector of the pods that serve.")
@_pods("--webhook-port", type=port, metavar="P", help="The port they serve on.")
@_pods(
    "--lease-namespace", type=namespace, metavar="NS", help="Namespace of the loop's lease; default: every namespace."
)
@output_options()
def _status_command(**given: Any) -> int:
    """Show the chain and what happens next."""
    return run(Options(task="status", **given))


@command.command("rotate", epilog=ROTATE_EXAMPLES + FILES + SECRETS, options_metavar=_EITHER)
@_place
@click.option("--ca", is_flag=True, help="Make a new authority too; the old one stays trusted.")
@output_options()
def _rotate_command(**given: Any) -> int:
    """Make a new leaf or authority now."""
    return run(Options(task="rotate", **given))


def run(arguments: Options) -> int:
    """Run the task. The certificates are imported only here, so that --help is quick."""
    from certs.errors import CertificateError, StoreConflict, StoreError

    in_cluster = getattr(arguments, "secret", None) is not None
    if in_cluster == (arguments.directory is not None):
        raise CommandError(f"{arguments.task}: give either a directory or --secret NAMESPACE/NAME", USAGE)
    if in_cluster:
        from webhook.cli import certs_secret

        return certs_secret.run(arguments, datetime.now(UTC))
    tasks = {"init": _init, "status": _status, "rotate": _rotate}
    try:
        return tasks[arguments.task](arguments, datetime.now(UTC))
    except (CertificateError, StoreConflict) as problem:
        raise CommandError(f"{arguments.directory}: {problem}") from problem
    except StoreError as problem:
        raise CommandError(f"{arguments.directory}: {problem}", MISSING) from problem


def _init(arguments: Options, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.renewal import renew
    from certs.rotation import RotationPolicy
    from certs.status import describe_action
    from certs.status_document import action_document, leaf_document

    names = [host for several in arguments.host for host in several]
    store = DirectoryStore(arguments.directory)
    taken, wait = renew(store, names, now, RotationPolicy())
    output: Output = arguments.output
    if output.is_document:
        made = [action_document(action, now) for action in taken]
        content = {"directory": str(arguments.directory), "changed": bool(taken), "made": made}
        output.document(RESULT, {**content, "leaf": leaf_document(store.read()[0]), "next": action_document(wait, now)})
        return DONE
    for action in taken:
        print(describe_action(action))
    upcoming = f"{wait.reason.removeprefix('then ')}, {wait.until:%Y-%m-%d}"
    print(f"{arguments.directory}: {'written' if taken else 'unchanged'}; next: {upcoming}")
    return DONE


def _status(arguments: Options, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.rotation import Observed, RotationPolicy
    from certs.status import describe, problems
    from certs.status_document import status_document

    contents, _ = DirectoryStore(arguments.directory).read()
    if not any(contents.files().values()):
        raise _nothing_in(arguments.directory)
    probes = probed(arguments.probe)
    observed = Observed(served=probes.shown or None)
    output: Output = arguments.output
    if output.is_document:
        hosts = _stored_hosts(arguments.directory)
        content = status_document(contents, observed, hosts, now, RotationPolicy(), unanswered=probes.unanswered)
        output.document(STATUS, {"directory": str(arguments.directory), **content})
        return DONE if content["verifiable"] else FAILED
    print("\n".join(describe(contents, observed, _stored_hosts(arguments.directory), now, RotationPolicy())))
    return print_problems(problems(contents, observed, now, probes.unanswered))


def _rotate(arguments: Options, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.renewal import carry_out
    from certs.rotation import MakeAuthority, MakeLeaf, RotationPolicy
    from certs.status_document import action_document, leaf_document

    store = DirectoryStore(arguments.directory)
    contents, version = store.read()
    hosts = _stored_hosts(arguments.directory)
    if not hosts:
        raise _nothing_in(arguments.directory)
    leaf = MakeLeaf("asked for")
    made: list[MakeAuthority | MakeLeaf] = [leaf]
    if arguments.ca:
        authority = MakeAuthority("asked for", contents.ca_certificates)
        made = [authority, leaf]
    for action in made:
        contents = carry_out(action, contents, hosts, now, RotationPolicy())
    store.write(contents, version)
    output: Output = arguments.output
    if output.is_document:
        content = {"directory": str(arguments.directory), "changed": True}
        listed = [action_document(action, now) for action in made]
        output.document(RESULT, {**content, "made": listed, "leaf": leaf_document(contents)})
        return DONE
    print(f"{arguments.directory}: new {'authority and ' if arguments.ca else ''}leaf for {', '.join(sorted(hosts))}")
    return DONE


def _stored_hosts(directory: Path) -> frozenset[str]:
    from certs.directory import DirectoryStore
    from certs.errors import CertificateError
    from certs.key_pair import read_certificate
    from certs.leaf import hosts_of

    try:
        return hosts_of(read_certificate(DirectoryStore(directory).read()[0].certificate))
    except CertificateError:
        return frozenset()


def _nothing_in(directory: Path) -> CommandError:
    return CommandError(
        f"{directory} holds no certificates; make them with: stagegate certs init {directory} --host localhost", MISSING
    )
