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
    """Paths and objects to create: Kubernetes' own role edit, the objects of Knative, and namespaces."""
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "people"},
        "rules": [
            {
                "apiGroups": ["serving.knative.dev", "autoscaling.internal.knative.dev"],
                "resources": ["*"],
                "verbs": ["*"],
            },
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["*"]},
        ],
    }
    yield f"/apis/{_RBAC}/v1/clusterroles", role
    for name in ("edit", "people"):
        binding = {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"people-{name}"},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": PEOPLE}],
        }
        yield f"/apis/{_RBAC}/v1/clusterrolebindings", binding
