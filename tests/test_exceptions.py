"""Every handler raises again, logs, or uses what it has caught; the others are named here, each with the reason.

An exception that a handler drops is a cause that nobody is told. It may be dropped only where it says no more than the
code that follows it, and each such place has to be in this list.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
FILES: Final = sorted(path for package in ("webhook", "certs", "sandbox") for path in (ROOT / package).rglob("*.py"))
LOGGED: Final = {"fault", "exception", "warning", "error", "info", "debug", "log"}

DROPPED: Final[dict[str, set[str]]] = {
    "It is not there, or is there already: an expected answer of a server, a store or a file system": {
        "certs/directory.py: _read_file: FileNotFoundError",
        "webhook/cli/certs_cluster.py: get: NotFound",
        "webhook/cli/check.py: _live: NotFound",
        "webhook/cli/check.py: open_file: MissingFile",
        "webhook/cli/leases.py: _read: NotFound",
        "webhook/cli/release.py: held_services: NotFound",
        "webhook/cli/release.py: hold_nothing_new: NotFound",
        "webhook/cli/release.py: release: NotFound",
        "webhook/cli/steering.py: steer: NotFound",
        "webhook/cluster/connection.py: _of_pod: config.ConfigException",
        "webhook/cluster/connection.py: default_namespace: OSError",
        "webhook/cluster/discovery.py: served: NotFound",
        "webhook/cluster/events.py: _store: NotFound",
        "webhook/loop/pods.py: delete_now: NotFound",
        "webhook/loop/resource_writer.py: _read_again: NotFound",
        "webhook/loop/resource_writer.py: delete: NotFound",
        "webhook/loop/service_reconciler.py: _read_route: NotFound",
        "webhook/server/pinner.py: pin: NotFound",
        "sandbox/demo/control_plane.py: _is_served: NotFound",
        "sandbox/demo/knative.py: _create: AlreadyExists",
        "sandbox/demo/knative.py: make_node: AlreadyExists, NotFound",
        "sandbox/demo/knative.py: remove_all: NotFound",
        "sandbox/demo/manifest.py: _is_served: NotFound",
        "sandbox/demo/process.py: _signal: ProcessLookupError",
        "sandbox/demo/removal.py: _step: NotFound",
        "sandbox/demo/story.py: _found: NotFound",
        "sandbox/server.py: handle: NoRoute",
        "sandbox/simulation.py: _list: NotFound",
        "sandbox/writing.py: _create: Existing",
    },
    "Another writer came first, or the list expired: it is read and decided again": {
        "certs/renewal.py: renew: StoreConflict",
        "certs/secret_store.py: repair: StoreConflict",
        "webhook/cluster/reflector.py: _list: Gone",
        "webhook/diagnosis/reading.py: _read: Gone",
        "webhook/server/pinner.py: _attempt: Conflict",
        "sandbox/deleting.py: collect: VersionConflict",
        "sandbox/deleting.py: delete: VersionConflict",
        "sandbox/webhook_calls.py: ask: exceptions.ProtocolError",
        "sandbox/writing.py: _update: VersionConflict",
    },
    "A right is missing for the wide view: the narrow one is read, or the documents say what is left out": {
        "webhook/cli/certs_secret.py: _status: AuthorityHidden",
        "webhook/cli/doctor_certificates.py: _stored: AuthorityHidden",
        "webhook/cli/doctor_reading.py: _leases: Forbidden",
        "webhook/cli/leases.py: leaders: Forbidden",
        "webhook/diagnosis/reading.py: _leases: Forbidden",
    },
    "A question whose answer is no: the exception is how a library answers it": {
        "certs/authority.py: is_authority: (x509.ExtensionNotFound, ValueError)",
        "certs/authority.py: is_issued_by: (ValueError, TypeError, InvalidSignature)",
        "certs/contents.py: signing_authority: CertificateError",
        "certs/handshake.py: _is_done: ssl.SSLWantReadError",
        "certs/host.py: _is_address: ValueError",
        "certs/host.py: normal_host: ValueError",
        "certs/leaf.py: _general_name: ValueError",
        "certs/leaf.py: hosts_of: (x509.ExtensionNotFound, ValueError)",
        "certs/leaf.py: prove_leaf: x509.ExtensionNotFound",
        "certs/rotation.py: _shows_leaf_of: CertificateError",
        "certs/status.py: _describe_shown: CertificateError",
        "certs/status_document.py: _shown_document: CertificateError",
        "webhook/admission/envelope.py: _encode: orjson.JSONEncodeError",
        "webhook/admission/envelope.py: read_review: orjson.JSONDecodeError",
        "webhook/admission/rules/field_error.py: is_date_time: ValueError",
        "webhook/api/wire.py: parse_time: ValueError",
        "webhook/check/git.py: _line: _Refused",
        "webhook/check/parser_events.py: <module>: AttributeError",
        "webhook/check/parser_events.py: _is_json: Unreadable",
        "webhook/check/whereabouts.py: _look: Unreadable",
        "webhook/cluster/kubeconfig.py: _server: ValueError",
        "webhook/cluster/proxy.py: _address: ValueError",
        "webhook/cluster/proxy.py: _lists: ValueError",
        "webhook/planning/next_stage.py: _after: OverflowError",
        "webhook/planning/shift.py: next_finish_time: OverflowError",
        "webhook/strategies/rollout.py: _path_of: ValueError",
        "webhook/web/pages.py: _host_of: ValueError",
        "webhook/web/pages.py: loopback_hosts: ValueError",
        "sandbox/demo/progress.py: _can_write: (LookupError, UnicodeEncodeError)",
        "sandbox/objects.py: parse_time: (TypeError, ValueError)",
    },
    "What cannot be read counts as absent, and somebody else says that it cannot: a rule, a condition or a check": {
        "certs/bundle.py: read_bundle: CertificateError",
        "certs/ca_injection.py: _bundle: (binascii.Error, TypeError, ValueError)",
        "certs/ca_injection.py: _host: ValueError",
        "certs/ca_injection.py: _read_time: (TypeError, ValueError)",
        "certs/controller.py: hosts_for: CertificateError",
        "certs/metrics.py: _end_of: CertificateError",
        "certs/secret_store.py: decoded: binascii.Error",
        "webhook/cli/certs.py: _stored_hosts: CertificateError",
        "webhook/cli/doctor_certificates.py: _authorities: CertificateError",
        "webhook/cli/doctor_certificates.py: _ends: CertificateError",
        "webhook/cli/rollout_view.py: _following: MalformedObject",
        "webhook/cluster/errors.py: _retry_after: (TypeError, ValueError)",
        "webhook/cluster/errors.py: _status_object: ValueError",
        "webhook/diagnosis/next_stage.py: next_stage: Unpredictable",
        "webhook/diagnosis/summary.py: _seconds_left: InvalidRollout",
        "webhook/knative/bounds.py: _record_of: (KeyError, ValueError, RecursionError)",
        "webhook/knative/hold.py: readable_hold_of: UnreadableHold",
        "webhook/loop/event_messages.py: _until_late: InvalidRollout",
        "webhook/loop/rollout_settings.py: settings_after: UnreadableSettings",
        "webhook/loop/steering_status.py: _has_not_begun: InvalidRollout",
        "webhook/loop/steering_status.py: _start_of_way_back: InvalidRollout",
        "webhook/planning/abort.py: abort_record: (ValueError, KeyError, TypeError, RecursionError, MalformedObject)",
        "webhook/planning/pause.py: paused_traffic: (ValueError, RecursionError)",
        "webhook/planning/planned_targets.py: recorded_targets: (KeyError, TypeError, ValueError)",
        "webhook/planning/stage_count.py: _planned_percent: (MissingObservation, PlanningError)",
    },
    "The words that follow are the cause; the exception says no more, or would repeat a key or a stranger's bytes": {
        "certs/key_pair.py: read_certificate: _UNREADABLE",
        "certs/key_pair.py: read_chain: _UNREADABLE",
        "certs/key_pair.py: read_key: _UNREADABLE",
        "certs/status.py: _shown_problem: CertificateError",
        "webhook/admission/envelope.py: _read_any_json: RecursionError",
        "webhook/admission/envelope.py: _read_any_json: UnicodeDecodeError",
        "webhook/admission/envelope.py: _read_any_json: ValueError",
        "webhook/check/git.py: _call: FileNotFoundError",
        "webhook/check/git.py: _call: subprocess.TimeoutExpired",
        "webhook/check/parser_events.py: _json_scalar: ValueError",
        "webhook/cli/arguments.py: read: ValueError",
        "webhook/cli/release.py: show: UnreadableHold",
        "webhook/server/pinner.py: pin: _Late",
        "sandbox/objects.py: decode: RecursionError",
        "sandbox/patches.py: json_patch: _UNFIT",
    },
    "The first exception is the one that is logged and answered": {
        "webhook/admission/failure.py: _read_plainly: Exception",
        "webhook/admission/failure.py: read_failed: BaseException",
    },
    "A time that is over, a queue that is empty, an end that was asked for: no failure": {
        "certs/controller.py: _turn: Stopped",
        "certs/served.py: turn: TimeoutError",
        "webhook/cli/program.py: run_program: (KeyboardInterrupt, click.Abort)",
        "webhook/cluster/events.py: _turn: queue.Empty",
        "webhook/server/protocol.py: data_received: httptools.HttpParserUpgrade",
        "webhook/server/worker.py: _accept: BlockingIOError",
        "webhook/server/tls.py: _advance: ssl.SSLWantReadError",
        "webhook/server/tls.py: _decrypt: ssl.SSLWantReadError",
        "webhook/server/tls.py: _discard: ssl.SSLWantReadError, ssl.SSLZeroReturnError",
        "webhook/server/worker.py: _beat: TimeoutError",
        "sandbox/demo/__main__.py: _stay: KeyboardInterrupt",
        "sandbox/demo/process.py: stop: subprocess.TimeoutExpired",
        "sandbox/interruption.py: run_interruptible: KeyboardInterrupt",
        "sandbox/store.py: next: queue.Empty",
    },
    "What it was for has ended: a loop that stopped, a connection, a stream or a terminal that is closed": {
        "certs/served.py: wake: RuntimeError",
        "webhook/cli/rollout_watch.py: __exit__: CommandError",
        "webhook/cli/streams.py: _throw_away: OSError, ValueError",
        "webhook/cli/streams.py: checked_output: CommandError",
        "webhook/cli/streams.py: flush: OSError",
        "webhook/cli/streams.py: write: OSError",
        "webhook/cluster/transport.py: close: (AttributeError, OSError, ValueError, RuntimeError)",
        "webhook/pages_server.py: readable: OSError",
        "webhook/server/kernel_buffers.py: widen: OSError",
        "webhook/server/knative_handler.py: ended: RuntimeError",
        "webhook/server/overload.py: unread_bytes: OSError",
        "webhook/server/overload.py: unread_seconds: OSError",
        "webhook/server/worker.py: _admit: OSError",
        "sandbox/front.py: process_request_thread: (OSError, ValueError)",
        "sandbox/front.py: process_request_thread: OSError",
        "sandbox/front.py: stop: OSError",
    },
    "It is counted, or nobody is left to tell: Events beyond what is queued are dropped": {
        "webhook/cluster/events.py: record: queue.Full",
        "webhook/cluster/events.py: stop: queue.Full",
        "webhook/cluster/supervisor.py: fault: Exception",
    },
    "It would be good to know and is not needed: the answer says that it is not known, or leaves it out": {
        "webhook/cli/doctor_reading.py: _asked_directly: (urllib3.exceptions.HTTPError, ValueError)",
        "webhook/cli/plan.py: _live: ApiError",
        "webhook/diagnosis/installed_in.py: registered_in: (Forbidden, NotFound)",
    },
}
"""Why an exception may be dropped, and where: file, function and type."""


def dropping() -> Iterator[str]:
    """Where an exception is neither raised again nor logged nor used."""
    for path in FILES:
        tree = ast.parse(path.read_text())
        functions: dict[ast.AST, str] = {}
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                # Inner functions come later, and are the ones that count.
                functions.update(dict.fromkeys(ast.walk(function), function.name))
        for node in ast.walk(tree):
            where = f"{path.relative_to(ROOT)}: {functions.get(node, '<module>')}"
            if isinstance(node, ast.ExceptHandler) and not is_passed_on(node):
                yield f"{where}: {ast.unparse(node.type) if node.type is not None else 'everything'}"
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
                yield f"{where}: {', '.join(map(ast.unparse, node.args))}"


def is_passed_on(handler: ast.ExceptHandler) -> bool:
    """True if what was caught is raised again, logged with its traceback or by its name, or used."""
    for node in (inner for statement in handler.body for inner in ast.walk(statement)):
        if isinstance(node, ast.Name) and node.id == handler.name:
            return True
        if isinstance(node, ast.Raise) and node.exc is None:
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in LOGGED:
            return True
    return False


def test_no_exception_is_dropped_without_a_reason() -> None:
    assert set(dropping()) == set().union(*DROPPED.values())
