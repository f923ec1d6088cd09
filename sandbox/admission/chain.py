"""The chain itself: what every write passes between being read and being stored."""

from collections.abc import Callable

from sandbox.admission import policies, webhooks
from sandbox.admission.attributes import CREATE, Attributes
from sandbox.admission.transport import Transport
from sandbox.failures import ApiError, forbidden, not_found
from sandbox.objects import Object, metadata
from sandbox.store import Store

_GROUP = "admissionregistration.k8s.io"
_ALWAYS = frozenset({"default", "kube-system", "kube-public"})


class Chain:
    """Admission as the store configures it at the moment of a write."""

    def __init__(self, store: Store, transport: Transport) -> None:
        self._store = store
        self._transport = transport

    def namespace(self, name: str) -> Object | None:
        """The Namespace object of that name."""
        return self._store.get(("", "namespaces"), ("", name)) if name else None

    def mutate(self, attributes: Attributes, complete: Callable[[Object], Object]) -> None:
        """Check the namespace, then let the mutating webhooks change ``attributes.object``.

        ``complete`` prunes and defaults what a webhook answered. Raises ApiError.
        """
        _lifecycle(attributes)
        hooks = webhooks.hooks_of(self._held("mutatingwebhookconfigurations"))
        for changed in webhooks.mutate(hooks, attributes, self._transport):
            attributes.object = complete(changed)

    def validate(self, attributes: Attributes) -> None:
        """Ask policies, then validating webhooks. Raises ApiError."""
        policies.judge(
            self._held("validatingadmissionpolicies"), self._held("validatingadmissionpolicybindings"), attributes
        )
        webhooks.validate(webhooks.hooks_of(self._held("validatingwebhookconfigurations")), attributes, self._transport)

    def _held(self, plural: str) -> list[Object]:
        return self._store.snapshot((_GROUP, plural))[0]


def _lifecycle(attributes: Attributes) -> None:
    """Nothing is created in a namespace that is absent or going away; the first namespaces are not deleted."""
    resource = attributes.resource
    if (resource.group, resource.plural) == ("", "namespaces"):
        if attributes.operation == "DELETE" and attributes.name in _ALWAYS:
            raise forbidden("namespaces", "", attributes.name, "this namespace may not be deleted")
        return
    if not resource.namespaced or attributes.operation != CREATE or resource.create_only:
        return
    namespace = attributes.namespace_object
    if namespace is None:
        raise not_found("namespaces", "", attributes.namespace)
    if "deletionTimestamp" in metadata(namespace):
        why = f"unable to create new content in namespace {attributes.namespace} because it is being terminated"
        problem: ApiError = forbidden(resource.plural, resource.group, attributes.name, why)
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {attributes.namespace} is being terminated",
            "field": "metadata.namespace",
        }
        problem.details = {**(problem.details or {}), "causes": [cause]}
        raise problem
