"""Our client as the cluster that ``certs`` needs: which error becomes which, and what is kept of a Secret."""

from base64 import b64encode

import pytest

from certs import errors
from tests.certs.adapted import adapted
from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.cli.cluster import exit_code_of
from webhook.cli.errors import FAILED, MISSING
from webhook.cluster.client import Client
from webhook.cluster.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NoCredentials,
    NotFound,
    Unreachable,
)
from webhook.cluster.resource import SECRETS


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(SECRETS)
    return api


@pytest.mark.parametrize(
    ("ours", "theirs", "exit_code"),
    [
        (Conflict, errors.Conflict, FAILED),
        (AlreadyExists, errors.Conflict, FAILED),
        (NotFound, errors.NotFound, MISSING),
        (Forbidden, errors.Forbidden, MISSING),
        (Invalid, errors.ClusterError, FAILED),
        (Unreachable, errors.ClusterError, MISSING),
        (NoCredentials, errors.ClusterError, MISSING),
    ],
)
def test_each_error_of_a_request(
    api: FakeApi, ours: type[ApiError], theirs: type[errors.ClusterError], exit_code: int
) -> None:
    api.fail = lambda request: ours(request.call, "no")
    with pytest.raises(errors.ClusterError, match=r"^patch secrets ours/certs: no$") as caught:
        adapted(Client(api, field_manager="test")).patch("Secret", "ours", "certs", {})
    assert type(caught.value) is theirs
    assert (caught.value.resource, caught.value.reason) == ("secrets", ours.__name__)
    assert exit_code_of(caught.value) == exit_code


def test_an_object_that_does_not_exist_is_none(api: FakeApi) -> None:
    assert adapted(Client(api, field_manager="test")).get("Secret", "ours", "certs") is None


def test_of_a_watched_secret_only_what_is_served_is_kept(api: FakeApi) -> None:
    calls: list[int] = []
    watch = adapted(Client(api, field_manager="test"), FakeClock()).watch_secret(
        "ours", "certs", lambda: calls.append(1)
    )
    assert (watch.secret, watch.synced, watch.last_error) == (None, False, None)
    data = {name: b64encode(name.encode()).decode() for name in ("tls.crt", "tls.key", "ca.key", "other")}
    api.put(SECRETS, {"metadata": {"name": "certs", "namespace": "ours"}, "data": data})
    watch.reflector.step()
    assert watch.secret is not None
    assert watch.secret["data"].keys() == {"tls.crt", "tls.key"}
    assert (watch.synced, watch.last_error, bool(calls)) == (True, None, True)
