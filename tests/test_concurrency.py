"""Every place of the product that starts a thread or a task, and the test that makes what it starts raise."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for package in ("webhook", "certs") for path in (ROOT / package).rglob("*.py"))

STARTING: Final = {
    "Thread",
    "Timer",
    "ThreadPoolExecutor",
    "ProcessPoolExecutor",
    "Process",
    "TaskGroup",
    "create_task",
    "ensure_future",
    "gather",
    "run_coroutine_threadsafe",
    "run_in_executor",
    "start_new_thread",
    "submit",
    "to_thread",
}
"""Calls of these names start something, and so does ``start`` or ``keep`` of a supervisor."""

STRAY = "tests/cluster/test_supervisor.py::test_a_thread_of_others_that_raises_is_logged_whole_and_counted"

KNOWN: Final = {
    # The webhook
    "webhook/server/worker.py: create_task": "tests/server/test_faults.py::test_a_handshake",
    "webhook/server/worker.py: keep": "tests/server/test_faults.py::test_the_sweep_of_connections",
    "webhook/server/service.py: keep": "tests/server/test_faults.py::test_the_announcement_is_tried_once",
    "webhook/pages_server.py: Thread": "tests/server/test_faults.py::test_a_page_and_the_thread_of_the_pages",
    "webhook/server/pinner.py: ThreadPoolExecutor": (
        "tests/server/test_knative_handler.py::test_a_fault_is_logged_and_counted_and_the_revision_is_left_as_it_is"
    ),
    "webhook/server/pinner.py: submit": (
        "tests/server/test_knative_handler.py::test_a_fault_is_logged_and_counted_and_the_revision_is_left_as_it_is"
    ),
    "certs/served.py: to_thread": "tests/server/test_faults.py::test_the_task_of_the_certificate",
    "certs/served.py: keep": "tests/server/test_faults.py::test_the_task_of_the_certificate",
    # The loop
    "webhook/cluster/supervisor.py: Thread": "tests/loop/test_threads.py::test_what_raised_is_tried_again",
    "webhook/cluster/reflector.py: start": "tests/loop/test_threads.py::test_what_raised_is_tried_again",
    "webhook/cluster/events.py: start": "tests/loop/test_threads.py::test_what_raised_is_tried_again",
    "webhook/cluster/lease.py: start": "tests/loop/test_threads.py::test_what_raised_is_tried_again",
    "webhook/loop/workers.py: start": "tests/loop/test_threads.py::test_what_raised_is_tried_again",
    "webhook/loop/loop.py: start": "tests/loop/test_threads.py::test_each_fault_is_counted_under_its_loop",
    "certs/controller.py: start": "tests/loop/test_threads.py::test_what_raised_is_tried_again",
    "certs/serving_pods.py: ThreadPoolExecutor": (
        "tests/certs/test_serving_pods.py::test_a_fault_in_a_probe_is_raised_where_the_controller_counts_it"
    ),
    "webhook/signals.py: Thread": "tests/test_signals.py::test_a_fault_in_ending_is_logged_and_the_next_signal_ends",
    # Commands of people, and what a kubeconfig asks for
    "webhook/cluster/exec_plugin.py: Thread": STRAY,
    "webhook/cli/time_limit.py: Thread": "tests/cli/test_time_limit.py::test_an_error_of_the_task_is_raised",
    "webhook/cli/doctor_reading.py: ThreadPoolExecutor": (
        "tests/cli/test_doctor.py::test_a_cluster_that_does_not_answer_is_one_line"
    ),
    "webhook/diagnosis/live_world.py: Thread": STRAY,
    "webhook/web/pages.py: start": (
        "tests/web/test_history.py::"
        "test_an_exception_is_logged_whole_and_counted_and_the_change_is_recorded_all_the_same"
    ),
}
"""Places by file, and the test of each."""


def places() -> Iterator[str]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
            if name in STARTING or (name in ("start", "keep") and owner.endswith("supervisor")):
                yield f"{path.relative_to(ROOT)}: {name}"


def test_every_place_that_starts_something_is_known() -> None:
    assert set(places()) == KNOWN.keys()


@pytest.mark.parametrize("test", sorted(set(KNOWN.values())))
def test_every_test_named_here_exists(test: str) -> None:
    file, _, name = test.partition("::")
    functions = {
        node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert name in functions
