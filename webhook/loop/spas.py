"""SPAs in the cluster: the lister and the client of a pass, on a cache that shows the loop's own writes."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from webhook.api import StagePodAutoscaler, wire
from webhook.api.kinds import SERVICE_LABEL
from webhook.cluster.indexer import Indexer
from webhook.cluster.resource import POD_AUTOSCALERS, Resource
from webhook.loop.caches import BY_SERVICE
from webhook.loop.resource_writer import ResourceWriter

_LOG: Final = logging.getLogger(__name__)


class ClusterSPAs:
    """SPA client, lister and deleter in one.

    The loop owns the stage bounds: an update is a server-side apply of both under its field manager, on condition of
    the version that was read. ``absence`` says by the API's word why an SPA has no Revision, None if it may have one;
    it is asked before an SPA is deleted because its Revision cannot be seen. ``pod_autoscaler`` finds a PodAutoscaler
    on the wire by namespace and name; ``with_scales`` says how it counts.
    """

    def __init__(
        self,
        store: Indexer,
        writer: ResourceWriter,
        absence: Callable[[StagePodAutoscaler], str | None],
        pod_autoscaler: Callable[[str, str], wire.Wire | None],
    ) -> None:
        self._store = store
        self._writer = writer
        self._absence = absence
        self._pod_autoscaler = pod_autoscaler

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        found = self._store.get(namespace, name)
        return None if found is None else self._read(found)

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        service = labels.get(SERVICE_LABEL)
        if service is not None:
            candidates = self._store.by_index(BY_SERVICE, f"{namespace}/{service}")
        else:
            candidates = self._store.objects(namespace)
        spas = map(self._read, candidates)
        return [spa for spa in spas if labels.items() <= spa.metadata.labels.items()]

    def create(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        created = StagePodAutoscaler.from_dict(self._writer.create(spa.to_dict()))
        _LOG.info("created StagePodAutoscaler %s/%s with bounds %s", spa.namespace, spa.name, bounds_of(created))
        return created

    def update(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        wanted = {"stageMinScale": spa.stage_min_scale, "stageMaxScale": spa.stage_max_scale}
        present = {key: value for key, value in wanted.items() if value is not None}
        stored = self._writer.apply_spec({"metadata": spa.metadata.wire}, present)
        # An apply leaves a bound in place that another manager, or an earlier create of ours, owns.
        left = {key: None for key, value in wanted.items() if value is None and key in (stored.get("spec") or {})}
        if left:
            stored = self._writer.patch(stored, {"spec": left})
        updated = StagePodAutoscaler.from_dict(stored)
        _LOG.info("set StagePodAutoscaler %s/%s to bounds %s", spa.namespace, spa.name, bounds_of(updated))
        return updated

    def delete(self, spa: StagePodAutoscaler) -> str | None:
        absence = self._absence(spa)
        if absence is not None:
            self._writer.delete({"metadata": spa.metadata.wire})
            _LOG.info("deleted StagePodAutoscaler %s/%s: %s", spa.namespace, spa.name, absence)
        return absence

    def _read(self, one: wire.Wire) -> StagePodAutoscaler:
        spa = StagePodAutoscaler.from_dict(one)
        return with_scales(spa, self._pod_autoscaler(spa.namespace, spa.name))


def with_scales(spa: StagePodAutoscaler, pod_autoscaler: Mapping[str, Any] | None) -> StagePodAutoscaler:
    """The SPA as it counts while its PodAutoscaler reports other scales than the status that is stored.

    Then the update of the status has failed, or is still to come. What goes up is ready by the smaller actual scale
    only, what goes down by the larger desired one, so that nothing is lowered for replicas that have ended meanwhile.
    """
    reported = None if pod_autoscaler is None else reported_scales(pod_autoscaler)
    stored = spa.desired_scale, spa.actual_scale
    if reported is None or stored[0] is None or stored[1] is None or reported == stored:
        return spa
    scales = (*reported, stored[0], stored[1])
    return replace(spa, desired_scale=max(scales), actual_scale=min(scales))


def reported_scales(pod_autoscaler: Mapping[str, Any]) -> tuple[int, int] | None:
    """Desired and actual scale in the status of a PodAutoscaler; None unless both are there.

    Raises MalformedObject.
    """
    desired, actual = (status_number(POD_AUTOSCALERS, pod_autoscaler, key) for key in ("desiredScale", "actualScale"))
    return None if desired is None or actual is None else (desired, actual)


def status_number(resource: Resource, one: Mapping[str, Any], member: str) -> int | None:
    """A number in the status of an object on the wire, None if it is absent. Raises MalformedObject, with its name."""
    place = f"{resource.kind} {(one.get('metadata') or {}).get('name')}: status"
    status = one.get("status")
    return wire.integer(status if isinstance(status, Mapping) else {}, member, place, 32)


def bounds_of(spa: StagePodAutoscaler) -> str:
    """``0..3``, a dash for an absent bound."""
    return "..".join("-" if bound is None else str(bound) for bound in spa.bounds)
