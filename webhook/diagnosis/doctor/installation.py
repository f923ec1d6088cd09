"""Installation: what the doctor reads of a cluster, as one value. A part that could not be read says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from webhook.api.kinds import LEASE_NAMESPACE
from webhook.api.wire import Wire
from webhook.diagnosis.workload_options import option_of

WEBHOOK: Final = "stagegate-webhook"
LOOP: Final = "stagegate-loop"
"""Names of the Deployments, and of their pods' label ``app.kubernetes.io/name``."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a part is missing: ``forbidden: ...``, or that the cluster does not serve it."""

    why: str


@dataclass(frozen=True, slots=True)
class Certificates:
    """``problems`` are reasons why clients cannot verify a server. ``ends`` maps a certificate to when it expires.

    ``is_stored`` is False if the Secret does not exist. ``unread`` says why the Secret could not be read; then
    only what is trusted and served was seen.
    """

    is_stored: bool = True
    problems: tuple[str, ...] = ()
    ends: tuple[tuple[str, datetime], ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One write of a dry run: what the server would store, or its refusal."""

    stored: Wire | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """Three writes in a dry run, in this namespace: a bad SPA, a good one, and the good one as it came back."""

    namespace: str
    bad: Attempt
    good: Attempt
    again: Attempt


@dataclass(frozen=True, slots=True)
class Right:
    """Something that the caller may or may not do, and which commands need it."""

    verb: str
    group: str
    resource: str
    needed_by: str

    @property
    def label(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


@dataclass(frozen=True, slots=True)
class PodAnswer:
    """How a pod answered: ``version`` of its process, or why it could not be reached."""

    version: str = ""
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """``namespace`` is where Stagegate is installed, ``secret`` where its certificates are, as ``NAMESPACE/NAME``.

    ``answers`` are by the names of pods. ``settings`` has the ConfigMap of the settings of rollouts, if it exists.
    """

    now: datetime
    own_version: str
    namespace: str = LEASE_NAMESPACE
    secret: str
    expiring: timedelta = timedelta(days=21)
    server_version: Mapping[str, Any]
    definitions: Sequence[Wire] | Unread
    registrations: Sequence[Wire] | Unread
    policies: Sequence[Wire] | Unread
    bindings: Sequence[Wire] | Unread
    deployments: Sequence[Wire] | Unread
    pods: Sequence[Wire] | Unread
    answers: Mapping[str, PodAnswer]
    certificates: Certificates | Unread
    leases: Sequence[Wire] | Unread
    knative_leases: Sequence[Wire] | Unread
    settings: Sequence[Wire] | Unread
    rights: Mapping[Right, bool] | Unread
    namespaces: Sequence[Wire] | Unread
    rollouts: Sequence[Wire] | Unread
    spas: Sequence[Wire] | Unread
    trial: Trial | Unread

    def option(self, deployment: str, name: str) -> str:
        """The value of an option in the arguments of a Deployment; empty if it is not stated or could not be read."""
        if isinstance(self.deployments, Unread):
            return ""
        return next((option_of(one, name) for one in self.deployments if name_of(one) == deployment), "")


def name_of(wire: Mapping[str, Any]) -> str:
    return str(wire["metadata"]["name"])


def place_of(wire: Mapping[str, Any]) -> str:
    """``namespace/name``."""
    return f"{wire['metadata'].get('namespace', '')}/{name_of(wire)}"


def is_one_of(pod: Mapping[str, Any], name: str) -> bool:
    """True for a pod of this Deployment."""
    return bool((pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name") == name)


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def port_of(pod: Mapping[str, Any], name: str, default: int) -> int:
    """The port of that name of a pod's containers."""
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == name:
                return int(port["containerPort"])
    return default
