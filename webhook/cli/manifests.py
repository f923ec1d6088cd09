"""``stagegate manifests``: print what to apply to a cluster."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from webhook.api.names import is_label
from webhook.api.wire import Wire
from webhook.cli.errors import USAGE, CommandError

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


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options and the examples."""
    parser.epilog = EXAMPLES
    parser.add_argument("--image", metavar="I", help="image of both Deployments, with tag or digest")
    parser.add_argument("--namespace", default=NAMESPACE, metavar="N", help="namespace to install into (%(default)s)")
    parser.add_argument(
        "--create-namespace",
        action="store_true",
        help=f"create and label the namespace; default: only {NAMESPACE}, any other must exist and is not changed",
    )
    parser.add_argument(
        "--overlay",
        action="append",
        default=[],
        choices=overlays(),
        metavar="O",
        help=f"one of {', '.join(overlays())}; repeatable",
    )
    parser.add_argument(
        "--enforce", choices=("deny", "warn"), default="deny", help="warn stands for --overlay enforce-warn"
    )
    parser.add_argument("--forbid-override", action="store_true", help="stands for --overlay forbid-override")
    parser.add_argument(
        "--controller",
        action="append",
        default=[],
        metavar="NAME",
        help="a user whose writes are never denied; repeatable; replaces Knative's account",
    )


def overlays() -> list[str]:
    """Names of the overlays, each with a component of the same name."""
    return sorted(path.name for path in (MANIFESTS / "overlays").iterdir() if path.is_dir())


def run(arguments: argparse.Namespace) -> int:
    """Print one YAML document for each object."""
    chosen = list(arguments.overlay)
    chosen += ["enforce-warn"] if arguments.enforce == "warn" else []
    chosen += ["forbid-override"] if arguments.forbid_override else []
    chosen += ["existing-namespace"] if arguments.namespace != NAMESPACE and not arguments.create_namespace else []
    if arguments.create_namespace and "existing-namespace" in chosen:
        raise CommandError(
            "--create-namespace: the overlay existing-namespace creates no namespace; leave out one of the two", USAGE
        )
    objects = rendered(chosen, arguments.image, arguments.namespace, arguments.controller)

    import yaml

    yaml.dump_all(objects, sys.stdout, Dumper=_dumper(), sort_keys=False, explicit_start=True, width=2**16)
    return 0


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


def _dumper() -> Any:
    """A dumper that writes multi-line texts as blocks and uses no anchors."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return Dumper
