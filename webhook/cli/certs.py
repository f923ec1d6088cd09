"""``stagegate certs``: make, show and rotate the certificates of a directory."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from webhook.cli.errors import MISSING, CommandError

INIT_EXAMPLES: Final = """\
examples:
  stagegate certs init ./certs-dir --host localhost 127.0.0.1
      makes what is missing or due, keeps the rest; a second run changes nothing
  stagegate certs init ./certs-dir --host stagegate.stagegate-system.svc
      another host: a new leaf of the same authority
"""
STATUS_EXAMPLES: Final = """\
examples:
  stagegate certs status ./certs-dir
  stagegate certs status ./certs-dir --probe localhost:8443
      the chain, what that server shows, and what happens next
"""
ROTATE_EXAMPLES: Final = """\
examples:
  stagegate certs rotate ./certs-dir
      a new leaf now
  stagegate certs rotate ./certs-dir --ca
      a new authority first; the old one stays trusted beside it
"""
FILES: Final = """
files: ca.crt (what clients trust), ca.key (signs), tls.crt and tls.key (the server's); keys have mode 0600
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The three things that can be done to a directory of certificates."""
    parser.epilog = INIT_EXAMPLES + STATUS_EXAMPLES + ROTATE_EXAMPLES + FILES
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    init = _add_task(tasks, "init", "make what is missing or due", INIT_EXAMPLES, "DIR --host NAME [NAME ...]")
    init.add_argument(
        "--host", nargs="+", action="extend", required=True, metavar="NAME", help="name or address served"
    )
    status = _add_task(tasks, "status", "show the chain and what happens next", STATUS_EXAMPLES, "DIR [--probe ...]")
    status.add_argument("--probe", nargs="+", action="extend", default=[], metavar="HOST:PORT", help="a server to ask")
    rotate = _add_task(tasks, "rotate", "make a new leaf now", ROTATE_EXAMPLES, "DIR [--ca]")
    rotate.add_argument("--ca", action="store_true", help="make a new authority too; the old one stays trusted")


def _add_task(
    tasks: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, examples: str, usage: str
) -> argparse.ArgumentParser:
    task = tasks.add_parser(
        name,
        help=summary,
        description=summary,
        usage=f"stagegate certs {name} [-h] {usage}",
        epilog=examples + FILES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    task.add_argument("directory", type=Path, metavar="DIR", help="where the files are")
    return task


def run(arguments: argparse.Namespace) -> int:
    """Do the task; certificates are imported only here, so that help is quick."""
    from certs.errors import CertificateError, StoreError

    tasks = {"init": _init, "status": _status, "rotate": _rotate}
    try:
        return tasks[arguments.task](arguments, datetime.now(UTC))
    except (CertificateError, StoreError) as problem:
        raise CommandError(f"{arguments.directory}: {problem}") from problem


def _init(arguments: argparse.Namespace, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.renewal import renew
    from certs.rotation import Terms

    taken, wait = renew(DirectoryStore(arguments.directory), arguments.host, now, Terms())
    for action in taken:
        print(f"{type(action).__name__}: {action.reason}")
    print(f"{arguments.directory}: {'written' if taken else 'unchanged'}; {wait.reason}, {wait.until:%Y-%m-%d}")
    return 0


def _status(arguments: argparse.Namespace, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.rotation import Terms, World
    from certs.status import describe

    contents, _ = DirectoryStore(arguments.directory).read()
    if not any(contents.files().values()):
        raise _nothing_in(arguments.directory)
    served = {address: _probe(address) for address in arguments.probe} if arguments.probe else None
    print("\n".join(describe(contents, World(served=served), _stored_hosts(arguments.directory), now, Terms())))
    return 0


def _rotate(arguments: argparse.Namespace, now: datetime) -> int:
    from certs.directory import DirectoryStore
    from certs.renewal import carry_out
    from certs.rotation import MakeAuthority, MakeLeaf, Terms

    store = DirectoryStore(arguments.directory)
    contents, version = store.read()
    hosts = _stored_hosts(arguments.directory)
    if not hosts:
        raise _nothing_in(arguments.directory)
    if arguments.ca:
        contents = carry_out(MakeAuthority("asked for", contents.ca_certificates), contents, hosts, now, Terms())
    store.write(carry_out(MakeLeaf("asked for"), contents, hosts, now, Terms()), version)
    print(f"{arguments.directory}: new {'authority and ' if arguments.ca else ''}leaf for {', '.join(sorted(hosts))}")
    return 0


def _stored_hosts(directory: Path) -> frozenset[str]:
    from certs.directory import DirectoryStore
    from certs.errors import CertificateError
    from certs.leaf import hosts_of
    from certs.pair import read_certificate

    try:
        return hosts_of(read_certificate(DirectoryStore(directory).read()[0].certificate))
    except CertificateError:
        return frozenset()


def _probe(address: str) -> bytes | None:
    from certs.errors import CertificateError
    from certs.probe import probe

    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise CommandError(f"--probe {address}: wanted HOST:PORT")
    try:
        return probe(host.strip("[]"), int(port), timeout=3.0)
    except CertificateError:
        return None


def _nothing_in(directory: Path) -> CommandError:
    return CommandError(
        f"{directory} holds no certificates; make them with: stagegate certs init {directory} --host localhost", MISSING
    )
