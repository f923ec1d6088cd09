"""A new revision that has a share and has failed: when its rollout is aborted by itself."""

from typing import Any

import pytest

from tests.knative.services import by_name, entry, hold, lowered, pinned, revision, ro, route, service, shown
from webhook.api import RolloutOrchestrator
from webhook.knative.failed_share import abort_of_failed
from webhook.knative.service_decision import decide_service
from webhook.knative.service_seen import ServiceOptions, ServiceSeen

OLD, NEW = "hello-00001", "hello-00002"
GIVES_BACK = ServiceOptions(gives_failed_shares_back=True)


def rolling(**metadata: Any) -> RolloutOrchestrator:
    stage = [entry(OLD, 75, direction="down", minScale=4), entry(NEW, 25, direction="up", minScale=4)]
    return ro([entry(OLD, 100, minScale=4)], [entry(NEW, 100, minScale=4)], stage, **metadata)


def world(
    new: str = "False",
    old: str = "True",
    shares: dict[str, int] | None = None,
    **annotations: str,
) -> ServiceSeen:
    """A quarter of the requests goes to the new revision."""
    failed = lowered(NEW, ready=new)
    failed["status"]["conditions"][0] |= {"reason": "ExitCode1", "message": "It\nfailed.\x1b[31m"}
    return ServiceSeen(
        service=service(),
        route=route(hold(), pinned(hello_00001=75, hello_00002=25), shown=shares or {OLD: 75, NEW: 25}),
        revisions=by_name(revision(OLD, min_scale="4", ready=old), failed),
        ro=rolling(annotations={f"stagegate.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}),
    )


def test_a_failed_revision_with_a_share_aborts_its_rollout() -> None:
    found = abort_of_failed(world(), NEW)
    assert found is not None
    assert found.patch == {
        "metadata": {
            "annotations": {
                "stagegate.dev/abort": f"{NEW}=100",
                "stagegate.dev/abort-reason": (
                    f"{NEW} is not Ready (ExitCode1: It failed. [31m): its 25% of the traffic are given back"
                ),
            }
        }
    }


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(new="True"), id="it is Ready"),
        pytest.param(world(new="Unknown"), id="it may become Ready again"),
        pytest.param(world(shares={OLD: 100}), id="it has no share yet"),
        pytest.param(world(shares={NEW: 100}), id="no other has a share"),
        pytest.param(world(old="False"), id="the old one has failed too"),
        pytest.param(world(pause="looking into it"), id="a person has paused the rollout"),
        pytest.param(world(abort=f"{NEW}=100"), id="it is aborted already"),
    ],
)
def test_otherwise_the_route_stays_as_it_is(seen: ServiceSeen) -> None:
    assert abort_of_failed(seen, NEW) is None


def test_an_abort_of_other_targets_is_none() -> None:
    found = abort_of_failed(world(abort="hello-00000=100", abort_by="bob"), NEW)
    assert found is not None
    assert found.patch["metadata"]["annotations"]["stagegate.dev/abort-by"] is None


def test_only_the_setting_makes_the_loop_abort() -> None:
    assert shown(decide_service(world(), ServiceOptions())) == []
    (written,) = shown(decide_service(world(), GIVES_BACK))
    assert written.startswith("patch RO: metadata")
    assert f'"stagegate.dev/abort": "{NEW}=100"' in written
