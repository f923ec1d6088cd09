"""The wiring of the loop: informers add keys to a queue, and workers reconcile them."""

import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from webhook.api.kinds import SETTINGS_NAME
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError
from webhook.cluster.events import Event, reference_to
from webhook.cluster.indexer import Change, key_of
from webhook.cluster.resource import (
    CONFIG_MAPS,
    NAMESPACES,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.work_queue import WorkQueue
from webhook.knative.service_decision import ServiceDecision
from webhook.loop.caches import RESOURCES, Caches
from webhook.loop.event_messages import ClusterEvents
from webhook.loop.loop_options import LoopOptions
from webhook.loop.metrics import Metrics
from webhook.loop.observation import Observer
from webhook.loop.pods import ClusterPods
from webhook.loop.reconciler import RolloutReconciler
from webhook.loop.resource_writer import ResourceWriter
from webhook.loop.result import Result
from webhook.loop.reverts import Reverts
from webhook.loop.revisions import ClusterConditions, ClusterRevisions
from webhook.loop.rollout_figures import RolloutFigures, rollout_figures
from webhook.loop.rollout_settings import ClusterSettings
from webhook.loop.routing import ROLLOUT, Key, Router
from webhook.loop.service_reconciler import ClusterTraffic, ServiceReconciler
from webhook.loop.spa_reconciler import SPAReconciler
from webhook.loop.spas import ClusterSPAs
from webhook.loop.stage_pass import StagePass
from webhook.loop.upstream_controllers import UpstreamControllers
from webhook.loop.workers import Workers

_LOG: Final = logging.getLogger(__name__)

_WHILE_OUTDATED: Final = 1.0
"""Seconds after which a key is tried again while the caches are read again."""


class Loop:
    """Watches nothing until ``watch``, and writes nothing until ``work``."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        options: LoopOptions,
        metrics: Metrics,
        record: Callable[[Event], None],
        supervisor: Supervisor | None = None,
    ) -> None:
        self._options = options
        self._supervisor = supervisor or Supervisor(clock.monotonic)
        self._clock = clock
        self._working = False
        self._stopped = threading.Event()
        self.caches = caches = Caches(
            client,
            clock,
            self._changed,
            namespaces=options.namespaces,
            settings_namespace=options.settings_namespace,
            resources=_watched(options),
            on_count=metrics.reflected,
            supervisor=self._supervisor,
        )
        for cache in caches:
            if cache is not caches.autoscaler_settings:
                metrics.ask_cache(cache.resource, cache.store.__len__, cache.age)
        self.queue: WorkQueue[Key] = WorkQueue(clock.monotonic, metrics=metrics)
        self._record = record
        self._settings = settings = ClusterSettings(caches.settings.store)
        metrics.ask_settings(settings.current)
        metrics.ask_rollouts(self._figures)
        routes = ResourceWriter(client, ROUTES, caches.routes.store)
        self.services: ServiceReconciler | None = None
        if _is_stock_knative(options):
            self.services = _services(client, clock, caches, routes, settings, options, record, metrics)
        traffic = ClusterTraffic(caches, routes) if self.services is not None else None
        self.reconciler = _reconciler(client, clock, caches, settings, options, metrics, record, traffic)
        concerns = self.services.concerns if self.services is not None else None
        self._router = Router(caches, self.reconciler.spas.rollout_of, concerns)
        self.workers = Workers(self.queue, self.reconcile, metrics, options.concurrency, self._supervisor)

    def _figures(self) -> RolloutFigures:
        """The figures of a loop that leads; one that stands by has none."""
        if not self._working:
            return RolloutFigures()
        caches = self.caches
        routes, rollouts = caches.routes.store.objects(), caches.rollouts.store.objects()
        return rollout_figures(routes, rollouts, self._clock.now(), caches.revisions.get)

    def watch(self) -> None:
        """Start the informers."""
        self.caches.start()

    def work(self) -> None:
        """Start the threads that reconcile, which do so from ``begin`` on."""
        self.workers.start()
        if self._options.resync > 0:
            self._supervisor.start("resync", self._resync, self._stopped.wait, after=self._options.resync)

    def begin(self) -> None:
        """Enqueue everything once, and every change from now on: the caches are ready, and this process may write."""
        self._working = True
        self.enqueue_everything()

    def pause(self) -> None:
        """Reconcile nothing more until ``begin``. The fence stops the writes of a reconcile in progress."""
        self._working = False

    def list_again(self) -> None:
        """Read everything again: the API server has lost data."""
        self.caches.list_again()

    def enqueue_everything(self, within: float = 0.0) -> None:
        """Enqueue every rollout, and every SPA without one, at random times within so many seconds."""
        rollouts = {*self._router.every_rollout(), *self._router.every_service()}
        self._enqueue(rollouts, within)
        self._emit_ignored_settings()
        keys: set[Key] = set()
        for one in self.caches.spas.store.objects():
            keys |= self._router.keys(STAGE_POD_AUTOSCALERS, Change(None, one))
        self._enqueue(keys - rollouts, within)

    def _enqueue(self, keys: Iterable[Key], within: float) -> None:
        for key in sorted(keys):
            self.queue.add_after(key, within * random.random())  # noqa: S311

    def stop(self, seconds: float) -> bool:
        """Finish what is due and stop; False if that took longer than ``seconds`` and was given up."""
        self._stopped.set()
        done = self.workers.stop(seconds)
        self.caches.stop()
        return done

    def reconcile(self, key: Key) -> Result:
        """Reconcile one key, unless paused; later while everything is read again. Raises ApiError, MalformedObject."""
        if not self._working:
            return Result()
        if self.caches.outdated:
            return Result(requeue_after=(_WHILE_OUTDATED,))
        if key.kind == ROLLOUT:
            return self._reconcile_rollout(key.namespace, key.name)
        self.reconciler.spas.reconcile(key.namespace, key.name)
        return Result()

    def _reconcile_rollout(self, namespace: str, name: str) -> Result:
        """The Service, the RO of its name, and the Service again: the stage has other bounds then, or is the last."""
        if self.services is None:
            return self.reconciler.reconcile(namespace, name)
        try:
            before, result = self._carry_on(self.services, namespace, name)
        except ApiError as problem:
            self.services.was_refused(namespace, name, problem)
            raise
        if before.carries_on:
            self.services.was_refused(namespace, name, result.retry)
        return result

    def _carry_on(self, services: ServiceReconciler, namespace: str, name: str) -> tuple[ServiceDecision, Result]:
        before = services.reconcile(namespace, name)
        result = self.reconciler.reconcile(namespace, name) if before.carries_on else Result()
        after = services.reconcile(namespace, name)
        wished = (before.requeue_after, after.requeue_after)
        delays = [*result.requeue_after, *(delay for delay in wished if delay is not None)]
        return before, replace(result, requeue_after=tuple(sorted(delays)))

    def _changed(self, resource: Resource, change: Change) -> None:
        if resource is CONFIG_MAPS:
            # Before this process leads, too, so that it then knows the last settings that could be read.
            self._settings.current()
        if resource is STAGE_POD_AUTOSCALERS and change.after is None:
            self.reconciler.spas.reverts.forget(*key_of(change.object))
        if not self._working:
            return
        if resource is CONFIG_MAPS:
            _LOG.info("ConfigMap %s has changed: every rollout is reconciled", key_of(change.object)[1])
            if key_of(change.object)[1] == SETTINGS_NAME:
                self._emit_ignored_settings()
        if resource is REVISIONS and change.before is None and self.services is not None:
            self.services.was_born(change.object)
        try:
            keys = self._router.keys(resource, change)
        except Exception:
            # It is unknown whom the change concerns: every rollout of the namespace is enqueued. The reflector logs.
            for one in self.caches.rollouts.store.objects(key_of(change.object)[0] or None):
                self.queue.add(Key(ROLLOUT, *key_of(one)))
            raise
        for key in keys:
            self.queue.add(key)

    def _emit_ignored_settings(self) -> None:
        """Emit an Event on the ConfigMap for what has no effect in it."""
        one = self._settings.config_map()
        if one is not None:
            regarding = reference_to(CONFIG_MAPS, one["metadata"])
            for event in self._settings.current().events:
                self._record(Event(regarding, "Warning", event.reason, event.message))

    def _resync(self) -> float:
        self.enqueue_everything(within=min(60.0, self._options.resync / 2))
        return self._options.resync


def _is_stock_knative(options: LoopOptions) -> bool:
    return options.steps and options.stock_knative


def _watched(options: LoopOptions) -> Iterable[Resource]:
    if not options.steps:
        return (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS)
    return RESOURCES if options.stock_knative else tuple(one for one in RESOURCES if one is not NAMESPACES)


def _services(
    client: Client,
    clock: Clock,
    caches: Caches,
    routes: ResourceWriter,
    settings: ClusterSettings,
    options: LoopOptions,
    record: Callable[[Event], None],
    metrics: Metrics,
) -> ServiceReconciler:
    return ServiceReconciler(
        caches=caches,
        client=client,
        routes=routes,
        revisions=ResourceWriter(client, REVISIONS, caches.revisions.store),
        rollouts=ResourceWriter(client, ROLLOUT_ORCHESTRATORS, caches.rollouts.store),
        record=record,
        clock=clock,
        settings=settings,
        options=options.services,
        count=metrics.service_event,
        foreign=UpstreamControllers(client, options.settings_namespace, clock).running,
    )


def _reconciler(
    client: Client,
    clock: Clock,
    caches: Caches,
    settings: ClusterSettings,
    options: LoopOptions,
    metrics: Metrics,
    record: Callable[[Event], None],
    traffic: ClusterTraffic | None,
) -> RolloutReconciler:
    spa_writer = ResourceWriter(client, STAGE_POD_AUTOSCALERS, caches.spas.store)
    events = ClusterEvents(record)
    reverts = Reverts(clock.monotonic, events.emit, metrics.reverted)
    pods = ClusterPods(client, caches.pods)
    revisions = ClusterRevisions(client, caches.revisions)
    conditions = ClusterConditions(caches.pod_autoscalers, caches.revisions)
    spas = ClusterSPAs(caches.spas.store, spa_writer, revisions.absence_in_api, caches.pod_autoscalers.get)
    stages = StagePass(
        spas=spas,
        lister=spas,
        pods=pods,
        revisions=revisions,
        deleter=spas,
        events=events,
        clock=clock.now,
        force_delete=options.force_delete,
        grace=timedelta(seconds=options.spa_grace),
        conditions=conditions,
        reverts=reverts,
        traffic=traffic,
    )
    spa_reconciler = SPAReconciler(caches, spa_writer, pods, reverts, events, clock.now, writes_status=options.steps)
    return RolloutReconciler(
        caches=caches,
        observer=Observer(caches, settings, revisions, conditions, spa_reconciler.rollout_of),
        rollouts=ResourceWriter(client, ROLLOUT_ORCHESTRATORS, caches.rollouts.store),
        spas=spa_reconciler,
        stages=stages,
        events=events,
        clock=clock,
        steps=options.steps,
        stage_took=metrics.stage_took,
    )
