"""A local API server for Stagegate's objects: a place to try things, without a cluster."""

from webhook.sandbox.requestlog import RequestLog, RequestRecord
from webhook.sandbox.sandbox import Sandbox

__all__ = ["RequestLog", "RequestRecord", "Sandbox"]
