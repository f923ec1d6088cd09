"""A local API server for Stagegate's objects: a place to try things, without a cluster."""

from sandbox.requestlog import RequestLog, RequestRecord
from sandbox.sandbox import Sandbox

__all__ = ["RequestLog", "RequestRecord", "Sandbox"]
