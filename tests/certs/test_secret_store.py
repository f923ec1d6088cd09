"""The two Secrets as a store: what is read, what is sent, and which of two writers succeeds."""

from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any

import pytest

from certs.authority import make_authority
from certs.contents import Contents
from certs.errors import AuthorityHidden, StoreConflict, StoreError
from certs.secret_store import SecretStore
from tests.certs.adapted import adapted
from tests.cluster.fake_api import FakeApi, status_error
from tests.cluster.fake_clock import START
from webhook.cluster.client import Client
from webhook.cluster.resource import NAMESPACES, SECRETS
from webhook.cluster.transport import Request

CONTENTS = Contents(b"a", b"b", b"c", b"d")
NEWER = Contents(b"a", b"b", b"new", b"d")


def encoded(**members: bytes) -> dict[str, str]:
    return {name.replace("_", "."): b64encode(value).decode() for name, value in members.items()}


def secret(data: Any, name: str = "certs") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ours"}, "type": "Opaque", "data": data}


def own(data: Any) -> dict[str, Any]:
    return secret(data, "certs-authority")


def members(api: FakeApi, name: str) -> dict[str, bytes]:
    return {key: b64decode(value) for key, value in api.objects[SECRETS.path(), "ours", name]["data"].items()}


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(SECRETS, NAMESPACES)
    return api


@pytest.fixture
def store(api: FakeApi) -> SecretStore:
    return SecretStore(adapted(Client(api, field_manager="stagegate-certs")), "ours", "certs")


WHOLE = encoded(ca_crt=b"a", tls_crt=b"c", tls_key=b"d")
OWN = encoded(ca_crt=b"a", ca_key=b"b")


@pytest.mark.parametrize(
    ("data", "authority", "expected"),
    [
        (WHOLE, OWN, CONTENTS),
        (encoded(tls_crt=b"c", tls_key=b"d", other=b"e"), {}, Contents(b"", b"", b"c", b"d")),
        ({"tls.crt": "no base64!", **encoded(tls_key=b"d")}, {"ca.key": "no base64!"}, Contents(b"", b"", b"", b"d")),
        ({"tls.crt": None}, {"ca.key": None}, Contents()),
        (None, None, Contents()),
        (WHOLE | encoded(ca_key=b"former"), OWN, CONTENTS),
        (WHOLE | encoded(ca_key=b"former"), {}, Contents(b"a", b"", b"c", b"d")),
        (encoded(tls_crt=b"c", tls_key=b"d"), OWN, CONTENTS),
        (WHOLE, encoded(ca_key=b"b"), CONTENTS),
    ],
    ids=[
        "whole", "some members", "no base64", "null", "no data", "a key in the former place too", "only there",
        "no authorities beside the leaf", "none beside the key",
    ],
)  # fmt: skip
def test_read(api: FakeApi, store: SecretStore, data: Any, authority: Any, expected: Contents) -> None:
    version = api.put(SECRETS, secret(data))["metadata"]["resourceVersion"]
    version_of_own = api.put(SECRETS, own(authority))["metadata"]["resourceVersion"]
    assert store.read() == (expected, f"{version} {version_of_own}")


def test_a_key_in_the_former_place_counts_while_there_is_no_other_secret(api: FakeApi, store: SecretStore) -> None:
    version = api.put(SECRETS, secret(WHOLE | encoded(ca_key=b"b")))["metadata"]["resourceVersion"]
    assert store.read() == (CONTENTS, version)


def test_trusted_is_whom_either_of_them_trusts(api: FakeApi, store: SecretStore) -> None:
    one, two, three = (make_authority(START, timedelta(days=9)).certificate for _ in range(3))
    api.put(SECRETS, secret(encoded(ca_crt=two + three)))
    api.put(SECRETS, own(encoded(ca_crt=one + two)))
    assert store.read()[0].ca_certificates == one + two + three


def test_no_secret_is_empty(store: SecretStore) -> None:
    assert store.read() == (Contents(), "")


def test_the_first_write_creates_both_the_authoritys_first(api: FakeApi, store: SecretStore) -> None:
    store.write(CONTENTS, "")
    assert api.written() == ["create secrets ours/certs-authority", "create secrets ours/certs"]
    for write in api.writes:
        assert write.query == {"fieldManager": "stagegate-certs"}
        assert (write.body["type"], write.body["metadata"]["labels"]) == (
            "Opaque",
            {"app.kubernetes.io/part-of": "stagegate"},
        )
    assert members(api, "certs") == {"ca.crt": b"a", "tls.crt": b"c", "tls.key": b"d"}
    assert members(api, "certs-authority") == {"ca.crt": b"a", "ca.key": b"b"}
    assert store.read()[0] == CONTENTS


def test_where_there_is_no_key_there_is_no_secret_for_it(api: FakeApi, store: SecretStore) -> None:
    store.write(Contents(b"a", b"", b"c", b"d"), "")
    assert api.written() == ["create secrets ours/certs"]


