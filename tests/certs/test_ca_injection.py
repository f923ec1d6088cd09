"""The webhook configurations: what they say, and that caBundle alone is written."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from certs.ca_injection import (
    CONFIGURATIONS,
    FIELD_MANAGER,
    CaInjector,
    configurations_of,
    places_of,
    read_configuration,
)
from certs.errors import Forbidden, StoreConflict
from tests.certs.adapted import adapted
from tests.certs.certificate_cluster import MUTATE, SERVICE, VALIDATE, configuration
from tests.cluster.fake_api import FakeApi, status_error
from webhook.api.wire import Wire
from webhook.cluster.client import APPLY_PATCH, Client
from webhook.cluster.resource import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
    api.put(MUTATING_WEBHOOKS, configuration(MUTATE))
    api.put(VALIDATING_WEBHOOKS, configuration(VALIDATE))
    return api


@pytest.fixture
def injector(api: FakeApi) -> CaInjector:
    return CaInjector(adapted(Client(api, field_manager=FIELD_MANAGER)), CONFIGURATIONS)


@pytest.mark.parametrize(
    ("client", "host"),
    [
        (SERVICE, {"hook.ours.svc"}),
        ({"url": "https://127.0.0.1:8443/mutate"}, {"127.0.0.1"}),
        ({"url": "https://[::1]:8443/mutate"}, {"::1"}),
        ({"url": "https://hook.example.com/mutate"}, {"hook.example.com"}),
        ({"url": "https://[::1/mutate"}, set()),
        ({"url": ""}, set()),
        ({}, set()),
    ],
)
def test_hosts(client: Wire, host: set[str]) -> None:
    one = configuration(MUTATE) | {"webhooks": [{"name": "a", "clientConfig": client}]}
    one["metadata"]["resourceVersion"] = "1"
    assert read_configuration("MutatingWebhookConfiguration", one).hosts == host


@pytest.mark.parametrize(
    ("ca_bundle", "expected"),
    [({}, b""), ({"caBundle": ""}, b""), ({"caBundle": "YQ=="}, b"a"), ({"caBundle": "no base64!"}, b"")],
    ids=["absent", "empty", "one", "no base64"],
)
def test_bundles(ca_bundle: Wire, expected: bytes) -> None:
    one = configuration(MUTATE, SERVICE | ca_bundle, resourceVersion="1")
    assert read_configuration("MutatingWebhookConfiguration", one).bundles == {MUTATE: expected}


def test_when_it_was_published_is_when_our_manager_wrote_last() -> None:
    entries = [
        {"manager": FIELD_MANAGER, "time": "2030-01-01T00:00:00Z"},
        {"manager": "git", "time": "2031-01-01T00:00:00Z"},
    ]
    one = configuration(MUTATE, resourceVersion="1", managedFields=entries)
    assert read_configuration("MutatingWebhookConfiguration", one).published_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert (
        read_configuration("MutatingWebhookConfiguration", configuration("a", resourceVersion="1")).published_at is None
    )


def test_each_kind_has_the_names_that_are_its_own() -> None:
    names = configurations_of([MUTATE, VALIDATE, "both"])
    assert [(kind[:3], name) for kind, name in names] == [
        ("Mut", MUTATE),
        ("Mut", "both"),
        ("Val", VALIDATE),
        ("Val", "both"),
    ]


def test_nothing_but_the_bundle_is_applied(api: FakeApi, injector: CaInjector) -> None:
    injector.inject(injector.read(), b"a")

    assert [str(write) for write in api.writes] == [
        f"patch mutatingwebhookconfigurations {MUTATE}",
        f"patch validatingwebhookconfigurations {VALIDATE}",
    ]
    write = api.writes[0]
    assert write.query == {"fieldManager": FIELD_MANAGER, "force": "true"}
    assert api.requests[-1].content_type == APPLY_PATCH
    bundle = b64encode(b"a").decode()
    assert write.body["webhooks"] == [{"name": MUTATE, "clientConfig": {"caBundle": bundle}}]
    assert write.body["metadata"].keys() == {"name", "uid", "resourceVersion"}


def test_every_webhook_of_a_configuration_gets_the_bundle(api: FakeApi, injector: CaInjector) -> None:
    two = configuration(MUTATE) | {"webhooks": [{"name": name, "clientConfig": SERVICE} for name in ("a", "b")]}
    api.put(MUTATING_WEBHOOKS, two)

    injector.inject(injector.read(), b"a")

    assert places_of(injector.read()) == (
        f"MutatingWebhookConfiguration {MUTATE}, a",
        f"MutatingWebhookConfiguration {MUTATE}, b",
        f"ValidatingWebhookConfiguration {VALIDATE}",
    )
    trusted = {"caBundle": b64encode(b"a").decode()}
    assert api.writes[0].body["webhooks"] == [{"name": name, "clientConfig": trusted} for name in ("a", "b")]


def test_what_holds_the_bundle_already_is_not_written(api: FakeApi, injector: CaInjector) -> None:
    api.put(MUTATING_WEBHOOKS, configuration(MUTATE, SERVICE | {"caBundle": b64encode(b"a").decode()}))
    injector.inject(injector.read(), b"a")
    assert api.written() == [f"patch validatingwebhookconfigurations {VALIDATE}"]


def test_one_that_is_not_there_is_passed_over(api: FakeApi, injector: CaInjector) -> None:
    api.remove(MUTATING_WEBHOOKS, "", MUTATE)
    assert [one.name for one in injector.read()] == [VALIDATE]


def test_one_that_may_not_be_written_keeps_no_other_from_it(api: FakeApi, injector: CaInjector) -> None:
    read = injector.read()
    api.fail = lambda request: (
        status_error(request, 403, "Forbidden", "no") if request.call.resource.startswith("mutating") else None
    )
    with pytest.raises(Forbidden, match=f"^patch mutatingwebhookconfigurations {MUTATE}: no$"):
        injector.inject(read, b"a")
    assert api.written() == [f"patch validatingwebhookconfigurations {VALIDATE}"]


def test_one_that_has_changed_since_is_not_written(api: FakeApi, injector: CaInjector) -> None:
    read = injector.read()
    api.put(MUTATING_WEBHOOKS, configuration(MUTATE, SERVICE | {"caBundle": b64encode(b"newer").decode()}))
    with pytest.raises(StoreConflict):
        injector.inject(read, b"a")
    assert [dict(one.bundles) for one in injector.read()] == [{MUTATE: b"newer"}, {VALIDATE: b"a"}]


def test_one_that_was_deleted_since_is_not_made_anew(api: FakeApi, injector: CaInjector) -> None:
    read = injector.read()
    api.remove(MUTATING_WEBHOOKS, "", MUTATE)
    with pytest.raises(StoreConflict):
        injector.inject(read, b"a")
    assert api.get(MUTATING_WEBHOOKS, "", MUTATE) is None
