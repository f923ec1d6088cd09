"""``python -m sandbox``: a local API server to try things on."""

import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from sandbox.sandbox import Sandbox
from webhook.cli.arguments import any_port, path
from webhook.cli.command import Command
from webhook.cli.errors import MISSING, CommandError
from webhook.cli.program import run_click
from webhook.signals import end_on_signal, wait_for

_PROGRAM: Final = "python -m sandbox"
_TRY: Final = """\
The sandbox is at {url}; Ctrl-C ends it. In another terminal:

  export KUBECONFIG={kubeconfig}
  kubectl api-resources
  kubectl apply -f - <<EOF
  apiVersion: serving.knative.dev/v1
  kind: StagePodAutoscaler
  metadata: {{name: hello-00001, labels: {{serving.knative.dev/service: hello}}}}
  spec: {{stageMinScale: 1, stageMaxScale: 3}}
  EOF
  kubectl get spa
  kubectl patch spa hello-00001 --type merge -p '{{"spec": {{"stageMinScale": -1}}}}'   # refused by the CRD
  kubectl get spa --watch

Everything is in memory and gone when it ends. Neither rights nor the CEL rules of CRDs are checked."""


@click.command(cls=Command, epilog=f"example:\n  {_PROGRAM} --dir ./sandbox-dir --port 6443\n")
@click.option(
    "--dir", "directory", type=path, metavar="DIR", help="Folder for kubeconfig and certificates, made if absent."
)
@click.option("--port", type=any_port, default="0", show_default="a free one", metavar="P", help="Port on loopback.")
def command(directory: Path | None, port: int) -> int:
    """Run a local API server to try things on."""
    return _serve(directory, port)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    return run_click(command, _PROGRAM, sys.argv[1:] if argv is None else argv)


def _serve(directory: Path | None, port: int) -> int:
    """Serve until interrupted. Raises CommandError where it cannot begin."""
    stop = threading.Event()
    end_on_signal(stop.set)
    with _folder(directory) as folder:
        sandbox = Sandbox(folder, port)
        try:
            sandbox.start()
        except OSError as problem:
            what = problem.filename or f"cannot serve on port {port}"
            raise CommandError(f"{what}: {problem.strerror or problem}", MISSING) from problem
        try:
            print(_TRY.format(url=sandbox.url, kubeconfig=sandbox.kubeconfig.resolve()), flush=True)
            wait_for(stop)
        finally:
            sandbox.stop()
    print("stopped", file=sys.stderr)
    return 0


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The folder to use; one that was made for this, and is empty afterwards, is removed."""
    if named is None:
        with tempfile.TemporaryDirectory(prefix="stagegate-sandbox-") as temporary:
            yield Path(temporary)
        return
    existed = named.exists()
    try:
        yield named
    finally:
        if not existed and named.is_dir() and not any(named.iterdir()):
            named.rmdir()


if __name__ == "__main__":
    sys.exit(main())
