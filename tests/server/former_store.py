"""The store as a former release had it: all four members in the one Secret that servers read."""

from base64 import b64encode

from certs.contents import Contents
from certs.errors import StoreConflict
from webhook.cluster.client import Client
from webhook.cluster.errors import Conflict, NotFound
from webhook.cluster.resource import SECRETS
from webhook.server.secret_store import SecretStore, contents_of


class FormerStore(SecretStore):
    """Knows nothing of a Secret of the authority's own."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        super().__init__(client, namespace, name)
        self._where = namespace, name

    def read(self) -> tuple[Contents, str]:
        try:
            secret = self._client.get(SECRETS, *self._where)
        except NotFound:
            return Contents(), ""
        return contents_of(secret), secret["metadata"]["resourceVersion"]

    def write(self, contents: Contents, version: str) -> None:
        namespace, name = self._where
        data = {name: b64encode(value).decode() for name, value in contents.files().items()}
        metadata = {"name": name, "namespace": namespace}
        try:
            if version:
                patch = {"metadata": {"resourceVersion": version}, "data": data}
                self._client.patch(SECRETS, namespace, name, patch)
            else:
                body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
                self._client.create(SECRETS, namespace, body)
        except Conflict as problem:
            raise StoreConflict(str(problem)) from problem

    def put_in_order(self) -> bool:
        return False
