"""Administrator: somebody at a shell in the repository, with kubectl and all rights."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.session import Session

REPOSITORY: Final = Path(__file__).parents[2]

# What the server adds to every object, what kubectl and the controller of Deployments note down, and what a Service is
# allotted.
_METADATA: Final = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
_ANNOTATIONS: Final = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")
_ALLOTTED: Final = ("clusterIP", "clusterIPs", "ipFamilies")

Wire = dict[str, Any]


class Printed(NamedTuple):
    """What a command printed."""

    code: int
    out: str
    err: str


class Administrator:
    """Runs commands as the documents have them, and reads what is stored."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        folder = plane.directory / "administrator"
        folder.mkdir(exist_ok=True)
        (folder / "kubectl").unlink(missing_ok=True)
        (folder / "kubectl").symlink_to(plane.binaries.kubectl)
        self._programs = folder
        self._environment = os.environ | {
            **{f"HELM_{kind}_HOME": str(folder / f"helm-{kind.lower()}") for kind in ("CACHE", "CONFIG", "DATA")},
            "PATH": f"{folder}:{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}",
            "KUBECONFIG": str(plane.kubeconfig),
            "KUBECACHEDIR": str(folder / "cache"),
        }

    def has(self, program: Path) -> None:
        """Have this program by its name."""
        link = self._programs / program.name
        link.unlink(missing_ok=True)
        link.symlink_to(program)

    @property
    def api(self) -> Session:
        """A connection of their own; a new one, because the server closes idle ones."""
        self.plane.admin.close()
        return self.plane.admin

    def types(self, command: str, stdin: str | None = None) -> Printed:
        """Run a line of shell."""
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            cwd=REPOSITORY,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return Printed(done.returncode, done.stdout, done.stderr)

    def does(self, command: str, stdin: str | None = None) -> str:
        """Run a line of shell that must go well; what it printed."""
        printed = self.types(command, stdin)
        assert printed.code == 0, f"{command}\n{printed.out}\n{printed.err}"
        return printed.out

    def applies(self, objects: Iterable[Wire], options: str = "") -> str:
        return self.does(f"kubectl apply {options} -f -", _documents(objects))

    def applies_definitions(self, files: Sequence[Path]) -> None:
        """Put others' definitions there and wait until they are served; again changes nothing."""
        options = " ".join(f"-f {path}" for path in files)
        # They are too long for the annotation that client-side apply writes.
        self.does(f"kubectl apply --server-side {options}")
        self.does(f"kubectl wait --for=condition=Established --timeout=60s {options}")

    def stored(self, objects: Iterable[Wire]) -> list[Wire]:
        """These objects as they are stored now."""
        wanted = [{key: each[key] for key in ("apiVersion", "kind", "metadata")} for each in objects]
        out = self.does("kubectl get -f - -o json --show-managed-fields", _documents(wanted))
        found: list[Wire] = json.loads(out)["items"]
        return found


def _documents(objects: Iterable[Wire]) -> str:
    """Objects for kubectl, which 1.30, too, can read as one document of JSON.

    PyYAML leaves names such as 25921e5 without quotes, and kubectl reads a number.
    """
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def kustomized(administrator: Administrator, folder: str) -> list[Wire]:
    return list(yaml.safe_load_all(administrator.does(f"kubectl kustomize {folder}")))


def differences(rendered: Iterable[Wire], stored: Iterable[Wire]) -> list[str]:
    """Where what is stored differs from what was rendered, by path, but for status and the server's metadata.

    A null is as good as nothing: older servers store one for the time at which a pod template was created.
    """
    by_name = {_name(each): each for each in stored}
    found: list[str] = []
    for each in rendered:
        _compare(_stripped(each), _stripped(by_name[_name(each)]), "/".join(_name(each)), found)
    return found


def _name(wire: Wire) -> tuple[str, str]:
    return wire["kind"], wire["metadata"]["name"]


def _stripped(wire: Wire) -> Wire:
    metadata = {key: value for key, value in wire["metadata"].items() if key not in _METADATA}
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key not in _ANNOTATIONS}
    kept = {key: value for key, value in wire.items() if key != "status"}
    kept["metadata"] = metadata | ({"annotations": annotations} if annotations else {})
    if wire["kind"] == "Service" and wire["spec"].get("clusterIP") != "None":
        kept["spec"] = {key: value for key, value in wire["spec"].items() if key not in _ALLOTTED}
    if wire["kind"] == "Service":
        kept["spec"] = {key: value for key, value in kept["spec"].items() if key != "ipFamilies"}
    return kept


def _compare(rendered: Any, stored: Any, path: str, found: list[str]) -> None:
    if isinstance(rendered, dict) and isinstance(stored, dict):
        for key in sorted(rendered.keys() | stored.keys()):
            if key in rendered and key in stored:
                _compare(rendered[key], stored[key], f"{path}/{key}", found)
            elif rendered.get(key) is not None or stored.get(key) is not None:
                found.append(f"{path}/{key}")
    elif isinstance(rendered, list) and isinstance(stored, list) and len(rendered) == len(stored):
        for index, (one, other) in enumerate(zip(rendered, stored, strict=True)):
            _compare(one, other, f"{path}/{index}", found)
    elif rendered != stored:
        found.append(path)
