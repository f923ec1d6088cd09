"""The CRDs: whether both are served, and whose they are."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from webhook.api.kinds import GROUP, RO_PLURAL, SPA_PLURAL, VERSION
from webhook.diagnosis.doctor.installation import Installation, Unread, name_of
from webhook.diagnosis.doctor.result import FAILED, INSTALL_AGAIN, OK, UNKNOWN, WARNING, Result, listed

NAMES: Final = (f"{RO_PLURAL}.{GROUP}", f"{SPA_PLURAL}.{GROUP}")


def check(seen: Installation) -> Iterator[Result]:
    found = seen.definitions
    if isinstance(found, Unread):
        yield Result("crds", UNKNOWN, f"the CRDs cannot be read: {found.why}")
        return
    by_name = {name_of(one): one for one in found}
    missing = [name for name in NAMES if name not in by_name or not _is_served(by_name[name])]
    if missing:
        yield Result("crds", FAILED, f"not served: {listed(missing)}", INSTALL_AGAIN)
    else:
        yield Result("crds", OK, f"both kinds are served as {GROUP}/{VERSION}")
    others = [name for name in NAMES if name in by_name and not _is_ours(by_name[name])]
    if others:
        says = f"{listed(others)}: not Stagegate's, so that the rules of the schemas do not apply without the webhook"
        yield Result("crds-owner", WARNING, says, f"{INSTALL_AGAIN}; it keeps every object")
    elif not missing:
        yield Result("crds-owner", OK, "both are Stagegate's, with the rules in their schemas")


def _is_served(definition: Mapping[str, Any]) -> bool:
    versions = definition["spec"].get("versions") or ()
    conditions = {
        each.get("type"): each.get("status") for each in (definition.get("status") or {}).get("conditions") or ()
    }
    is_listed = any(each.get("name") == VERSION and each.get("served") for each in versions)
    return is_listed and conditions.get("Established") == "True"


def _is_ours(definition: Mapping[str, Any]) -> bool:
    return bool((definition["metadata"].get("labels") or {}).get("app.kubernetes.io/part-of") == "stagegate")
