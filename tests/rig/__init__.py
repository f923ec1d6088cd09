"""Unmodified Knative Serving on a real API server, for tests and a demo; nodes, pods and the ingress are simulated."""

from tests.rig.release import Unavailable
from tests.rig.rig import Rig

__all__ = ["Rig", "Unavailable"]
