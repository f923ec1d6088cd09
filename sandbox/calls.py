"""One request to the API: what is asked of which object, by whom and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox.failures import invalid, unsupported
from sandbox.identity import User
from sandbox.objects import Key, Object
from sandbox.resources import Resource

_VALIDATIONS: Final = ("", "Ignore", "Strict", "Warn")
_LONGEST_MANAGER: Final = 128


@dataclass(slots=True)
class Call:
    """A request whose path is understood. ``warnings`` is what its answer will carry in headers."""

    verb: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    user_agent: str
    query: Mapping[str, str]
    body: bytes = b""
    content_type: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    @property
    def field_validation(self) -> str:
        return self.query.get("fieldValidation") or "Warn"

    @property
    def manager(self) -> str:
        """The field manager: stated, else the first word of the user agent."""
        return self.query.get("fieldManager") or self.user_agent.partition("/")[0][:_LONGEST_MANAGER] or "unknown"

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true", "t")

    def options(self, kind: str) -> Object:
        """The options as an AdmissionReview carries them."""
        options: Object = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
        if self.query.get("fieldManager"):
            options["fieldManager"] = self.query["fieldManager"]
        if self.query.get("fieldValidation"):
            options["fieldValidation"] = self.query["fieldValidation"]
        if self.dry_run:
            options["dryRun"] = ["All"]
        return options

    def check_options(self, kind: str) -> None:
        """Refuse options that mean nothing. Raises ApiError 422."""
        for name, known in (("dryRun", ("", "All")), ("fieldValidation", _VALIDATIONS)):
            if self.query.get(name, "") not in known:
                raise invalid(kind, "meta.k8s.io", "", [unsupported(name, self.query[name], known)])
