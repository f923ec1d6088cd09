"""The store as a former release had it: all four members in the one Secret that servers read."""

from base64 import b64encode

from certs.contents import Contents
from certs.errors import Conflict, StoreConflict
from certs.protocols import Cluster
from certs.secret_store import SecretStore, contents_of


class FormerStore(SecretStore):
    """Has no Secret of the authority's own."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        super().__init__(cluster, namespace, name)
        self._where = namespace, name

    def read(self) -> tuple[Contents, str]:
        secret = self._cluster.get("Secret", *self._where)
        if secret is None:
            return Contents(), ""
        return contents_of(secret), secret["metadata"]["resourceVersion"]

    def write(self, contents: Contents, version: str) -> None:
        namespace, name = self._where
        data = {name: b64encode(value).decode() for name, value in contents.files().items()}
        metadata = {"name": name, "namespace": namespace}
        try:
            if version:
                patch = {"metadata": {"resourceVersion": version}, "data": data}
                self._cluster.patch("Secret", namespace, name, patch)
            else:
                body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
                self._cluster.create("Secret", namespace, body)
        except Conflict as problem:
            raise StoreConflict(str(problem)) from problem

    def repair(self) -> bool:
        return False
