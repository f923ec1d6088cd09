"""The demo on Knative's own programs: a Service is edited, and what happens to its traffic and pods is printed."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.e2e.tenant import MIN_SCALE, Tenant, service
from tests.rig.rig import Rig
from tests.rig.stagegate import Stagegate
from tests.rig.timeline import State

_SERVICE: Final = "shop"
_REPLICAS: Final = 4
_PEAK: Final = 5
_WITHIN: Final = 180.0
_TRACES: Final = {"routes": "stagegate.dev/hold", "revisions": "autoscaling.knative.dev/stagegate-own"}


def show() -> int:
    """Roll out an edit beside an untouched twin; 0 if it went as it should, 1 if not."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stagegate-demo-") as folder, Rig.start() as rig, rig.inside():
        _say(f"Knative Serving {rig.release.version}, unmodified, on a real API server: {_seconds(started)}")
        stagegate = Stagegate(rig, Path(folder))
        try:
            stagegate.install()
            stagegate.start()
            _say(f"Stagegate, from manifests/: {_seconds(started)}")
            return _tell(rig)
        finally:
            stagegate.stop()


def _tell(rig: Rig) -> int:
    alone, staged = Tenant(rig, "alone"), Tenant(rig, "staged", {"stagegate.dev/progressive": "true"})
    for tenant in (alone, staged):
        tenant.apply(_edition("1"))
        tenant.await_ready(_SERVICE)
    _say(f"\nService {_SERVICE} runs {_REPLICAS} pods in two namespaces. Each gets a new image.")
    alone_peak = _follow(alone, "Knative alone")
    staged_peak = _follow(staged, "with the label stagegate.dev/progressive=true on the namespace")
    _say(f"\nPeak: {alone_peak} pods alone, {staged_peak} in stages.")
    if staged_peak > _PEAK:
        _say(f"At most {_PEAK} were expected in stages.")
    return int(staged_peak > _PEAK)


def _follow(tenant: Tenant, how: str) -> int:
    """Edit the Service and print what changes until it has settled; the peak."""
    _say(f"\n{how}:")
    before, started, last = tenant.version(), time.monotonic(), ""
    tenant.apply(_edition("2"))
    while time.monotonic() < started + _WITHIN:
        state = tenant.record().end
        line = _line(state)
        if line != last:
            _say(f"  {time.monotonic() - started:5.1f} s  {line}")
            last = line
        if _is_over(state):
            return tenant.record().peak(before)
        time.sleep(0.1)
    raise TimeoutError(f"Service {tenant.name}/{_SERVICE} is not through after {_WITHIN:.0f} s: {tenant.story()}")


def _edition(number: str) -> dict[str, Any]:
    scaling = {MIN_SCALE: str(_REPLICAS), "rollout.knative.dev/over-consumption-ratio": "25"}
    return service(_SERVICE, version=number, image=f"dev.local/{_SERVICE}:{number}", scaling=scaling)


def _line(state: State) -> str:
    shares, ready = state.shares(_SERVICE), state.ready_pods()
    names = sorted(shares.keys() | ready.keys())
    pods = {name: f"{ready.get(name, 0)} pod{'' if ready.get(name, 0) == 1 else 's'}" for name in names}
    return "   ".join(f"{name} {shares.get(name, 0):3} % on {pods[name]}" for name in names)


def _is_over(state: State) -> bool:
    left = [
        name for plural, key in _TRACES.items() for name in state.all(plural) if state.annotation(plural, name, key)
    ]
    new = f"{_SERVICE}-00002"
    return state.is_ready(_SERVICE) and not left and state.running() == {new: _REPLICAS}


def _seconds(started: float) -> str:
    return f"up after {time.monotonic() - started:.0f} s"


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
