"""Twin: the same Service in a namespace without rollouts in stages, and how the two ends differ."""

import json
import re
from typing import Any, Final

from tests.chaos.knative.person import NUMBER, SERVICE, Person
from tests.e2e.tenant import Tenant, differences, service

Wire = dict[str, Any]

_OURS: Final = ("stagegate.dev/progressive", "touched")
"""What somebody wrote into one of the two Services only."""
_COPIES: Final = ("metrics", "serverlessservices", "/api/v1/services")
"""Kinds that keep the annotations with which a Revision was created; Knative does not read them there."""
_NAME: Final = re.compile(SERVICE + r"-\d{5}")
_NUMBER: Final = re.compile(r'("VERSION", "value": |"serving.knative.dev/configurationGeneration": )"\d+"')


class Twin:
    """Deploys a Service, and edits it until it is what that of a person is now."""

    def __init__(self, person: Person, revisions: int) -> None:
        """``revisions`` is how many the person's Service has."""
        spec = person.wire["spec"]
        template = {key: value for key, value in spec.items() if key != "traffic"}
        self.tenant = Tenant(person.tenant.rig, f"{person.tenant.name}-twin")
        self._steps: list[tuple[str, Wire]] = []
        if revisions > 1:
            first = service(SERVICE, version="0", scaling=dict(person.scaling))["spec"]
            self._steps.append((f"{SERVICE}-00001", first))
        self._steps.append((f"{SERVICE}-0000{len(self._steps) + 1}", template))
        if "traffic" in spec:
            name = f"{SERVICE}-00001"
            self._steps.append((name, template | {"traffic": [{"revisionName": name, "percent": 100}]}))
        self.serving = ""

    def step(self) -> bool:
        """Take the next step once the last one is done; True when all are."""
        if self.serving and not self._is_done():
            return False
        if not self._steps:
            return True
        self.serving, spec = self._steps.pop(0)
        self.tenant.apply(service(SERVICE) | {"spec": spec})
        return False

    def _is_done(self) -> bool:
        state = self.tenant.record().end
        running = dict(state.running()) == {self.serving: NUMBER}
        return state.is_ready(SERVICE) and running and state.shares(SERVICE) == {self.serving: 100}


def unlike(person: Person, twin: Twin) -> list[str]:
    """Where the ends of the two differ, as far as it is not written in the Service.

    Of the revisions without traffic each is compared with the one of the twin, but for those that never were Ready.
    """
    theirs, ours = _by_revision(twin.tenant, twin.serving), _by_revision(person.tenant, person.serving)
    other = next((name for name in theirs if name not in ("", twin.serving)), "")
    found = []
    for name, objects in ours.items():
        if name not in person.broken:
            like = twin.serving if name == person.serving else other if name else ""
            found += [f"{name or SERVICE}: {line}" for line in differences(theirs[like], objects)]
    return [line for line in found if not _is_known(line)]


def _by_revision(tenant: Tenant, serving: str) -> dict[str, dict[str, Wire]]:
    """What is stored, by the revision that its name has, with roles in place of the names of revisions."""
    found: dict[str, dict[str, Wire]] = {}
    for path, wire in tenant.stored().items():
        name = match.group() if (match := _NAME.search(path)) else ""
        found.setdefault(name, {})[_with_roles(path, serving)] = json.loads(_with_roles(json.dumps(wire), serving))
    return found


def _with_roles(text: str, serving: str) -> str:
    text = _NAME.sub(lambda match: "SERVING" if match.group() == serving else "OTHER", text)
    return _NUMBER.sub(r'\1"N"', text)


def _is_known(line: str) -> bool:
    if any(ours in line for ours in _OURS):
        return True
    return "annotations" in line and any(f"{kind}/" in line for kind in _COPIES)