def test_a_later_write_replaces_its_members_and_no_others(api: FakeApi, store: SecretStore) -> None:
    api.put(SECRETS, secret(WHOLE | encoded(mine=b"e")))
    api.put(SECRETS, own(OWN | encoded(mine=b"f")))
    store.write(NEWER, store.read()[1])
    assert api.written() == ["patch secrets ours/certs"]
    assert store.read()[0] == NEWER
    newest = Contents(b"A", b"B", b"new", b"d")
    store.write(newest, store.read()[1])
    assert api.written()[1:] == ["patch secrets ours/certs-authority", "patch secrets ours/certs"]
    assert store.read()[0] == newest
    assert (members(api, "certs")["mine"], members(api, "certs-authority")["mine"]) == (b"e", b"f")


def test_the_key_leaves_its_former_place_when_it_has_the_new_one(api: FakeApi, store: SecretStore) -> None:
    api.put(SECRETS, secret(WHOLE | encoded(ca_key=b"b")))
    store.write(*store.read())
    assert api.written() == ["create secrets ours/certs-authority", "patch secrets ours/certs"]
    assert "ca.key" not in members(api, "certs")
    assert store.read()[0] == CONTENTS


@pytest.mark.parametrize("name", ["certs", "certs-authority"])
def test_of_two_first_writers_one_wins(api: FakeApi, store: SecretStore, name: str) -> None:
    _, version = store.read()
    api.put(SECRETS, secret(encoded(tls_crt=b"theirs"), name))
    with pytest.raises(StoreConflict, match=f"Secret ours/{name} was written by somebody else"):
        store.write(CONTENTS, version)
    assert members(api, name) == {"tls.crt": b"theirs"}


@pytest.mark.parametrize("name", ["certs", "certs-authority"])
def test_a_version_that_is_not_the_last_is_not_replaced(api: FakeApi, store: SecretStore, name: str) -> None:
    store.write(CONTENTS, "")
    _, version = store.read()
    api.put(SECRETS, secret(encoded(tls_crt=b"theirs"), name))
    with pytest.raises(StoreConflict):
        store.write(Contents(b"A", b"B", b"C", b"D"), version)
    assert members(api, name) == {"tls.crt": b"theirs"}


def test_who_writes_between_the_look_and_the_write_wins_too(api: FakeApi, store: SecretStore) -> None:
    """The version is the API server's to judge, not ours alone."""
    store.write(CONTENTS, "")
    _, version = store.read()

    def overtake(request: Request) -> None:
        if request.method == "PATCH":
            api.put(SECRETS, own(encoded(ca_key=b"theirs")))

    api.fail = overtake
    with pytest.raises(StoreConflict, match="Secret ours/certs-authority was written by somebody else"):
        store.write(Contents(b"A", b"B", b"C", b"D"), version)
    assert members(api, "certs") == {"ca.crt": b"a", "tls.crt": b"c", "tls.key": b"d"}


def test_one_that_was_deleted_meanwhile_is_not_made_anew_unseen(api: FakeApi, store: SecretStore) -> None:
    api.put(SECRETS, secret(encoded(tls_crt=b"c")))
    _, version = store.read()
    api.remove(SECRETS, "ours", "certs")
    with pytest.raises(StoreConflict, match="deleted in the meantime"):
        store.write(Contents(b"", b"", b"c"), version)


def test_a_missing_namespace_is_no_race(api: FakeApi, store: SecretStore) -> None:
    api.fail = lambda request: (
        status_error(request, 404, "NotFound", 'namespaces "ours" not found') if request.method == "POST" else None
    )
    with pytest.raises(
        StoreError, match=r'cannot write Secret ours/certs-authority: .*namespaces "ours" not found'
    ) as problem:
        store.write(CONTENTS, "")
    assert not isinstance(problem.value, StoreConflict)


def forbid(request: Request) -> Any:
    verb, plural = request.call.verb, request.call.resource
    return status_error(request, 403, "Forbidden", f'User "loop" cannot {verb} resource "{plural}"')


def test_what_is_forbidden_is_named(api: FakeApi, store: SecretStore) -> None:
    api.fail = forbid
    with pytest.raises(StoreError, match=r'cannot read Secret ours/certs: .*cannot get resource "secrets"') as problem:
        store.read()
    assert not isinstance(problem.value, AuthorityHidden)
    api.fail = lambda request: forbid(request) if request.method == "POST" else None
    with pytest.raises(StoreError, match=r"cannot write Secret ours/certs-authority: .*cannot create"):
        store.write(CONTENTS, "")


def test_an_account_that_may_not_read_the_key_can_read_the_rest(api: FakeApi, store: SecretStore) -> None:
    store.write(CONTENTS, "")
    api.fail = lambda request: forbid(request) if request.call.name == "certs-authority" else None
    with pytest.raises(AuthorityHidden, match=r"cannot read Secret ours/certs-authority: .*cannot get"):
        store.read()
    assert store.read_served().contents == Contents(b"a", b"", b"c", b"d")


def test_no_error_carries_a_key(api: FakeApi, store: SecretStore) -> None:
    api.fail = lambda request: forbid(request) if request.method == "POST" else None
    with pytest.raises(StoreError) as problem:
        store.write(Contents(b"", b"hidden", b"", b"hidden"), "")
    assert "hidden" not in repr(problem.value) + repr(problem.value.__cause__)
