"""The store that is a Secret: four members, replaced together on condition of the version that was read."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from certs.contents import NAMES, Contents
from certs.errors import StoreConflict, StoreError
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Conflict, NotFound
from webhook.cluster.resource import SECRETS


class SecretStore:
    """Keeps the contents in a Secret of type Opaque, which the first write creates.

    The version is the Secret's resource version, empty while there is none. Of several first writers the API server
    lets one win; the others read what it stored. Members of other names are left alone.
    """

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    @property
    def place(self) -> str:
        return f"Secret {self._namespace}/{self._name}"

    def read(self) -> tuple[Contents, str]:
        """What is kept, and its version; a missing Secret or member is empty. Raises StoreError."""
        try:
            secret = self._client.get(SECRETS, self._namespace, self._name)
        except NotFound:
            return Contents(), ""
        except ApiError as problem:
            raise StoreError(f"cannot read {self.place}: {problem}") from problem
        return contents_of(secret), str(secret["metadata"]["resourceVersion"])

    def write(self, contents: Contents, version: str) -> None:
        """Replace that version; raises StoreConflict when another was stored since, StoreError when it cannot."""
        data = {name: b64encode(value).decode() for name, value in contents.files().items()}
        try:
            if version:
                patch: Wire = {"metadata": {"resourceVersion": version}, "data": data}
                self._client.patch(SECRETS, self._namespace, self._name, patch)
            else:
                self._client.create(SECRETS, self._namespace, self._new(data))
        except Conflict as problem:
            raise StoreConflict(f"{self.place} was written by somebody else in the meantime") from problem
        except ApiError as problem:
            if version and isinstance(problem, NotFound):
                raise StoreConflict(f"{self.place} was deleted in the meantime") from problem
            raise StoreError(f"cannot write {self.place}: {problem}") from problem

    def _new(self, data: dict[str, str]) -> Wire:
        labels = {"app.kubernetes.io/part-of": "stagegate"}
        metadata = {"name": self._name, "namespace": self._namespace, "labels": labels}
        return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}


def contents_of(secret: Mapping[str, Any]) -> Contents:
    """What a Secret in wire form holds; what is absent or no base64 is empty."""
    data = secret.get("data")
    return Contents(*(decoded(data.get(name) if isinstance(data, dict) else None) for name in NAMES))


def decoded(value: Any) -> bytes:
    """The bytes of a member of a Secret; empty for what is absent or no base64."""
    try:
        return b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error:
        return b""
