"""The history as read from etcd."""

import base64
import json
from typing import Any

import pytest

from tests.chaos.history import stored_in
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS

SPA: dict[str, Any] = {"metadata": {"namespace": "a", "name": "x"}, "spec": {"stageMinScale": 1}}


def event(path: str, revision: int, value: Any = SPA, *, gone: bool = False) -> dict[str, Any]:
    key = {"key": encoded(f"/registry/serving.knative.dev/{path}"), "mod_revision": str(revision)}
    held = {**key, "value": encoded(json.dumps(value))}
    return {"type": "DELETE", "kv": key, "prev_kv": held} if gone else {"kv": held}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("gone", [False, True])
def test_a_revision_of_etcd_is_a_version_of_the_object(gone: bool) -> None:
    stored = stored_in(event("stagepodautoscalers/a/x", 7, gone=gone))
    assert stored is not None
    assert (stored.version, stored.resource, stored.gone) == (7, STAGE_POD_AUTOSCALERS, gone)
    assert stored.object == {"metadata": {**SPA["metadata"], "resourceVersion": "7"}, "spec": SPA["spec"]}


def test_what_is_not_judged_is_left_out() -> None:
    assert stored_in(event("routes/a/x", 7)) is None
