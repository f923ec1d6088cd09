"""A real kube-apiserver and etcd on loopback, for the tests that must not be judged by the sandbox alone."""

from tests.controlplane.access import PEOPLE
from tests.controlplane.binaries import Binaries, Unavailable
from tests.controlplane.plane import ControlPlane

__all__ = ["PEOPLE", "Binaries", "ControlPlane", "Unavailable"]
