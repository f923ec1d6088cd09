"""Removal: objects are deleted, and waited for until none of them is left."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from webhook.cli.errors import TIMED_OUT, CommandError
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.resource import PODS, Resource

WITHIN_SECONDS: Final = 120.0
"""A cluster ends a namespace or a CRD only after everything in it."""
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Key:
    """Where an object is; ``namespace`` is None for the kinds without one."""

    resource: Resource
    namespace: str | None
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.resource.full_name} {where}"


def remove(client: Client, keys: Iterable[Key], within: float = WITHIN_SECONDS) -> None:
    """Delete objects in this order, pods at once, and wait until they are gone; an absent one is fine.

    An object that somebody creates under the same name afterwards stays. A request that fails is repeated. Raises
    CommandError with what is left after ``within`` seconds.
    """
    deadline = time.monotonic() + within
    left = dict.fromkeys(keys, "")
    uids: dict[Key, str] = {}
    while left := _step(client, left, uids):
        if time.monotonic() > deadline:
            key, reason = next(iter(left.items()))
            others = f" and {len(left) - 1} more are" if len(left) > 1 else " is"
            raise CommandError(f"{key}{others} still there after {within:g} s: {reason}", TIMED_OUT)
        time.sleep(_POLL_SECONDS)


def _step(client: Client, keys: Iterable[Key], uids: dict[Key, str]) -> dict[Key, str]:
    """Delete what is not in ``uids`` yet; the objects that are not gone, each with the reason."""
    left = {}
    for key in keys:
        try:
            uid = client.get(key.resource, key.namespace, key.name)["metadata"]["uid"]
            if key not in uids:
                grace = 0 if key.resource is PODS else None
                client.delete(key.resource, key.namespace, key.name, uid=uid, grace_period_seconds=grace)
                uids[key] = uid
            if uids[key] == uid:
                left[key] = "it is being deleted, and its finalizers have not finished"
        except NotFound:
            continue
        except ApiError as problem:
            left[key] = str(problem)
    return left
