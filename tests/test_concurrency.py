"""Every place of the product that starts a thread or a task or leaves a callback, and the test that makes it raise."""

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
    # Callbacks of an event loop, of a future, of a signal, of the interpreter
    "add_done_callback",
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "call_at",
    "call_later",
    "call_soon",
    "call_soon_threadsafe",
    "connect_accepted_socket",
    "create_server",
    "finalize",
    "register_at_fork",
    "set_exception_handler",
    "signal.signal",
    "start_server",
    "atexit.register",
}
"""Calls of these names start something or leave a callback, and so does ``start`` or ``keep`` of a supervisor."""

HOOKS: Final = {"excepthook", "unraisablehook", "handle_error", "channel_class"}
"""Attributes that are set to a callback."""

LIBRARIES: Final = {
    "Arbiter",
    "BaseApplication",
    "HTTPChannel",
    "Logger",
    "Worker",
    "asyncio.BufferedProtocol",
    "asyncio.Protocol",
    "logging.Formatter",
    "logging.Handler",
    "ssl.SSLObject",
}
"""Classes of libraries that call the methods of ours that derive from them."""

IN_A_WORKER = "tests/server/test_faults_in_a_worker.py::test_it_is_logged_whole_and_counted_once_and_the_worker_goes_on"
SIGNALLED = (
    "tests/server/test_faults_in_a_worker.py::test_a_signal_whose_handler_raises_ends_the_server_at_the_second_time"
)
PAUSED = "tests/server/test_faults_in_a_worker.py::test_what_raises_again_and_again_is_tried_after_a_pause"
PINNED = "tests/server/test_knative_handler.py::test_a_fault_is_logged_and_counted_and_the_revision_is_left_as_it_is"
ENDED = "tests/test_signals.py::test_a_fault_in_ending_is_logged_and_the_next_signal_ends"
HOOK = "tests/server/test_failing_arbiter.py::test_a_hook_that_raises_ends_the_process_with_its_traceback"

STRAY = "tests/cluster/test_supervisor.py::test_a_thread_of_others_that_raises_is_logged_whole_and_counted"

