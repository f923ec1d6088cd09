"""``stagegate manifests``: print what to apply to a cluster."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from webhook.api.names import is_label
from webhook.api.wire import Wire
from webhook.cli.command import Command, Options
from webhook.cli.documents import json_text, yaml_text
from webhook.cli.errors import DONE, USAGE, CommandError

MANIFESTS: Final = Path(__file__).resolve().parents[2] / "manifests"
NAMESPACE: Final = "stagegate-system"
IMAGE: Final = "stagegate"

EXAMPLES: Final = """\
examples:
  stagegate manifests --image registry.example.com/stagegate:0.1.0 | kubectl apply -f -
  stagegate manifests --enforce warn | kubectl apply -f -
      recommended at first: what would be denied gets a warning
  stagegate manifests --overlay cert-manager --overlay monitoring | kubectl diff -f -
  stagegate manifests --namespace rollouts | kubectl apply --server-side -f -
      into an existing namespace, named everywhere, also in policies and selectors
  stagegate manifests --controller system:serviceaccount:ci:deployer --forbid-override | kubectl apply -f -
      for the webhook, its match conditions and the policies

kubectl kustomize manifests/ (or manifests/overlays/NAME) prints the same objects.
"""
_REMOVING: Final = ("existing-namespace", "no-force-delete", "no-stock-knative", "steps-off")
_PATH: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE: Final = re.compile(
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/)?"
    rf"{_PATH}(?:/{_PATH})*(?::\w[\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9A-Fa-f]{{32,}})?",
    re.ASCII,
)
"""A reference as container runtimes read it: host and port, path, tag, digest."""
_NAMESPACE_WORD: Final = re.compile(rf"(?<![a-z0-9-]){NAMESPACE}(?![a-z0-9-])")


def overlays() -> list[str]:
    """Names of the overlays, each with a component of the same name."""
    return sorted(path.name for path in (MANIFESTS / "overlays").iterdir() if path.is_dir())


@click.command("manifests", cls=Command, epilog=EXAMPLES)
@click.option("--image", metavar="I", help="Image of both Deployments, with tag or digest.")
@click.option("--namespace", default=NAMESPACE, metavar="N", help="Namespace to install into.")
@click.option(
    "--create-namespace",
    is_flag=True,
    help=f"Create and label the namespace; default: only {NAMESPACE}, any other must exist and is not changed.",
)
@click.option(
    "--overlay",
    multiple=True,
    type=click.Choice(overlays()),
    metavar="O",
    help=f"One of {', '.join(overlays())}; repeatable.",
)
@click.option(
    "--enforce", type=click.Choice(["deny", "warn"]), default="deny", help="warn stands for --overlay enforce-warn."
)
@click.option("--forbid-override", is_flag=True, help="Stands for --overlay forbid-override.")
@click.option(
    "--controller",
    multiple=True,
    metavar="NAME",
    help="A user whose writes are never denied; repeatable; replaces Knative's account.",
)
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", help="json: one List of all objects."
)
def command(**given: Any) -> int:
    return run(Options(**given))


def run(arguments: Options) -> int:
    """Print one YAML document for each object, or a List of all as JSON."""
    chosen = list(arguments.overlay)
    chosen += ["enforce-warn"] if arguments.enforce == "warn" else []
    chosen += ["forbid-override"] if arguments.forbid_override else []
    chosen += ["existing-namespace"] if arguments.namespace != NAMESPACE and not arguments.create_namespace else []
    if arguments.create_namespace and "existing-namespace" in chosen:
        raise CommandError(
            "--create-namespace: the overlay existing-namespace creates no namespace; leave out one of the two", USAGE
        )
    objects = rendered(chosen, arguments.image, arguments.namespace, arguments.controller)
    if arguments.output == "json":
        print(json_text({"apiVersion": "v1", "kind": "List", "items": objects}), end="")
    else:
        print(yaml_text(*objects, explicit_start=True), end="")
    return DONE


def rendered(
    chosen: list[str], image: str | None = None, namespace: str = NAMESPACE, controllers: Sequence[str] = ()
) -> list[Wire]:
    """The objects of an install with these overlays, in the order in which to apply them.

    ``controllers`` are exempt beside the loop; if there are none, those in the manifests are. Raises CommandError.
    """
    from webhook.cli.exemption import is_account, with_controllers
    from webhook.cli.kustomization import render

    if not is_label(namespace):
        raise CommandError(f"--namespace {namespace}: must be a DNS label, such as {NAMESPACE}", USAGE)
    if image is not None and _IMAGE.fullmatch(image) is None:
        raise CommandError(f"--image {image!r}: must be an image, such as registry.example.com/stagegate:0.1.0", USAGE)
    for account in controllers:
        if not is_account(account):
            example = "system:serviceaccount:knative-serving:controller"
            raise CommandError(f"--controller {account!r}: must be a user name, such as {example}", USAGE)
    # What removes objects comes last, so that the order of the options does not matter.
    ordered = sorted(dict.fromkeys(chosen), key=lambda name: name in _REMOVING)
    objects = render(MANIFESTS / "base", [MANIFESTS / "components" / name for name in ordered])
    objects = [_in_namespace(_with_image(wire, image), namespace) for wire in objects]
    return [with_controllers(wire, controllers, namespace) for wire in objects] if controllers else objects


def _with_image(wire: Wire, image: str | None) -> Wire:
    """The object with Stagegate's image replaced, if it is a Deployment."""
    if image is None or wire["kind"] != "Deployment":
        return wire
    pod = wire["spec"]["template"]["spec"]
    containers = [
        each | {"image": image} if re.split("[:@]", each["image"])[0] == IMAGE else each for each in pod["containers"]
    ]
    template = wire["spec"]["template"] | {"spec": pod | {"containers": containers}}
    return wire | {"spec": wire["spec"] | {"template": template}}


def _in_namespace(value: Any, namespace: str) -> Any:
    """The value with the namespace replaced as a word in every text: names, selectors, accounts in policies, ..."""
    if isinstance(value, str):
        return _NAMESPACE_WORD.sub(namespace, value)
    if isinstance(value, list):
        return [_in_namespace(each, namespace) for each in value]
    if isinstance(value, dict):
        return {key: _in_namespace(each, namespace) for key, each in value.items()}
    return value
