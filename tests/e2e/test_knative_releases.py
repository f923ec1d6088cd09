"""A rollout on stock Knative while Stagegate is replaced by the release before it, and that by this one again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e import former_release
from tests.e2e.progressive import NEW, OLD, complete, deployed, faults, hello, under_way
from tests.e2e.tenant import Tenant
from tests.rig.stagegate import Stagegate
from webhook.knative.annotations import HOLD


@pytest.fixture
def replaceable(stagegate: Stagegate) -> Iterator[Stagegate]:
    """An installation that a test may replace; afterwards it is of this release again."""
    yield stagegate
    if stagegate.is_former:
        stagegate.replace()


def test_the_former_release_moves_nothing_and_this_one_goes_on(
    replaceable: Stagegate, tenant: Tenant, tmp_path: Path
) -> None:
    """It has neither holds nor Services: traffic and bounds stay as they were."""
    code = former_release.unpack(tmp_path / "former")
    manifests = tmp_path / "former.yaml"
    manifests.write_text(yaml.safe_dump_all(former_release.render(code)))
    since = deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})

    replaceable.stop()
    tenant.settle()
    held = tenant.record().end.shares("hello")
    replaceable.replace(str(manifests), code)
    tenant.settle(5)
    state = tenant.record().end
    assert set(held) == {OLD, NEW}
    assert state.shares("hello") == held
    assert state.annotation("routes", "hello", HOLD) is not None
    replaceable.replace()

    record = complete(tenant)
    assert record.peak(since) == 5
    assert faults(record, since) == []
