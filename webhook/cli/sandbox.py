"""``stagegate sandbox``: a local API server to try things on."""

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path

from webhook.cli.errors import FAILED, MISSING, CommandError

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
        "--dir", type=Path, metavar="DIR", help="folder for kubeconfig and certificates, made if absent"
    )
    parser.add_argument("--port", type=int, default=0, metavar="P", help="port on loopback (default: a free one)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted. Raises CommandError where it cannot begin."""
    try:
        from webhook.sandbox import Sandbox
    except ModuleNotFoundError as problem:
        raise CommandError(f"{problem}; install it with: pip install 'stagegate[sandbox]'", MISSING) from None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    existed = arguments.dir is not None and arguments.dir.exists()
    with tempfile.TemporaryDirectory(prefix="stagegate-sandbox-") as temporary:
        directory: Path = arguments.dir or Path(temporary)
        try:
            with Sandbox(directory, arguments.port) as sandbox:
                print(_TRY.format(url=sandbox.url, kubeconfig=sandbox.kubeconfig.resolve()), flush=True)
                while not stop.wait(3600):
                    continue
        except OSError as problem:
            raise CommandError(
                f"cannot serve on port {arguments.port}: {problem.strerror or problem}", FAILED
            ) from None
        if arguments.dir is not None and not existed and not any(directory.iterdir()):
            directory.rmdir()
    print("stopped", file=sys.stderr)
    return 0
