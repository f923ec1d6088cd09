"""The Secret as a store: what is read, what is sent, and who wins."""

from base64 import b64decode, b64encode
from typing import Any

import pytest

from certs.contents import Contents
from certs.errors import StoreConflict, StoreError
from tests.cluster.fake_api import FakeApi, status_error
from webhook.cluster.client import Client
from webhook.cluster.resource import NAMESPACES, SECRETS
from webhook.cluster.transport import Request
from webhook.server.secret_store import SecretStore

CONTENTS = Contents(b"a", b"b", b"c", b"d")
NEWER = Contents(b"a", b"b", b"new", b"d")


def encoded(**members: bytes) -> dict[str, str]:
    return {name.replace("_", "."): b64encode(value).decode() for name, value in members.items()}


def secret(data: Any) -> dict[str, Any]:
    return {"metadata": {"name": "certs", "namespace": "ours"}, "type": "Opaque", "data": data}


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(SECRETS, NAMESPACES)
    return api


@pytest.fixture
def store(api: FakeApi) -> SecretStore:
    return SecretStore(Client(api, field_manager="stagegate-certs"), "ours", "certs")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(ca_crt=b"a", ca_key=b"b", tls_crt=b"c", tls_key=b"d"), CONTENTS),
        (encoded(tls_crt=b"c", tls_key=b"d", other=b"e"), Contents(b"", b"", b"c", b"d")),
        ({"tls.crt": "no base64!", **encoded(tls_key=b"d")}, Contents(b"", b"", b"", b"d")),
        ({"tls.crt": None}, Contents()),
        (None, Contents()),
    ],
    ids=["whole", "some members", "no base64", "null", "no data"],
)
def test_read(api: FakeApi, store: SecretStore, data: Any, expected: Contents) -> None:
    version = api.put(SECRETS, secret(data))["metadata"]["resourceVersion"]
    assert store.read() == (expected, version)


def test_no_secret_is_empty(store: SecretStore) -> None:
    assert store.read() == (Contents(), "")


def test_the_first_write_creates_it(api: FakeApi, store: SecretStore) -> None:
    store.write(CONTENTS, "")
    (write,) = api.writes
    assert (str(write), write.query) == ("create secrets ours/certs", {"fieldManager": "stagegate-certs"})
    assert (write.body["type"], write.body["metadata"]["labels"]) == (
        "Opaque",
        {"app.kubernetes.io/part-of": "stagegate"},
    )
    assert store.read()[0] == CONTENTS


def test_a_later_write_replaces_its_members_and_no_others(api: FakeApi, store: SecretStore) -> None:
    api.put(SECRETS, secret(encoded(ca_crt=b"a", ca_key=b"b", tls_crt=b"c", tls_key=b"d", mine=b"e")))
    store.write(NEWER, store.read()[1])
    assert api.written() == ["patch secrets ours/certs"]
    assert store.read()[0] == NEWER
    kept = api.get(SECRETS, "ours", "certs")
    assert kept is not None
    assert b64decode(kept["data"]["mine"]) == b"e"


def test_of_two_first_writers_one_wins(api: FakeApi, store: SecretStore) -> None:
    _, version = store.read()
    api.put(SECRETS, secret(encoded(tls_crt=b"theirs")))
    with pytest.raises(StoreConflict, match="Secret ours/certs was written by somebody else"):
        store.write(CONTENTS, version)
    assert store.read()[0] == Contents(certificate=b"theirs")


def test_a_version_that_is_not_the_last_is_not_replaced(api: FakeApi, store: SecretStore) -> None:
    api.put(SECRETS, secret(encoded(tls_crt=b"c")))
    _, version = store.read()
    api.put(SECRETS, secret(encoded(tls_crt=b"theirs")))
    with pytest.raises(StoreConflict):
        store.write(CONTENTS, version)
    assert store.read()[0] == Contents(certificate=b"theirs")


def test_one_that_was_deleted_meanwhile_is_not_made_anew_unseen(api: FakeApi, store: SecretStore) -> None:
    api.put(SECRETS, secret(encoded(tls_crt=b"c")))
    _, version = store.read()
    api.remove(SECRETS, "ours", "certs")
    with pytest.raises(StoreConflict, match="deleted in the meantime"):
        store.write(CONTENTS, version)


def test_a_missing_namespace_is_no_race(api: FakeApi, store: SecretStore) -> None:
    api.fail = lambda request: (
        status_error(request, 404, "NotFound", 'namespaces "ours" not found') if request.method == "POST" else None
    )
    with pytest.raises(StoreError, match=r'cannot write Secret ours/certs: .*namespaces "ours" not found') as problem:
        store.write(CONTENTS, "")
    assert not isinstance(problem.value, StoreConflict)


def forbid(request: Request) -> Any:
    verb, plural = request.call.verb, request.call.resource
    return status_error(request, 403, "Forbidden", f'User "loop" cannot {verb} resource "{plural}"')


def test_what_is_forbidden_is_named(api: FakeApi, store: SecretStore) -> None:
    api.fail = forbid
    with pytest.raises(StoreError, match=r'cannot read Secret ours/certs: .*cannot get resource "secrets"'):
        store.read()
    with pytest.raises(StoreError, match=r'cannot write Secret ours/certs: .*cannot create resource "secrets"'):
        store.write(CONTENTS, "")


def test_no_error_carries_a_key(api: FakeApi, store: SecretStore) -> None:
    api.fail = forbid
    with pytest.raises(StoreError) as problem:
        store.write(Contents(b"", b"hidden", b"", b"hidden"), "")
    assert "hidden" not in repr(problem.value) + repr(problem.value.__cause__)
