"""What several files of this folder begin with."""

import pytest

from tests.loop.knative import Knative
from tests.loop.world import World


@pytest.fixture
def knative() -> Knative:
    """A Service with four pods, and stages of a quarter."""
    world = World()
    world.settings(over_consumption_ratio="25")
    knative = Knative(world).start(min_scale="4")
    world.settle().forget()
    return knative
