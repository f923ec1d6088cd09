"""Lists, tables and watches."""

from typing import Final

from tests.e2e.conformance.steps import (
    SPA,
    TABLE,
    get,
    post,
    spa,
)

READS: Final = [
    post(SPA, spa("a", {"stageMinScale": 1}, labels={"x": "1"})),
    post(SPA, spa("b", {"stageMaxScale": 2})),
    get(SPA, TABLE),
    get(f"{SPA}/a", TABLE),
    get(f"{SPA}?includeObject=None", TABLE),
    get(f"{SPA}/none", TABLE),
    get(SPA, "text/html"),
    get(f"{SPA}?fieldSelector=metadata.name=a"),
    get(f"{SPA}?fieldSelector=spec.x=a"),
    get(f"{SPA}?labelSelector=x=1"),
    get(f"{SPA}?labelSelector=a%20b"),
    get(f"{SPA}?limit=x"),
    get(f"{SPA}?watch=true&timeoutSeconds=1"),
    get(f"{SPA}?watch=true&timeoutSeconds=1", TABLE),
    get(f"{SPA}?watch=true&timeoutSeconds=1&resourceVersion=abc"),
    get(f"{SPA}?watch=true&timeoutSeconds=1&fieldSelector=foo=zz"),
    get("/healthz"),
    get("/readyz"),
]
