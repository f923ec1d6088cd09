"""Appliers: how a manifest gets to the API server as a person would send it, by kubectl or else by the client."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import yaml

from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import KNATIVE_SERVICES, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, Resource

_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What came back: whether it was done, and the text for the person."""

    done: bool
    text: str


class Applier(Protocol):
    """Applies manifest files; never raises for a refusal."""

    prompt: str
    """What a line about a write starts with, for people to read."""

    def apply(self, manifest: Path) -> CommandOutput: ...
    def delete(self, manifest: Path) -> CommandOutput: ...


class Kubectl:
    """The real kubectl, with a kubeconfig of its own and a cache that goes with ``directory``."""

    prompt = "$ kubectl"

    def __init__(self, program: str, kubeconfig: Path, directory: Path) -> None:
        self._command = [program, "--kubeconfig", str(kubeconfig), "--cache-dir", str(directory / "kubectl-cache")]

    def apply(self, manifest: Path) -> CommandOutput:
        return self._run("apply", "--filename", str(manifest))

    def delete(self, manifest: Path) -> CommandOutput:
        return self._run("delete", "--filename", str(manifest))

    def _run(self, *arguments: str) -> CommandOutput:
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        done = subprocess.run(
            [*self._command, *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env=environment,
            check=False,
        )
        return CommandOutput(done.returncode == 0, (done.stdout + done.stderr).strip())


class ServerSideApply:
    """The client, where there is no kubectl: server-side apply."""

    prompt = "no kubectl here, so by the client:"

    def __init__(self, client: Client) -> None:
        self._client = client

    def apply(self, manifest: Path) -> CommandOutput:
        wire = yaml.safe_load(manifest.read_text())
        resource = _resource(wire["kind"])
        metadata = wire["metadata"]
        try:
            self._client.apply(resource, metadata["namespace"], metadata["name"], wire)
        except ApiError as problem:
            return CommandOutput(False, problem.message)
        return CommandOutput(True, f"{resource.full_name}/{metadata['name']} applied")

    def delete(self, manifest: Path) -> CommandOutput:
        wire = yaml.safe_load(manifest.read_text())
        resource = _resource(wire["kind"])
        metadata = wire["metadata"]
        try:
            found = self._client.get(resource, metadata["namespace"], metadata["name"])
            self._client.delete(resource, metadata["namespace"], metadata["name"], uid=found["metadata"]["uid"])
        except ApiError as problem:
            return CommandOutput(False, problem.message)
        return CommandOutput(True, f"{resource.full_name}/{metadata['name']} deleted")


def applier_for(kubeconfig: Path, directory: Path, client: Client) -> Applier:
    """kubectl where it is installed, else the client."""
    program = shutil.which("kubectl")
    return Kubectl(program, kubeconfig, directory) if program else ServerSideApply(client)


def _resource(kind: str) -> Resource:
    return next(one for one in (KNATIVE_SERVICES, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS) if one.kind == kind)
