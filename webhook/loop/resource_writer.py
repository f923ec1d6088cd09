"""Writes to ROs and SPAs, each on condition of the version it was decided on, and visible to readers at once."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Conflict, NotFound, OutcomeUnknown
from webhook.cluster.indexer import Indexer, key_of, uid_of, version_of
from webhook.cluster.resource import Resource
from webhook.loop.caches import trimmed

_LOG: Final = logging.getLogger(__name__)


class ResourceWriter:
    """Writes one resource, and puts what was stored into the indexer of its readers. Every method raises ApiError.

    After a conflict, and when it is unknown whether a write was stored, the object is read again from the API, so that
    the next decision is made on what is there.
    """

    def __init__(self, client: Client, resource: Resource, store: Indexer) -> None:
        self._client = client
        self._resource = resource
        self._store = store

    def create(self, one: Mapping[str, Any]) -> Wire:
        body = {"apiVersion": self._resource.api_version, "kind": self._resource.kind, **one}
        namespace, name = key_of(one)
        try:
            return self._stored(self._client.create(self._resource, namespace, body))
        except (Conflict, OutcomeUnknown):
            self._read_again(namespace, name)
            raise

    def patch(self, one: Mapping[str, Any], patch: Mapping[str, Any], subresource: str = "") -> Wire:
        """Merge a patch into the object, if it is still at the version of ``one``."""
        metadata = {**(patch.get("metadata") or {}), "resourceVersion": version_of(one)}
        namespace, name = key_of(one)
        try:
            answer = self._client.patch(self._resource, namespace, name, {**patch, "metadata": metadata}, subresource)
        except (Conflict, NotFound, OutcomeUnknown):
            self._read_again(namespace, name)
            raise
        return self._stored(answer)

    def apply_spec(self, one: Mapping[str, Any], spec: Mapping[str, Any]) -> Wire:
        """Server-side apply of these members of the spec, and no other field, if it is still at that version."""
        namespace, name = key_of(one)
        metadata = {"name": name, "namespace": namespace, "uid": uid_of(one), "resourceVersion": version_of(one)}
        try:
            answer = self._client.apply(self._resource, namespace, name, {"metadata": metadata, "spec": dict(spec)})
        except (Conflict, NotFound, OutcomeUnknown):
            self._read_again(namespace, name)
            raise
        return self._stored(answer)

    def delete(self, one: Wire) -> None:
        """Delete that very version of the object; it is no error if it is gone already."""
        namespace, name = key_of(one)
        try:
            answer = self._client.delete(
                self._resource, namespace, name, uid=uid_of(one), resource_version=version_of(one)
            )
        except NotFound:
            self._store.assume_deleted(one)
            return
        except (Conflict, OutcomeUnknown):
            self._read_again(namespace, name)
            raise
        if answer.get("kind") == "Status" or not (answer.get("metadata") or {}).get("finalizers"):
            self._store.assume_deleted(one)
        else:
            self._stored(answer)

    def _stored(self, answer: Wire) -> Wire:
        seen = trimmed(self._resource, answer)
        self._store.assume(seen)
        return seen

    def _read_again(self, namespace: str, name: str) -> None:
        known = self._store.get(namespace, name)
        try:
            self._stored(self._client.get(self._resource, namespace, name))
        except NotFound:
            if known is not None:
                self._store.assume_deleted(known)
        except ApiError as problem:
            _LOG.info("%s %s/%s is not read again: %s", self._resource.kind, namespace, name, problem)