KNOWN: Final = {
    # The webhook
    "webhook/server/worker.py: create_task": "tests/server/test_faults.py::test_a_handshake",
    "webhook/server/worker.py: add_done_callback": IN_A_WORKER,
    "webhook/server/worker.py: add_reader": IN_A_WORKER,
    "webhook/server/worker.py: add_signal_handler": SIGNALLED,
    "webhook/server/worker.py: call_later": PAUSED,
    "webhook/server/worker.py: connect_accepted_socket": IN_A_WORKER,
    "webhook/server/worker.py: set_exception_handler": "tests/server/test_faults.py::test_a_callback_of_the_event_loop",
    "webhook/server/worker.py: signal.signal": "tests/test_signals.py::test_it_does_nothing",
    "webhook/server/worker.py: class StagegateWorker(Worker)": HOOK,
    "webhook/server/application.py: class StagegateArbiter(Arbiter)": HOOK,
    "webhook/server/application.py: class Application(BaseApplication)": HOOK,
    "webhook/server/gunicorn_log.py: class GunicornLog(Logger)": HOOK,
    "webhook/server/tls.py: call_soon": IN_A_WORKER,
    "webhook/server/protocol.py: class Connection(asyncio.Protocol)": IN_A_WORKER,
    "webhook/server/tls.py: class Tls(asyncio.BufferedProtocol)": IN_A_WORKER,
    "webhook/server/protocol.py: add_done_callback": (
        "tests/server/test_later_answers.py::test_a_fault_in_writing_ends_the_connection"
    ),
    "certs/alert.py: class AlertingObject(ssl.SSLObject)": IN_A_WORKER,
    "webhook/server/handler.py: add_done_callback": PINNED,
    "webhook/server/knative_handler.py: add_done_callback": PINNED,
    "webhook/server/knative_handler.py: call_later": PINNED,
    "webhook/server/knative_handler.py: call_soon_threadsafe": PINNED,
    "webhook/server/pinner.py: add_done_callback": PINNED,
    "webhook/pages_server.py: class _Connection(HTTPChannel)": IN_A_WORKER,
    "webhook/pages_server.py: channel_class": IN_A_WORKER,
    "webhook/pages_server.py: create_server": "tests/server/test_faults.py::test_a_page_and_the_thread_of_the_pages",
    "webhook/pages_server.py: handle_error": IN_A_WORKER,
    "certs/served.py: call_soon_threadsafe": "tests/server/test_faults.py::test_the_task_of_the_certificate",
    "webhook/server/worker.py: keep": "tests/server/test_faults.py::test_the_sweep_of_connections",
    "webhook/server/service.py: keep": "tests/server/test_faults.py::test_the_announcement_is_tried_once",
    "webhook/pages_server.py: Thread": "tests/server/test_faults.py::test_a_page_and_the_thread_of_the_pages",
    "webhook/server/pinner.py: ThreadPoolExecutor": PINNED,
    "webhook/server/pinner.py: submit": PINNED,
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
    "webhook/signals.py: Thread": ENDED,
    "webhook/signals.py: signal.signal": ENDED,
    "webhook/cluster/supervisor.py: excepthook": STRAY,
    "webhook/cluster/supervisor.py: unraisablehook": (
        "tests/cluster/test_supervisor.py::test_an_exception_in_a_finalizer_is_logged_and_counted"
    ),
    "webhook/cli/logs.py: class JsonLine(logging.Formatter)": (
        "tests/cli/test_logs.py::test_a_message_of_which_nobody_can_say_whether_it_quotes_is_left_out"
    ),
    "webhook/cli/logs.py: class TextLine(logging.Formatter)": (
        "tests/cli/test_logs.py::test_an_exception_whose_message_raises_is_logged_all_the_same"
    ),
    # Commands of people, and what a kubeconfig asks for
    "webhook/cluster/exec_plugin.py: Thread": (
        "tests/cluster/test_exec_plugin.py::"
        "test_a_fault_in_a_thread_that_reads_is_raised_where_the_credentials_are_asked_for"
    ),
    "webhook/cli/time_limit.py: Thread": "tests/cli/test_time_limit.py::test_an_error_of_the_task_is_raised",
    "webhook/cli/doctor_reading.py: ThreadPoolExecutor": (
        "tests/cli/test_doctor.py::test_a_cluster_that_does_not_answer_is_one_line"
    ),
    "webhook/diagnosis/live_world.py: Thread": (
        "tests/diagnosis/test_live_world.py::test_a_watch_that_cannot_be_ended_is_a_fault_and_the_others_end"
    ),
    "webhook/web/pages.py: start": (
        "tests/web/test_history.py::"
        "test_an_exception_is_logged_whole_and_counted_and_the_change_is_recorded_all_the_same"
    ),
}
"""Places by file, and the test of each."""


def places() -> Iterator[str]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            for found in (*started(node), *hooks(node), *called_by_libraries(node)):
                yield f"{path.relative_to(ROOT)}: {found}"


def started(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        whole = ast.unparse(node.func)
        owner, _, name = whole.rpartition(".")
        if name in STARTING or (name in ("start", "keep") and owner.endswith("supervisor")):
            yield name
        elif whole in STARTING:
            yield whole


def hooks(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        yield from (each.attr for each in node.targets if isinstance(each, ast.Attribute) and each.attr in HOOKS)


def called_by_libraries(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        yield from (f"class {node.name}({base})" for base in map(ast.unparse, node.bases) if base in LIBRARIES)


def test_every_place_that_starts_something_is_known() -> None:
    assert set(places()) == KNOWN.keys()


@pytest.mark.parametrize("test", sorted(set(KNOWN.values())))
def test_every_test_named_here_exists(test: str) -> None:
    file, _, name = test.partition("::")
    functions = {
        node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert name in functions
