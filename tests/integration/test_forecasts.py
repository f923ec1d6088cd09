"""What is forecast of a rollout, held against the run: both strategies, several ratios, with and without Knative."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from sandbox.controllers import is_ready
from sandbox.demo.observer import Observer
from sandbox.demo.outcome import Outcome, differences
from sandbox.demo.stack import Stack
from sandbox.workloads import DEMAND_ANNOTATION
from tests.integration.conftest import ROLLING
from tests.integration.place import Place
from tests.integration.service import Service
from tests.integration.user import User, Wire
from tests.waiting import eventually
from webhook.cluster.resource import (
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
)
from webhook.forecast.forecast import Forecast, Setting, forecasts
from webhook.forecast.objects import Objects
from webhook.forecast.subject import subject_of
from webhook.knative.annotations import HOLD, annotations_of

PLACE = Place(ROLLING)
SERVICES = "serving.knative.dev/v1/services"
_READ = (KNATIVE_SERVICES, ROUTES, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, POD_AUTOSCALERS)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Row:
    strategy: str
    ratio: int
    demand: int
    minimum: int | None = None
    maximum: int | None = None


class Shop:
    """A Service of a simulated Knative, with the settings and the demand of a row."""

    def __init__(self, stack: Stack, person: User, row: Row) -> None:
        self._stack, self._person = stack, person
        self.name = f"shop-{next(_numbers)}"
        self._row = row
        assert person.create(PLACE.path(SERVICES), self.with_image("a:1")).done
        eventually(lambda: self.is_settled() and self.runs(1), "revision 1 runs")

    def with_image(self, image: str) -> Wire:
        row = self._row
        annotations = {
            "rollout.knative.dev/over-consumption-ratio": str(row.ratio),
            "rollout.knative.dev/progressive-rollout-strategy": row.strategy,
            DEMAND_ANNOTATION: str(row.demand),
        }
        for key, bound in (("min-scale", row.minimum), ("max-scale", row.maximum)):
            if bound is not None:
                annotations[f"autoscaling.knative.dev/{key}"] = str(bound)
        template = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"image": image}]}}
        metadata = {"name": self.name, "namespace": ROLLING, "annotations": {"stagegate.dev/progressive": "true"}}
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"template": template},
        }

    def live(self) -> Objects:
        """The objects of the Service, as a command would read them."""
        found = [one for resource in _READ for one in self._stack.client.list(resource, ROLLING)["items"]]
        mine = [one for one in found if str(one["metadata"]["name"]).startswith(self.name)]
        return Objects(mine)

    def edit(self, image: str) -> None:
        assert self._person.patch(PLACE.path(SERVICES, self.name), {"spec": self.with_image(image)["spec"]}).done

    def is_settled(self) -> bool:
        service = self._person.get(PLACE.path(SERVICES, self.name)).body
        route = self._person.get(PLACE.path("serving.knative.dev/v1/routes", self.name)).body
        if HOLD in annotations_of(route) or "status" not in service:
            return False
        return is_ready(service) and service["status"]["observedGeneration"] == service["metadata"]["generation"]

    def runs(self, number: int) -> bool:
        wanted = max(self._row.demand, self._row.minimum or 0)
        return self.scales().get(f"{self.name}-{number:05}") == wanted

    def scales(self) -> dict[str, int]:
        found = self._stack.client.list(
            POD_AUTOSCALERS, ROLLING, label_selector=f"serving.knative.dev/service={self.name}"
        )["items"]
        return {one["metadata"]["name"]: one.get("status", {}).get("actualScale", 0) for one in found}

    def remove(self) -> None:
        self._person.delete(PLACE.path(SERVICES, self.name))
        eventually(lambda: not self.scales(), "everything is gone")


@pytest.fixture
def new_shop(running: Stack, person: User) -> Iterator[Callable[[Row], Shop]]:
    made: list[Shop] = []

    def new_shop(row: Row) -> Shop:
        made.append(Shop(running, person, row))
        return made[-1]

    yield new_shop
    for shop in made:
        shop.remove()


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(Row("availability", 25, 0, minimum=4), id="availability, by the minimum: one more at the peak"),
        pytest.param(Row("availability", 50, 8, minimum=2, maximum=10), id="availability, by traffic, half a stage"),
        pytest.param(Row("availability", 20, 10, maximum=12), id="availability, by traffic, a fifth a stage"),
        pytest.param(Row("resourceutil", 25, 0, minimum=4), id="resourceutil, by the minimum"),
        pytest.param(Row("resourceutil", 50, 6, minimum=2, maximum=8), id="resourceutil, by traffic, half a stage"),
    ],
)
def test_an_edited_service(row: Row, running: Stack, new_shop: Callable[[Row], Shop]) -> None:
    shop = new_shop(row)
    subject = subject_of(Objects([shop.with_image("a:2")]), shop.live(), demand=row.demand)
    (forecast,) = forecasts(subject, [Setting()], (), datetime.now(UTC))

    with Observer(running.client, ROLLING, shop.name) as observer:
        shop.edit("a:2")
        eventually(lambda: observer.scales.get(f"{shop.name}-00002"), "the new revision runs", within=60.0)
        eventually(shop.is_settled, "the Service is Knative's again", within=120.0)
        outcome, traffic = observer.outcome(), observer.traffic
    assert (forecast.strategy, forecast.ratio) == (row.strategy, row.ratio)
    expected = Outcome.of(forecast.prediction)
    assert outcome.stages == expected.stages
    # Where replicas go down first, the one that a new revision is born with may go before it was ever ready.
    at_least = expected.peak if row.strategy == "availability" else expected.peak - 1
    assert at_least <= outcome.peak <= expected.peak
    assert traffic == traffic_of(forecast)


def traffic_of(forecast: Forecast) -> list[dict[str, int]]:
    """Each traffic that the Route is to show, the start first."""
    moments = (forecast.prediction.start, *(stage.end for stage in forecast.prediction.stages))
    return [{name: percent for name, percent in sorted(one.traffic.items()) if percent} for one in moments]


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
@pytest.mark.parametrize("ratio", [34, 100])
def test_a_rollout_that_is_written_by_hand(strategy: str, ratio: int, new_service: Callable[..., Service]) -> None:
    service = new_service(demand=6)
    with service.observed() as observer:
        started = service.start(strategy, ratio=ratio)
        service.carry(observer, "the rollout is complete")
        outcome = observer.outcome()
    subject = subject_of(Objects([started]), Objects(), demand=6)
    (forecast,) = forecasts(subject, [Setting()], (), datetime.now(UTC))

    assert differences(Outcome.of(forecast.prediction), outcome) == []


def test_a_rollout_on_its_way_is_forecast_from_its_present_stage(
    running: Stack, new_service: Callable[..., Service]
) -> None:
    service = new_service(demand=10)
    with service.observed() as observer:
        service.start("availability", ratio=20)
        service.carry(observer, "the third stage begins", lambda: len(observer.outcome().stages) >= 3)
        found = [one for resource in _READ for one in running.client.list(resource, ROLLING)["items"]]
        mine = Objects([one for one in found if str(one["metadata"]["name"]).startswith(service.name)])
        done = len(observer.outcome().stages)
        service.carry(observer, "the rollout is complete")
        outcome = observer.outcome()
    (forecast,) = forecasts(subject_of(Objects(), mine, service.name, demand=10), [Setting()], (), datetime.now(UTC))

    expected = Outcome.of(forecast.prediction)
    ahead = len(expected.stages)
    assert outcome.stages[-ahead:] == expected.stages
    assert ahead <= len(outcome.stages) - done + 1
    assert expected.scales == outcome.scales
