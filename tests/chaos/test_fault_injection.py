"""The same seed and the same requests get the same faults, in any order."""

from collections import Counter

from tests.chaos.fault_injection import Fault, FaultInjector

PATHS = [f"/apis/serving.knative.dev/v1/namespaces/a/stagepodautoscalers/s-{number}" for number in range(50)]


def injections(seed: int, paths: list[str], rounds: int = 20) -> dict[str, list[Fault]]:
    injector = FaultInjector(seed, rate=0.2)
    found: dict[str, list[Fault]] = {path: [] for path in paths}
    for _ in range(rounds):
        for path in paths:
            found[path].append(injector.injection("PATCH", path, watch=False).fault)
    return found


def test_a_fault_depends_on_the_seed_and_the_request_alone() -> None:
    assert injections(1, PATHS) == injections(1, PATHS[::-1])
    assert injections(1, PATHS) != injections(2, PATHS)


def test_the_rate_is_kept_and_every_fault_of_writes_occurs() -> None:
    met = Counter(fault for faults in injections(1, PATHS).values() for fault in faults)
    assert 0.15 < 1.0 - met[Fault.NONE] / met.total() < 0.25
    assert {
        Fault.CONFLICT,
        Fault.TOO_MANY,
        Fault.SERVER_ERROR,
        Fault.UNAVAILABLE,
        Fault.DENIED,
        Fault.UNANSWERED,
    } <= met.keys()


LEASE = "/apis/coordination.k8s.io/v1/namespaces/stagegate-system/leases/stagegate-loop"


def test_a_process_is_interrupted_at_its_own_write_and_only_then() -> None:
    injector = FaultInjector(1, rate=0.0)
    injector.interrupt_at(3, Fault.KILL_AFTER, "loop-1")
    requests = [
        ("GET", PATHS[0], "loop-1"),
        ("PATCH", PATHS[0], "loop-1"),
        ("PATCH", PATHS[0], "loop-2"),
        ("POST", PATHS[1], "loop-1"),
        ("PUT", LEASE, "loop-1"),
        ("PUT", PATHS[0], "loop-2"),
        ("PUT", PATHS[0], "loop-1"),
        ("PATCH", PATHS[0], "loop-1"),
    ]
    seen = [injector.injection(method, path, watch=False, who=who).fault for method, path, who in requests]
    assert [fault is Fault.KILL_AFTER for fault in seen] == [False] * 6 + [True, False]
