"""Delete: at once, or by marking what has a grace period, finalizers or contents."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sandbox.admission.attributes import DELETE, Attributes
from sandbox.admission.chain import Chain
from sandbox.calls import Call
from sandbox.definitions import CLEANUP
from sandbox.failures import bad_request, conflict, not_found, not_implemented, success
from sandbox.intake import parse
from sandbox.objects import Object, format_time, metadata, name_of, parse_time, uid_of, with_metadata
from sandbox.resources import Resource
from sandbox.store import Store, VersionConflict


class Deleter:
    """Carries deletions through preconditions and admission into the store."""

    def __init__(self, store: Store, chain: Chain, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock

    def delete(self, call: Call) -> tuple[Object, bool]:
        """Delete one object; returns the answer, and whether it is the object itself. Raises ApiError."""
        options = _options(call)
        for _ in range(10):
            live = self._store.get(call.resource.place, call.key)
            if live is None:
                raise not_found(call.resource.plural, call.resource.group, call.name)
            _check_preconditions(options.get("preconditions") or {}, live, call.resource)
            self._admit(call, live, options)
            try:
                return self._end(call, live, options)
            except VersionConflict:
                continue
        raise conflict(call.resource.plural, call.resource.group, call.name)

    def _admit(self, call: Call, live: Object, options: Object) -> None:
        attributes = Attributes(
            operation=DELETE,
            resource=call.resource,
            subresource="",
            namespace=call.namespace
            or (call.name if call.resource.kind == "Namespace" and not call.resource.group else ""),
            name=name_of(live),
            object=None,
            old=live,
            options=call.options("DeleteOptions")
            | {k: v for k, v in options.items() if k not in ("kind", "apiVersion")},
            dry_run=_is_dry_run(call, options),
            user=call.user,
            namespace_object=self._chain.namespace(call.namespace),
            warnings=call.warnings,
        )
        self._chain.mutate(attributes, lambda changed: changed)
        self._chain.validate(attributes)

    def _end(self, call: Call, live: Object, options: Object) -> tuple[Object, bool]:
        resource = call.resource
        marked = marked_for_deletion(live, resource, options, self._clock())
        if _waits(marked, resource):
            if marked is live or _is_dry_run(call, options):
                return marked, True
            return self._store.update(resource.place, marked, live), True
        if not _is_dry_run(call, options):
            live = self._store.delete(resource.place, live)
        if resource.returns_deleted:
            return (marked if resource.graceful else live), True
        details = {"name": name_of(live), "group": resource.group, "kind": resource.plural, "uid": uid_of(live)}
        return success({key: value for key, value in details.items() if value}), False


def marked_for_deletion(live: Object, resource: Resource, options: Object, now: datetime) -> Object:
    """The object with what a deletion writes into it; the object itself where it is marked already and no sooner."""
    grace, meta = _grace(live, resource, options), metadata(live)
    if "deletionTimestamp" in meta:
        return _marked_again(live, grace)
    changed: dict[str, Any] = {
        "deletionTimestamp": format_time(now + timedelta(seconds=grace)),
        "deletionGracePeriodSeconds": grace,
        "generation": meta["generation"] + 1 if meta.get("generation") else None,
    }
    if (resource.group, resource.kind) == ("apiextensions.k8s.io", "CustomResourceDefinition"):
        finalizers = meta.get("finalizers") or []
        changed |= {"finalizers": [*finalizers, CLEANUP], "generation": meta.get("generation")}
        changed["deletionGracePeriodSeconds"] = None
    if (resource.group, resource.kind) == ("", "Namespace"):
        changed["deletionGracePeriodSeconds"] = None
        live = {**live, "status": {**(live.get("status") or {}), "phase": "Terminating"}}
    return with_metadata(live, **changed)


def _marked_again(live: Object, grace: int) -> Object:
    """A second deletion may shorten the grace period."""
    meta = metadata(live)
    before, end = meta.get("deletionGracePeriodSeconds"), parse_time(meta["deletionTimestamp"])
    if before is not None and end is not None and grace < before:
        end += timedelta(seconds=grace - before)
        live = with_metadata(live, deletionTimestamp=format_time(end), deletionGracePeriodSeconds=grace)
    return live


def _waits(marked: Object, resource: Resource) -> bool:
    meta = metadata(marked)
    contents = (resource.group, resource.kind) == ("", "Namespace") and (marked.get("spec") or {}).get("finalizers")
    return bool(meta.get("finalizers") or meta.get("deletionGracePeriodSeconds") or contents)


def _is_dry_run(call: Call, options: Object) -> bool:
    return call.dry_run or options.get("dryRun") == ["All"]


def _options(call: Call) -> Object:
    value: Any = parse(call.body, call.content_type) if call.body.strip() else {}
    if not isinstance(value, dict) or value.get("kind") not in (None, "DeleteOptions"):
        kind, version = (value.get("kind"), value.get("apiVersion")) if isinstance(value, dict) else ("", "")
        raise bad_request(f'no kind "{kind}" is registered for version "{version}" as options of a deletion')
    options: Object = dict(value)
    for name in ("gracePeriodSeconds", "propagationPolicy"):
        if name in call.query:
            stated = call.query[name]
            options[name] = int(stated) if name == "gracePeriodSeconds" and stated.lstrip("-").isdigit() else stated
    grace = options.get("gracePeriodSeconds")
    policy = options.get("propagationPolicy")
    if policy not in (None, "Background"):
        raise not_implemented(f"propagationPolicy {policy}; leave it out, or say Background")
    if options.get("orphanDependents"):
        raise not_implemented("orphanDependents; leave it out")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise bad_request("gracePeriodSeconds must be a whole number")
    return options


def _check_preconditions(stated: Object, live: Object, resource: Resource) -> None:
    uid, version = stated.get("uid"), stated.get("resourceVersion")
    if uid is not None and uid != uid_of(live):
        raise conflict(
            resource.kind,
            resource.group,
            name_of(live),
            f"the UID in the precondition ({uid}) does not match the UID in record ({uid_of(live)}). "
            "The object might have been deleted and then recreated",
        )
    if version is not None and version != metadata(live)["resourceVersion"]:
        raise conflict(
            resource.kind,
            resource.group,
            name_of(live),
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
            f"({metadata(live)['resourceVersion']}). The object might have been modified",
        )


def _grace(live: Object, resource: Resource, options: Object) -> int:
    """Seconds a pod is given: as asked, else as its spec says; none before it is scheduled or after it has ended."""
    if not resource.graceful:
        return 0
    spec, phase = live.get("spec") or {}, (live.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    seconds = asked if asked is not None else spec.get("terminationGracePeriodSeconds", 30)
    return max(int(seconds), 0) if seconds >= 0 else 1
