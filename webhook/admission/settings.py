"""The settings of admission: who the controllers are, and whether findings deny."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from webhook.api.kinds import LEASE_NAMESPACE

Enforcement = Literal["deny", "warn"]
OnError = Literal["refuse", "allow"]

ENFORCEMENT_BY_WORD: Final[Mapping[str, Enforcement]] = {
    **dict.fromkeys(("deny", "Deny", "DENY"), "deny"),
    **dict.fromkeys(("warn", "Warn", "WARN"), "warn"),
}
"""The values of a namespace's label. The namespaceSelectors of the policies can only list values, and list the same."""

KNATIVE_CONTROLLER: Final = "system:serviceaccount:knative-serving:controller"
LOOP_ACCOUNT: Final = f"system:serviceaccount:{LEASE_NAMESPACE}:stagegate-loop"
WEBHOOK_ACCOUNT: Final = f"system:serviceaccount:{LEASE_NAMESPACE}:stagegate-webhook"

DEFAULT_CONTROLLERS: Final = frozenset({KNATIVE_CONTROLLER, LOOP_ACCOUNT})
"""The account of upstream's controllers and autoscaler, and that of the companion loop."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``controllers`` are user names. ``max_cache_age`` is in seconds: an older cache gives no defaults.

    ``enforce`` applies to namespaces without a label of their own. ``on_error`` says what becomes of a write that could
    not be judged because of an exception.
    """

    enforce: Enforcement = "deny"
    allow_override: bool = True
    controllers: frozenset[str] = DEFAULT_CONTROLLERS
    max_cache_age: float = 60.0
    on_error: OnError = "refuse"
