"""The writes of a settled rollout's first reconcile from a client that decides nothing: what the API server allows."""

import argparse
import http.client
import json
import queue
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from kubernetes import client, config

Wire = dict[str, Any]
REQUESTS: Final = 16
"""For each rollout: as many as the loop sends, of the same kinds."""
_SERVING: Final = "/apis/serving.knative.dev/v1/namespaces/default"
_TIME: Final = "2026-01-01T00:00:00Z"
_MERGE: Final = "application/merge-patch+json"


def writes_of(service: str) -> Iterator[tuple[str, str, str, Wire]]:
    """Method, path, content type and body of each, in order; the service is one that ``Cluster.make_settled`` made."""
    spas, ro = f"{_SERVING}/stagepodautoscalers", f"{_SERVING}/rolloutorchestrators/{service}"
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "RolloutOrchestrator", "name": service}
    owner |= {"uid": "00000000-0000-0000-0000-000000000000"}
    owners = {"metadata": {"ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}]}}
    for number in range(1, 5):
        yield "PATCH", f"{spas}/{service}-{number:05}", _MERGE, owners
        yield "PATCH", f"{spas}/{service}-{number:05}/status", _MERGE, _spa_status(0)
    entry = {"revisionName": f"{service}-00005", "percent": 100, "minScale": 1, "maxScale": 10, "latestRevision": True}
    yield "PATCH", ro, _MERGE, {"spec": {"stageTargetRevisions": [entry], "targetFinishTime": _TIME}}
    labels = {"serving.knative.dev/revision": f"{service}-00005", "serving.knative.dev/service": service}
    spa = {"apiVersion": "serving.knative.dev/v1", "kind": "StagePodAutoscaler", **owners}
    spa["metadata"] = {**owners["metadata"], "name": f"{service}-00005", "labels": labels}
    yield "POST", spas, "application/json", {**spa, "spec": {"stageMinScale": 1, "stageMaxScale": 10}}
    yield "PATCH", f"{ro}/status", _MERGE, _ro_status("Unknown", entry)
    yield "PATCH", f"{spas}/{service}-00005/status", _MERGE, _spa_status(1)
    yield "PATCH", f"{ro}/status", _MERGE, _ro_status("True", entry)
    for number in range(3):
        yield "POST", "/api/v1/namespaces/default/events", "application/json", _event(service, number)


def main(arguments: list[str]) -> int:
    """Send them for some services, and print the seconds that took."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plain", description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--connections", type=int, default=16, metavar="N")
    parser.add_argument("services", nargs="+")
    options = parser.parse_args(arguments)
    configuration = client.Configuration()
    load: Any = config.load_kube_config
    load(options.kubeconfig, client_configuration=configuration, persist_config=False)
    services: queue.SimpleQueue[str] = queue.SimpleQueue()
    for service in options.services:
        services.put(service)
    problems: list[str] = []
    threads = [
        threading.Thread(target=_send, args=(configuration, services, problems)) for _ in range(options.connections)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        print(problems[0], file=sys.stderr)
        return 1
    print(time.monotonic() - began)
    return 0


def _send(configuration: Any, services: "queue.SimpleQueue[str]", problems: list[str]) -> None:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    credentials = {one["key"]: one["value"] for one in configuration.auth_settings().values()}
    connection = http.client.HTTPSConnection(urlsplit(configuration.host).netloc, context=context)
    while True:
        try:
            service = services.get_nowait()
        except queue.Empty:
            connection.close()
            return
        for method, path, content_type, body in writes_of(service):
            connection.request(method, path, json.dumps(body).encode(), {"Content-Type": content_type, **credentials})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status not in (200, 201):
                problems.append(f"{method} {path}: {answer.status} {text[:300]!r}")


def _spa_status(scale: int) -> Wire:
    conditions = [_condition("PodAutoscalerStageReady", "True"), _condition("Ready", "True")]
    return {"status": {"desiredScale": scale, "actualScale": scale, "replicasTerminating": 0, "conditions": conditions}}


def _ro_status(ready: str, entry: Wire) -> Wire:
    types = ("LastStageReady", "Ready", "StageReady", "StageScaleDownReady", "StageScaleUpReady")
    status = {"conditions": [_condition(type_, ready) for type_ in types], "observedGeneration": 2}
    status["annotations"] = {"stagegate.dev/planned-targets": f'[["{entry["revisionName"]}",100]]'}
    return {"status": status | ({"stageRevisionStatus": [entry]} if ready == "True" else {})}


def _condition(type_: str, status: str) -> Wire:
    return {"type": type_, "status": status, "lastTransitionTime": _TIME}


def _event(service: str, number: int) -> Wire:
    regarding = {"apiVersion": "serving.knative.dev/v1", "kind": "RolloutOrchestrator", "name": service}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{service}.{number}", "namespace": "default"},
        "involvedObject": {**regarding, "namespace": "default"},
        "type": "Normal",
        "reason": "StageComplete",
        "message": f"{service}-00005 100% of traffic",
        "source": {"component": "bench"},
        "firstTimestamp": _TIME,
        "lastTimestamp": _TIME,
        "count": 1,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
