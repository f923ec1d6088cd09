"""The store in a cluster: one Secret for what servers show, and one for the authority's key, which no server needs."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from certs.bundle import read_bundle, write_bundle
from certs.contents import CA_CERTIFICATES, CA_KEY, CERTIFICATE, KEY, NAMES, Contents, signing_authority
from certs.errors import StoreConflict, StoreError
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Conflict, Forbidden, NotFound
from webhook.cluster.resource import SECRETS

AUTHORITY_SUFFIX: Final = "-authority"
"""What the name of the authority's Secret has after that of the other one."""


class AuthorityHidden(StoreError):
    """The account may read what servers show, but not the authority's key."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Both Secrets in wire form as they were read, None for one that does not exist."""

    served: Wire | None
    authority: Wire | None

    @property
    def contents(self) -> Contents:
        """Both joined: trusted is whom either of them trusts, so that half a write takes trust from nobody.

        Before there was a Secret of the authority's own, its key was with the rest: it counts as long as there is none.
        """
        served = contents_of(self.served or {})
        if self.authority is None:
            return served
        own = contents_of(self.authority)
        bundle = _joined(own.ca_certificates, served.ca_certificates)
        return replace(served, ca_certificates=bundle, ca_key=own.ca_key)

    @property
    def version(self) -> str:
        """Of both; empty where there is neither."""
        return f"{_version_of(self.served)} {_version_of(self.authority)}".rstrip()

    @property
    def in_order(self) -> bool:
        """Whether both hold what a write of the contents would leave there."""
        served, own = parted(self.contents)
        return _holds(self.served, served) and _holds(self.authority, own)


class SecretStore:
    """Keeps the contents in two Secrets of type Opaque, which the first write creates.

    The authority's is written first: of several writers the API server lets one win there, and whatever is cut off in
    between, each Secret is whole, and read together they trust everybody who was trusted. Each write is on condition
    of the version that was read. Members of other names are left alone.
    """

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
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

    def look(self) -> Kept:
        """Both as they are. Raises StoreError; AuthorityHidden where only the authority's may not be read."""
        served = self._get(self._name)
        try:
            return Kept(served, self._get(self._authority))
        except StoreError as problem:
            if isinstance(problem.__cause__, Forbidden):
                raise AuthorityHidden(str(problem)) from problem.__cause__
            raise

    def look_at_served(self) -> Kept:
        """Without the authority's. Raises StoreError."""
        return Kept(self._get(self._name), None)

    def read(self) -> tuple[Contents, str]:
        """What is kept, and its version; a missing Secret or member is empty. Raises StoreError."""
        kept = self.look()
        return kept.contents, kept.version

    def write(self, contents: Contents, version: str) -> None:
        """Replace that version; raises StoreConflict when another was stored since, StoreError when it cannot."""
        served_version, _, authority_version = version.partition(" ")
        served, own = parted(contents)
        present = self._get(self._authority)
        # Where it holds something else than was read, this write is refused for its version.
        if contents.ca_key if present is None else not _holds(present, own):
            self._put(self._authority, own, authority_version)
        self._put(self._name, served, served_version)

    def put_in_order(self) -> bool:
        """Finish half a write, and move the authority's key where a former install has left it; True if it was needed.

        Nothing is decided here: what no authority signs for, and what was deleted, is left to the rotation. When
        somebody else writes at the same time, theirs is right. Raises StoreError.
        """
        kept = self.look()
        if kept.served is None or kept.in_order or signing_authority(kept.contents) is None:
            return False
        try:
            self.write(kept.contents, kept.version)
        except StoreConflict:
            return False
        return True

    def _place(self, name: str) -> str:
        return f"Secret {self._namespace}/{name}"

    def _get(self, name: str) -> Wire | None:
        try:
            return self._client.get(SECRETS, self._namespace, name)
        except NotFound:
            return None
        except ApiError as problem:
            raise StoreError(f"cannot read {self._place(name)}: {problem}") from problem

    def _put(self, name: str, data: Wire, version: str) -> None:
        """Replace these members of a Secret of that version, of none where it is empty; None takes one away."""
        place = self._place(name)
        try:
            if version:
                patch: Wire = {"metadata": {"resourceVersion": version}, "data": data}
                self._client.patch(SECRETS, self._namespace, name, patch)
            else:
                self._client.create(SECRETS, self._namespace, self._new(name, data))
        except Conflict as problem:
            raise StoreConflict(f"{place} was written by somebody else in the meantime") from problem
        except ApiError as problem:
            if version and isinstance(problem, NotFound):
                raise StoreConflict(f"{place} was deleted in the meantime") from problem
            raise StoreError(f"cannot write {place}: {problem}") from problem

    def _new(self, name: str, data: Wire) -> Wire:
        labels = {"app.kubernetes.io/part-of": "stagegate"}
        metadata = {"name": name, "namespace": self._namespace, "labels": labels}
        members = {member: value for member, value in data.items() if value is not None}
        return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": members}


def contents_of(secret: Mapping[str, Any]) -> Contents:
    """What a Secret in wire form holds; what is absent or no base64 is empty."""
    return Contents(*(decoded(_data(secret).get(name)) for name in NAMES))


def parted(contents: Contents) -> tuple[Wire, Wire]:
    """The members of the Secret that servers read, and of the authority's; None for one that must not be there."""
    data = {name: b64encode(value).decode() for name, value in contents.files().items()}
    served = {CA_CERTIFICATES: data[CA_CERTIFICATES], CERTIFICATE: data[CERTIFICATE], KEY: data[KEY], CA_KEY: None}
    return served, {CA_CERTIFICATES: data[CA_CERTIFICATES], CA_KEY: data[CA_KEY]}


def decoded(value: Any) -> bytes:
    """The bytes of a member of a Secret; empty for what is absent or no base64."""
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
