"""What a person may do on the control plane, beside its administrator."""

from collections.abc import Iterator
from typing import Any, Final

PEOPLE: Final = "people"
"""The group of persons who edit objects in all namespaces, and are no administrators."""

_RBAC: Final = "rbac.authorization.k8s.io"


def groups_of(user: str) -> list[str]:
    """The groups a user has by name: those of a service account's token, or those of a person."""
    match user.split(":"):
        case ["system", "serviceaccount", namespace, _]:
            return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        case ["system", *_]:
            return []
    return [PEOPLE]


def rights_of_people() -> Iterator[tuple[str, dict[str, Any]]]:
    """Paths and objects to create: a role for what people keep in namespaces, and its binding.

    Kubernetes' own role ``edit`` is empty without a controller manager.
    """
    groups = ["", "apps", "autoscaling.internal.knative.dev", "coordination.k8s.io", "serving.knative.dev"]
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "people"},
        "rules": [{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}],
    }
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "people"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "people"},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": PEOPLE}],
    }
    yield f"/apis/{_RBAC}/v1/clusterroles", role
    yield f"/apis/{_RBAC}/v1/clusterrolebindings", binding
