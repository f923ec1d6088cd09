"""The API server: whether it answers, and whether it is recent enough for the manifests."""

import re
from collections.abc import Iterator
from typing import Final

from webhook.diagnosis.doctor.installation import Installation
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, Result

OLDEST: Final = (1, 30)
"""The oldest Kubernetes that serves what the manifests use."""


def check(seen: Installation) -> Iterator[Result]:
    version = str(seen.server_version.get("gitVersion") or "")
    yield Result("api-server", OK, f"the API server answers: Kubernetes {version or 'of an unknown version'}")
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        yield Result("api-server-version", UNKNOWN, f"the version {version!r} cannot be read")
    elif (int(found[1]), int(found[2])) < OLDEST:
        least = ".".join(map(str, OLDEST))
        yield Result("api-server-version", FAILED, f"Kubernetes {version} is too old", f"update it to {least} or newer")
    else:
        yield Result("api-server-version", OK, f"Kubernetes {version} serves what the manifests use")
