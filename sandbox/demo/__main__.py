"""``python -m sandbox.demo``: watch a whole rollout on this machine, without a cluster."""

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import click

from sandbox.demo import control_plane
from sandbox.demo.applier import applier_for
from sandbox.demo.control_plane import ControlPlane
from sandbox.demo.manifest import SAMPLES
from sandbox.demo.process import ProcessFailed
from sandbox.demo.progress import Screen
from sandbox.demo.stack import Stack
from sandbox.demo.story import NAMESPACE, PACE, SCALE, SECONDS_PER_TICK, Story, StoryFailed
from sandbox.interruption import run_interruptible
from webhook.cli.arguments import filled, path
from webhook.cli.command import Command, Options
from webhook.cli.errors import DONE, USAGE, CommandError
from webhook.cli.program import run_click
from webhook.cli.streams import complain
from webhook.cluster.errors import ApiError

PROGRAM: Final = "python -m sandbox.demo"
EXAMPLES: Final = """\
examples:
  python -m sandbox.demo
      API server, webhook, loop and a simulated Knative on this machine; both strategies, one after the other
  python -m sandbox.demo --keep
      the same, and it stays up afterwards for you to try things
  python -m sandbox.demo --control-plane real
      on a kube-apiserver and etcd of its own
  python -m sandbox.demo --kubeconfig ./kubeconfig --context kind-kind
      on that cluster, whose API server must reach this machine at 127.0.0.1; everything is removed again

exit codes: 0 both rollouts went as predicted, 1 one did not, 2 wrong usage, 3 something this needs is not there
"""

_THINGS_TO_TRY: Final = """
It stays up until Ctrl-C. In another terminal:

  export KUBECONFIG={kubeconfig}
  kubectl get kservice,rolloutorchestrators,stagepodautoscalers
  kubectl events
  kubectl apply -f {samples}/stagepodautoscaler-bad.yaml
  kubectl apply -f {samples}/service.yaml
      back to the first image, in stages; kubectl get rolloutorchestrators --watch shows them
  curl {pages}/metrics
"""


@click.command(cls=Command, epilog=EXAMPLES)
@click.option("--keep", is_flag=True, help="Stay up afterwards, until Ctrl-C.")
@click.option(
    "--control-plane",
    type=click.Choice(["sandbox", "real"]),
    help="The API server to run on; default: sandbox. Not with --kubeconfig.",
)
@click.option("--kubeconfig", type=path, metavar="F", help="Run on a cluster of this file; needs --context.")
@click.option("--context", type=filled, metavar="C", help="The cluster's context; the current one is never assumed.")
def command(**given: Any) -> int:
    """Watch a whole rollout on this machine, without a cluster."""
    return run(Options(**given))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    return run_click(command, PROGRAM, sys.argv[1:] if argv is None else argv)


def run(arguments: Options) -> int:
    """Show both rollouts; everything it started has ended when this returns. Raises CommandError."""
    if bool(arguments.kubeconfig) != bool(arguments.context):
        raise CommandError("--kubeconfig F and --context C belong together: no cluster is ever guessed", USAGE)
    if arguments.kubeconfig and arguments.control_plane:
        raise CommandError("--control-plane or --kubeconfig, not both", USAGE)

    code = run_interruptible(PROGRAM, lambda: _show(arguments))
    if arguments.keep and code == DONE:
        complain(f"{PROGRAM}: stopped; everything that it started has ended")
    return code


def _show(arguments: Options) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="stagegate-demo-") as folder,
        _control_plane(arguments, Path(folder)) as plane,
        Stack(plane, Path(folder), remove=bool(arguments.kubeconfig)) as stack,
    ):
        try:
            return _run_story(stack, keep=arguments.keep, clear=bool(arguments.kubeconfig))
        except (StoryFailed, ProcessFailed, ApiError) as problem:
            raise CommandError(str(problem)) from problem


def _run_story(stack: Stack, *, keep: bool, clear: bool) -> int:
    """``clear``: the control plane lives on, so the service must not."""
    began = time.monotonic()
    stack.install()
    applier = applier_for(stack.plane.kubeconfig, stack.directory, stack.client)
    story = Story(stack, applier, Screen(), _say)
    if clear:
        stack.at_end(story.end)
    stack.start_webhook()
    _say(f"api server  {stack.plane.url}")
    _say(f"webhook     {stack.webhook_url}  ready after {time.monotonic() - began:.1f} s")
    stack.start_autoscaler(PACE, SECONDS_PER_TICK, NAMESPACE)
    stack.start_knative(NAMESPACE)
    summaries = _chapters(story, stack)
    _say("")
    for summary in summaries:
        _say(str(summary))
    if keep:
        _stay(stack)
    return 0


def _chapters(story: Story, stack: Stack) -> list[object]:
    _say("\n1. A Knative Service is edited. Strategy availability: up before down.")
    _say("  (Knative and its pods are simulated here; make demo-knative runs its own programs.)")
    stack.start_loop()
    edited = story.edit_service()
    _say(f"  Knative alone would run {2 * SCALE} replicas at the peak.")
    _say("\n2. A rollout is written by hand. The loop is stopped for a moment, so nothing moves.")
    stack.stop_loop()
    story.begin()
    story.apply_rollout("rollout-resourceutil")
    _say("\n3. What the webhook fills in.")
    story.filled_in()
    _say("\n4. What it refuses.")
    story.refused()
    _say("\n5. The loop runs again. Strategy resourceutil: down before up.")
    return [edited, story.follow("resourceutil", stack.start_loop)]


def _stay(stack: Stack) -> None:
    _say(
        _THINGS_TO_TRY.format(
            kubeconfig=stack.plane.kubeconfig,
            samples=SAMPLES,
            pages=stack.pages_url,
        )
    )
    try:
        while not (failure := stack.failure()):
            time.sleep(0.5)
    except KeyboardInterrupt:
        # Ctrl-C is how this ends. With another exit code than 0, make would report an error.
        return
    raise CommandError(failure)


def _control_plane(arguments: Options, folder: Path) -> AbstractContextManager[ControlPlane]:
    if arguments.kubeconfig:
        return control_plane.named(folder, arguments.kubeconfig, arguments.context)
    if arguments.control_plane == control_plane.REAL:
        return control_plane.real(folder)
    return control_plane.sandbox(folder)


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
