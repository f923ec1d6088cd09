"""``stagegate sandbox``: a local API server to try things on."""

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webhook.cli.arguments import any_port, path
from webhook.cli.errors import CommandError
from webhook.cli.extras import sandbox_extra
from webhook.signals import end_on_signal

_TRY = """\
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
  kubectl patch spa hello-00001 --type merge -p '{{"spec": {{"stageMinScale": 5}}}}'   # refused by the CRD's rule
  kubectl get spa --watch --as system:serviceaccount:default:someone

Everything is in memory and gone when it ends. Rights are not checked."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.epilog = "example:\n  stagegate sandbox --dir ./sandbox --port 6443"
    parser.add_argument(
        "--dir", type=path, metavar="DIR", help="folder for kubeconfig and certificates, made if absent"
    )
    parser.add_argument("--port", type=any_port, default=0, metavar="P", help="port on loopback (default: a free one)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted. Raises CommandError where it cannot begin."""
    with sandbox_extra():
        from webhook.sandbox import Sandbox
    stop = threading.Event()
    end_on_signal(stop.set)
    with _folder(arguments.dir) as folder:
        sandbox = Sandbox(folder, arguments.port)
        try:
            sandbox.start()
        except OSError as problem:
            what = problem.filename or f"cannot serve on port {arguments.port}"
            raise CommandError(f"{what}: {problem.strerror or problem}") from problem
        try:
            print(_TRY.format(url=sandbox.url, kubeconfig=sandbox.kubeconfig.resolve()), flush=True)
            while not stop.wait(3600):
                continue
        finally:
            sandbox.stop()
    print("stopped", file=sys.stderr)
    return 0


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The folder to use; one that was made for this, and is empty afterwards, is taken away."""
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
