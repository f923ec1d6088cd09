"""``stagegate certs``: make, show and rotate the certificates of a directory or of a cluster."""

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from webhook.cli.arguments import address, filled, hosts, namespace, object_name, path, port, secret, selector
from webhook.cli.errors import DONE, FAILED, MISSING, USAGE, CommandError
from webhook.cli.probes import probed

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


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the tasks, their options and the examples."""
    parser.epilog = INIT_EXAMPLES + STATUS_EXAMPLES + ROTATE_EXAMPLES + FILES + SECRETS
    add = parser.add_subparsers(dest="task", metavar="TASK", required=True).add_parser
    init = _add_task(add, "init", "make what is missing or due", INIT_EXAMPLES, "DIR --host NAME [NAME ...]")
    init.add_argument("directory", type=path, metavar="DIR", help="directory of the files")
    init.add_argument(
        "--host",
        nargs="+",
        action="extend",
        type=hosts,
        required=True,
        metavar="NAME",
        help="name or address that clients connect to, without scheme and port; several separated by blanks or commas",
    )
    either = "(DIR | --secret NS/NAME [--kubeconfig F] [--context C])"
    status = _add_task(add, "status", "show the chain and what happens next", STATUS_EXAMPLES, f"{either} [options]")
    _add_place(status)
    status.add_argument(
        "--probe",
        nargs="+",
        action="extend",
        type=address,
        default=[],
        metavar="HOST:PORT",
        help="a server to probe; in a cluster, instead of its pods",
    )
    pods = status.add_argument_group("in a cluster, as for stagegate loop")
    pods.add_argument(
        "--webhook-configuration",
        action="append",
        type=object_name,
        default=[],
        metavar="NAME",
        help="configuration with the caBundle",
    )
    pods.add_argument("--webhook-pods", type=selector, metavar="SELECTOR", help="selector of the pods that serve")
    pods.add_argument("--webhook-port", type=port, metavar="P", help="the port they serve on")
    pods.add_argument(
        "--lease-namespace",
        type=namespace,
        metavar="NS",
        help="namespace of the loop's lease; default: every namespace",
    )
    rotate = _add_task(add, "rotate", "make a new leaf or authority now", ROTATE_EXAMPLES, f"{either} [--ca]")
    _add_place(rotate)
    rotate.add_argument("--ca", action="store_true", help="make a new authority too; the old one stays trusted")


def _add_place(task: argparse.ArgumentParser) -> None:
    task.add_argument("directory", type=path, nargs="?", metavar="DIR", help="directory of the files")
    task.add_argument("--secret", type=secret, metavar="NS/NAME", help="the Secret in a cluster")
    task.add_argument(
        "--kubeconfig",
        type=filled,
        metavar="F",
        help="default: the pod's account, else $KUBECONFIG, else ~/.kube/config",
    )
    task.add_argument("--context", type=filled, metavar="C", help="context of the kubeconfig; default: its current one")


def _add_task(
    add: Callable[..., argparse.ArgumentParser], name: str, summary: str, examples: str, usage: str
) -> argparse.ArgumentParser:
    return add(
        name,
        help=summary,
        description=summary,
        usage=f"stagegate certs {name} [-h] {usage}",
        epilog=examples + FILES + ("" if name == "init" else SECRETS),
    )


def run(arguments: argparse.Namespace) -> int:
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


def _init(arguments: argparse.Namespace, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.renewal import renew
    from certs.rotation import RotationPolicy
    from certs.status import describe_action

    names = [host for several in arguments.host for host in several]
    taken, wait = renew(DirectoryStore(arguments.directory), names, now, RotationPolicy())
    for action in taken:
        print(describe_action(action))
    upcoming = f"{wait.reason.removeprefix('then ')}, {wait.until:%Y-%m-%d}"
    print(f"{arguments.directory}: {'written' if taken else 'unchanged'}; next: {upcoming}")
    return 0


def _status(arguments: argparse.Namespace, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.rotation import Observed, RotationPolicy
    from certs.status import describe, problems

    contents, _ = DirectoryStore(arguments.directory).read()
    if not any(contents.files().values()):
        raise _nothing_in(arguments.directory)
    served = probed(arguments.probe) if arguments.probe else None
    observed = Observed(served=served)
    print("\n".join(describe(contents, observed, _stored_hosts(arguments.directory), now, RotationPolicy())))
    return print_problems(problems(contents, observed, now))


def print_problems(problems: Sequence[str]) -> int:
    """Print what is wrong, one problem a line; the exit code is FAILED if there is a problem, else DONE."""
    for problem in problems:
        print(f"problem    {problem}")
    return FAILED if problems else DONE


def _rotate(arguments: argparse.Namespace, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.renewal import carry_out
    from certs.rotation import MakeAuthority, MakeLeaf, RotationPolicy

    store = DirectoryStore(arguments.directory)
    contents, version = store.read()
    hosts = _stored_hosts(arguments.directory)
    if not hosts:
        raise _nothing_in(arguments.directory)
    if arguments.ca:
        contents = carry_out(
            MakeAuthority("asked for", contents.ca_certificates), contents, hosts, now, RotationPolicy()
        )
    store.write(carry_out(MakeLeaf("asked for"), contents, hosts, now, RotationPolicy()), version)
    print(f"{arguments.directory}: new {'authority and ' if arguments.ca else ''}leaf for {', '.join(sorted(hosts))}")
    return 0


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
