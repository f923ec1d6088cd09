"""The store in a cluster: a Secret that servers read, and one with the authority's key, which no server needs."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from certs.bundle import read_bundle, write_bundle
from certs.contents import CA_CERTIFICATES, CA_KEY, CERTIFICATE, KEY, NAMES, Contents, signing_authority
from certs.errors import AuthorityHidden, ClusterError, Conflict, Forbidden, NotFound, StoreConflict, StoreError
from certs.protocols import Cluster, Wire

AUTHORITY_SUFFIX: Final = "-authority"
"""The name of the authority's Secret is that of the other one with this suffix."""


@dataclass(frozen=True, slots=True)
class StoredSecrets:
    """Both Secrets in wire form as they were read, None for one that does not exist."""

    served: Wire | None
    authority: Wire | None

    @property
    def contents(self) -> Contents:
        """Both joined. An authority is trusted if either trusts it, so that an incomplete write harms no server.

        A former release kept the authority's key with the rest: it counts while the authority has no Secret of its own.
        """
        served = contents_of(self.served or {})
        if self.authority is None:
            return served
        own = contents_of(self.authority)
        bundle = _joined(own.ca_certificates, served.ca_certificates)
        return replace(served, ca_certificates=bundle, ca_key=own.ca_key)

    @property
    def version(self) -> str:
        """The versions of both; empty if neither exists."""
        return f"{_version_of(self.served)} {_version_of(self.authority)}".rstrip()

    @property
    def is_complete(self) -> bool:
        """True if both hold what a write of the contents would store."""
        served, own = split(self.contents)
        return _holds(self.served, served) and _holds(self.authority, own)


class SecretStore:
    """Keeps the contents in two Secrets of type Opaque, which the first write creates.

    The authority's is written first: of several writers the API server lets one win there. If a write ends between the
    two, each Secret is whole, and read together they trust every authority that was trusted. Each write names the
    version that was read. Members of other names are not changed.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._authority = name + AUTHORITY_SUFFIX

    @property
    def place(self) -> str:
        """The Secret that servers read."""
        return self._place(self._name)

    @property
    def authority_place(self) -> str:
        """The Secret that the authority's key is in."""
        return self._place(self._authority)

    def read_secrets(self) -> StoredSecrets:
        """Both as they are. Raises StoreError; AuthorityHidden if only the authority's may not be read."""
        served = self._get(self._name)
        try:
            return StoredSecrets(served, self._get(self._authority))
        except StoreError as problem:
            if isinstance(problem.__cause__, Forbidden):
                raise AuthorityHidden(str(problem)) from problem.__cause__
            raise

    def read_served(self) -> StoredSecrets:
        """The one that servers read. Raises StoreError."""
        return StoredSecrets(self._get(self._name), None)

    def read(self) -> tuple[Contents, str]:
        """The contents and their version; a missing Secret or member is empty. Raises StoreError."""
        stored = self.read_secrets()
        return stored.contents, stored.version

    def write(self, contents: Contents, version: str) -> None:
        """Replace that version; raises StoreConflict when another was stored since, StoreError when it cannot."""
        served_version, _, authority_version = version.partition(" ")
        served, own = split(contents)
        present = self._get(self._authority)
        # If it no longer holds what was read, the API server refuses this write because of its version.
        if contents.ca_key if present is None else not _holds(present, own):
            self._put(self._authority, own, authority_version)
        self._put(self._name, served, served_version)

    def repair(self) -> bool:
        """Finish an incomplete write, move the authority's key from where a former release kept it; True if it wrote.

        Contents without a signing authority and deleted Secrets are left to the rotation. A concurrent write by
        somebody else wins. Raises StoreError.
        """
        stored = self.read_secrets()
        if stored.served is None or stored.is_complete or signing_authority(stored.contents) is None:
            return False
        try:
            self.write(stored.contents, stored.version)
        except StoreConflict:
            return False
        return True

    def _place(self, name: str) -> str:
        return f"Secret {self._namespace}/{name}"

    def _get(self, name: str) -> Wire | None:
        try:
            return self._cluster.get("Secret", self._namespace, name)
        except ClusterError as problem:
            raise StoreError(f"cannot read {self._place(name)}: {problem}") from problem

    def _put(self, name: str, data: Wire, version: str) -> None:
        """Replace these members of a Secret of that version; without a version, create it. None removes a member."""
        place = self._place(name)
        try:
            if version:
                patch: Wire = {"metadata": {"resourceVersion": version}, "data": data}
                self._cluster.patch("Secret", self._namespace, name, patch)
            else:
                self._cluster.create("Secret", self._namespace, self._new(name, data))
        except Conflict as problem:
            raise StoreConflict(f"{place} was written by somebody else in the meantime") from problem
        except ClusterError as problem:
            if version and isinstance(problem, NotFound):
                raise StoreConflict(f"{place} was deleted in the meantime") from problem
            raise StoreError(f"cannot write {place}: {problem}") from problem

    def _new(self, name: str, data: Wire) -> Wire:
        labels = {"app.kubernetes.io/part-of": "stagegate"}
        metadata = {"name": name, "namespace": self._namespace, "labels": labels}
        members = {member: value for member, value in data.items() if value is not None}
        return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": members}


def contents_of(secret: Mapping[str, Any]) -> Contents:
    """The contents of a Secret in wire form; a member that is absent or not base64 is empty."""
    return Contents(*(decoded(_data(secret).get(name)) for name in NAMES))


def split(contents: Contents) -> tuple[Wire, Wire]:
    """The members of the Secret that servers read, and of the authority's; None for one to remove."""
    data = {name: b64encode(value).decode() for name, value in contents.files().items()}
    served = {CA_CERTIFICATES: data[CA_CERTIFICATES], CERTIFICATE: data[CERTIFICATE], KEY: data[KEY], CA_KEY: None}
    return served, {CA_CERTIFICATES: data[CA_CERTIFICATES], CA_KEY: data[CA_KEY]}


def decoded(value: Any) -> bytes:
    """The bytes of a member of a Secret; empty if it is absent or not base64."""
    try:
        return b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error:
        return b""


def _data(secret: Mapping[str, Any]) -> Mapping[str, Any]:
    data = secret.get("data")
    return data if isinstance(data, dict) else {}


def _holds(secret: Wire | None, members: Wire) -> bool:
    data = _data(secret or {})
    return all(data.get(name) == value for name, value in members.items())


def _version_of(secret: Wire | None) -> str:
    return "" if secret is None else str(secret["metadata"]["resourceVersion"])


def _joined(own: bytes, other: bytes) -> bytes:
    if own == other or not other:
        return own
    return write_bundle([*read_bundle(own), *read_bundle(other)]) if own else other
