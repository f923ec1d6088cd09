"""What ``stagegate doctor`` reads of a cluster; a part that cannot be read says why and does not stop the rest."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib import metadata
from typing import Any, Final, TypeVar

from webhook.api.kinds import LEASE_NAME, SETTINGS_NAME, SETTINGS_NAMESPACE
from webhook.api.wire import Wire
from webhook.cli.arguments import ObjectName
from webhook.cluster.client import Client, pages
from webhook.cluster.errors import ApiError, Forbidden, NotFound
from webhook.cluster.resource import (
    ACCESS_REVIEWS,
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    LEASES,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    PODS,
    POLICIES,
    POLICY_BINDINGS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
    VALIDATING_WEBHOOKS,
    Resource,
)
from webhook.diagnosis.doctor import definitions, policies, registration
from webhook.diagnosis.doctor.end_to_end import bad_spa, good_spa
from webhook.diagnosis.doctor.installation import (
    LOOP,
    WEBHOOK,
    Attempt,
    Certificates,
    Installation,
    PodAnswer,
    Right,
    Trial,
    Unread,
    name_of,
    port_of,
)
from webhook.diagnosis.doctor.rights import RIGHTS
from webhook.diagnosis.installed_in import installed_in

_T = TypeVar("_T")

_PAGES_PORT: Final = 8080
_LONGEST_PAGE: Final = 4096
"""Bytes that are read of a page, whoever answers at that address."""
_SERVER_SET: Final = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink")
_AT_ONCE: Final = 8


def read_installation(
    client: Client,
    rehearsal: Client,
    *,
    namespace: str,
    trial_namespace: str,
    secret: ObjectName | None,
    now: datetime,
    expiring: timedelta,
    name: str,
) -> Installation:
    """Read everything once. ``rehearsal`` writes in dry runs only; ``name`` is that of the SPA it tries.

    An empty ``namespace`` is the one where Stagegate is registered; without ``secret``, its certificates are there.
    Raises ApiError where the API server does not answer, or does not accept the credentials.
    """
    from webhook.cli.doctor_certificates import read_certificates

    server_version = client.get_path("/version")
    namespace = installed_in(client, namespace)
    secret = secret or ObjectName(namespace, "stagegate-certs")
    pods = _read(lambda: _listed(client, PODS, namespace, "app.kubernetes.io/part-of=stagegate"))
    registrations = _read(lambda: _named_hooks(client))
    certificates: Certificates | Unread = _read(lambda: read_certificates(client, secret, registrations, pods, now))
    return Installation(
        now=now,
        own_version=metadata.version("stagegate"),
        namespace=namespace,
        secret=f"{secret.namespace}/{secret.name}",
        expiring=expiring,
        server_version=server_version,
        definitions=_read(lambda: _named(client, CRDS, None, definitions.NAMES)),
        registrations=registrations,
        policies=_read(lambda: _named(client, POLICIES, None, policies.NAMES + policies.STOCK_KNATIVE)),
        bindings=_read(lambda: _listed(client, POLICY_BINDINGS)),
        deployments=_read(lambda: _named(client, DEPLOYMENTS, namespace, (WEBHOOK, LOOP))),
        pods=pods,
        answers={} if isinstance(pods, Unread) else _answers(client, pods),
        certificates=certificates,
        leases=_read(lambda: _leases(client, namespace)),
        knative_leases=_read(lambda: _listed(client, LEASES, SETTINGS_NAMESPACE)),
        settings=_read(lambda: _named(client, CONFIG_MAPS, SETTINGS_NAMESPACE, (SETTINGS_NAME,))),
        rights=_read(lambda: _rights(client, trial_namespace)),
        namespaces=_read(lambda: _listed(client, NAMESPACES)),
        rollouts=_read(lambda: _listed(client, ROLLOUT_ORCHESTRATORS)),
        spas=_read(lambda: _listed(client, STAGE_POD_AUTOSCALERS)),
        trial=_read(lambda: _trial(rehearsal, trial_namespace, name)),
    )


def _read(part: Callable[[], _T]) -> _T | Unread:
    try:
        return part()
    except ApiError as problem:
        if isinstance(problem, Forbidden):
            return Unread(f"forbidden: {problem}")
        if isinstance(problem, NotFound) and problem.reason != "NotFound":
            return Unread(f"this cluster does not serve {problem.call.resource}")
        return Unread(str(problem))


def _listed(client: Client, resource: Resource, namespace: str | None = None, selector: str = "") -> list[Wire]:
    return [
        one for page in pages(client, resource, namespace, label_selector=selector) for one in page.get("items") or ()
    ]


def _named(client: Client, resource: Resource, namespace: str | None, names: Iterable[str]) -> list[Wire]:
    """Those that exist. Raises NotFound where the server does not serve the resource at all."""
    found = []
    for name in names:
        try:
            found.append(client.get(resource, namespace, name))
        except NotFound as problem:
            # A server that does not serve the resource responds with 404, but without a Status.
            if problem.reason != "NotFound":
                raise
    return found


def _named_hooks(client: Client) -> list[Wire]:
    mutating = _named(client, MUTATING_WEBHOOKS, None, (registration.MUTATING, registration.KNATIVE))
    return [*mutating, *_named(client, VALIDATING_WEBHOOKS, None, (registration.VALIDATING,))]


def _leases(client: Client, namespace: str) -> list[Wire]:
    """The Leases of loops: in the whole cluster, else in this namespace."""
    try:
        found = client.list(LEASES, field_selector=f"metadata.name={LEASE_NAME}").get("items") or []
        return [lease for lease in found if name_of(lease) == LEASE_NAME]
    except Forbidden:
        return _named(client, LEASES, namespace, (LEASE_NAME,))


def _rights(client: Client, namespace: str) -> dict[Right, bool]:
    found = {}
    for right in RIGHTS:
        asked = {"namespace": namespace, "verb": right.verb, "group": right.group, "resource": right.resource}
        answer = client.create(ACCESS_REVIEWS, None, {"spec": {"resourceAttributes": asked}})
        found[right] = bool((answer.get("status") or {}).get("allowed"))
    return found


def _answers(client: Client, pods: Sequence[Wire]) -> dict[str, PodAnswer]:
    """How each pod answers: through the API server, else from here."""
    living = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    with ThreadPoolExecutor(_AT_ONCE, "doctor") as threads:
        return dict(zip(map(name_of, living), threads.map(lambda pod: _answer(client, pod), living), strict=True))


def _answer(client: Client, pod: Wire) -> PodAnswer:
    port = port_of(pod, "http", _PAGES_PORT)
    namespace, name = pod["metadata"]["namespace"], name_of(pod)
    try:
        answer: Mapping[str, Any] = client.get_path(f"{PODS.path(namespace)}/http:{name}:{port}/proxy/version")
    except ApiError as problem:
        failure = problem.message
        answer = _asked_directly((pod.get("status") or {}).get("podIP") or "", port)
    else:
        failure = ""
    version = str(answer.get("version") or "")
    return PodAnswer(version) if version or answer else PodAnswer(failure=failure or "no answer")


def _asked_directly(address: str, port: int) -> Mapping[str, Any]:
    """The page ``/version`` of an address; empty if there is none."""
    import urllib3

    if not address:
        return {}
    where = f"[{address}]" if ":" in address else address
    try:
        response = urllib3.request(
            "GET", f"http://{where}:{port}/version", timeout=2.0, retries=False, preload_content=False
        )
        found = json.loads(response.read(_LONGEST_PAGE)) if response.status == 200 else {}
    except (urllib3.exceptions.HTTPError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _trial(client: Client, namespace: str, name: str) -> Trial:
    """Three writes that the server checks and does not store."""
    bad = _attempt(client, namespace, bad_spa(name))
    good = _attempt(client, namespace, good_spa(name))
    again = Attempt() if good.stored is None else _attempt(client, namespace, _as_written(good.stored))
    return Trial(namespace, bad, good, again)


def _attempt(client: Client, namespace: str, body: Wire) -> Attempt:
    whole = {"apiVersion": STAGE_POD_AUTOSCALERS.api_version, "kind": STAGE_POD_AUTOSCALERS.kind, **body}
    try:
        return Attempt(client.create(STAGE_POD_AUTOSCALERS, namespace, whole))
    except ApiError as problem:
        if not problem.is_refusal:
            raise
        return Attempt(refused=problem.message)


def _as_written(stored: Wire) -> Wire:
    """What a person would write who copies the stored object."""
    kept = {key: value for key, value in stored["metadata"].items() if key not in _SERVER_SET}
    return {"metadata": kept, "spec": stored.get("spec") or {}}
