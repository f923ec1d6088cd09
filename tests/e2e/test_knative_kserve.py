"""KServe on the rig: its own controller keeps the Service, and stays out of the way while it rolls out."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tenant import Tenant
from tests.rig import Rig
from tests.rig.kserve import KServe, inference_service
from tests.rig.stagegate import Stagegate

MODEL = "bert"
SERVICE = f"{MODEL}-predictor"
OLD, NEW = f"{SERVICE}-00001", f"{SERVICE}-00002"


@pytest.fixture(scope="module")
def kserve(
    rig: Rig,
    program: Callable[[str], Path],
    definitions: Callable[[str], list[Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KServe]:
    with rig.inside():
        kserve = KServe(rig, program("kserve"), definitions("kserve"), tmp_path_factory.mktemp("kserve"))
    yield kserve
    kserve.stop()


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant], stagegate: Stagegate, kserve: KServe) -> Tenant:
    """KServe hands no annotation of ours to the Service, so that its namespace opts in."""
    return new_tenant({"stagegate.dev/progressive": "true"})


def apply(tenant: Tenant, model: dict[str, Any]) -> None:
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{tenant.name}/inferenceservices/{MODEL}"
    answer = tenant.rig.plane.admin.apply(path, model, "git", force="true")
    assert answer.status in (HTTPStatus.OK, HTTPStatus.CREATED), answer.message


def deployed(tenant: Tenant) -> int:
    apply(tenant, inference_service(MODEL))
    tenant.await_ready(SERVICE)
    return tenant.version()


def test_a_new_model_takes_over_stage_by_stage(tenant: Tenant) -> None:
    before = deployed(tenant)

    apply(tenant, inference_service(MODEL, version="2"))

    tenant.eventually(lambda state: state.shares(SERVICE) == {NEW: 100} and state.running() == {NEW: 4}, within=120)
    tenant.await_ready(SERVICE)
    record = tenant.record()
    shares = record.path(SERVICE, before)
    assert shares[0] == {OLD: 100}
    assert shares[-1] == {NEW: 100}
    assert len(shares) >= 4
    assert record.peak(before) == 5
    assert record.created(before) == {NEW: 4}
    assert record.deleted(before) == {OLD: 4}


def test_kserve_writes_the_service_no_more_often_for_a_rollout(tenant: Tenant) -> None:
    """Nothing that it owns is touched, so that it has nothing to set back."""
    deployed(tenant)
    generation = tenant.get("services", SERVICE)["metadata"]["generation"]

    apply(tenant, inference_service(MODEL, version="2"))
    tenant.eventually(lambda state: state.shares(SERVICE) == {NEW: 100} and state.running() == {NEW: 4}, within=120)
    tenant.await_ready(SERVICE)
    tenant.settle()

    assert tenant.get("services", SERVICE)["metadata"]["generation"] == generation + 1


def test_a_canary_of_kserve_is_left_to_it(tenant: Tenant) -> None:
    """Its canary splits the traffic of the Service by itself."""
    before = deployed(tenant)
    canary = inference_service(MODEL, version="2")
    canary["spec"]["predictor"]["canaryTrafficPercent"] = 20

    apply(tenant, canary)

    tenant.eventually(lambda state: state.shares(SERVICE) == {OLD: 80, NEW: 20}, within=120)
    assert "stagegate.dev/hold" not in tenant.get("routes", SERVICE)["metadata"].get("annotations", {})
    assert tenant.record().peak(before) == 8
