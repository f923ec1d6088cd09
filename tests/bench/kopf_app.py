"""kopf's admission server for one kind of object; run by the Python of an environment that has kopf and no more.

Usage: python kopf_app.py PORT CERTIFICATE-DIRECTORY
"""

import asyncio
import functools
import sys
from typing import Any

import kopf
from kopf._cogs.structs.references import Insights, Resource
from kopf._core.engines.admission import serve_admission_request
from kopf._core.engines.indexing import OperatorIndexers
from kopf._core.reactor.inventory import ResourceMemories

RESOURCE = ("serving.knative.dev", "v1", "stagepodautoscalers")
registry = kopf.OperatorRegistry()
LABEL = "serving.knative.dev/revision"


def fill_in(body: Any, patch: Any, **_: Any) -> None:
    """Fill in the label that names the revision."""
    if LABEL not in body["metadata"].get("labels", {}):
        patch["metadata"] = {"labels": {LABEL: body["metadata"]["name"]}}


def check(spec: Any, **_: Any) -> None:
    """Check the bounds against each other."""
    least, most = spec.get("stageMinScale"), spec.get("stageMaxScale")
    if least is not None and most and least > most:
        raise kopf.AdmissionError("spec.stageMinScale must not exceed spec.stageMaxScale", code=422)


kopf.on.mutate(*RESOURCE, registry=registry, id="mutate")(fill_in)
kopf.on.validate(*RESOURCE, registry=registry, id="validate")(check)


async def main(port: int, certificates: str) -> None:
    """Serve for ever, bound to the parts of an operator that kopf would bind by itself, with the logs it ships with."""
    insights = Insights()
    insights.webhook_resources.add(Resource(*RESOURCE, kind="StagePodAutoscaler", namespaced=True))
    answer = functools.partial(
        serve_admission_request,
        settings=kopf.OperatorSettings(),
        memories=ResourceMemories(),
        memobase=kopf.Memo(),
        registry=registry,
        insights=insights,
        indices=OperatorIndexers().indices,
    )
    server = kopf.WebhookServer(
        addr="127.0.0.1", port=port, certfile=f"{certificates}/tls.crt", pkeyfile=f"{certificates}/tls.key"
    )
    async for _ in server(answer):
        pass


if __name__ == "__main__":
    kopf.configure()
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
