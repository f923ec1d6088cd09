"""Credential plugins of a kubeconfig (``exec``): run as kubectl runs them, and their output."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Final

from webhook.api.wire import parse_time
from webhook.cluster.credentials import ClientCertificate, CredentialsFailed, Identity, Issued, renewal_time

API_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
NEVER: Final = "Never"
IF_AVAILABLE: Final = "IfAvailable"
ALWAYS: Final = "Always"
INTERACTIVE_MODES: Final = (NEVER, IF_AVAILABLE, ALWAYS)
_SECONDS: Final = 120.0
"""The time limit of a plugin that cannot prompt a person; one that can has none."""
_DRAIN_SECONDS: Final = 2.0
_LAST_WORDS: Final = 600
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


@dataclass(frozen=True, slots=True)
class Plugin:
    """``command`` is a path or a name in $PATH. ``cluster`` is passed to the plugin; None if it does not need it."""

    command: str
    api_version: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    install_hint: str = ""
    interactive_mode: str = IF_AVAILABLE
    cluster: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Ended:
    code: int
    output: bytes = field(repr=False)
    words: str = ""


def issue(plugin: Plugin, now: Callable[[], datetime], *, has_terminal: bool) -> Issued:
    """Run the plugin once. Raises CredentialsFailed with the plugin's error output.

    ``has_terminal`` is true if standard input is a terminal, on which a plugin can prompt.
    """
    who = f"credential plugin {plugin.command}"
    if plugin.interactive_mode == ALWAYS and not has_terminal:
        raise CredentialsFailed(f"{who}: it has to ask a person, and standard input is not a terminal")
    is_interactive = has_terminal and plugin.interactive_mode != NEVER
    try:
        ended = _run(plugin, is_interactive=is_interactive)
    except FileNotFoundError as problem:
        hint = f"; {one_line(plugin.install_hint)}" if plugin.install_hint else ""
        raise CredentialsFailed(f"{who}: not found{hint}") from problem
    except subprocess.TimeoutExpired as problem:
        raise CredentialsFailed(f"{who}: no answer within {_SECONDS:.0f} s") from problem
    except OSError as problem:
        raise CredentialsFailed(f"{who}: {problem.strerror}") from problem
    words = f": {ended.words}" if ended.words else ""
    if ended.code != 0:
        raise CredentialsFailed(f"{who} failed with exit code {ended.code}{words}")
    try:
        return read(ended.output, plugin.api_version, now())
    except ValueError as problem:
        raise CredentialsFailed(f"{who}: {problem}{words}") from problem


def read(output: bytes, api_version: str, now: datetime) -> Issued:
    """Read an ExecCredential in JSON. Raises ValueError, which does not quote the output, since it may hold secrets."""
    try:
        answer = json.loads(output)
    except ValueError as problem:
        raise ValueError("its output is not JSON") from problem
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise ValueError("its output is not an ExecCredential")
    if answer.get("apiVersion") != api_version:
        raise ValueError(f"its output has apiVersion {answer.get('apiVersion')}, the kubeconfig wants {api_version}")
    status = answer.get("status")
    if not isinstance(status, dict):
        raise ValueError("its output has no status")
    token, certificate, key = (_text(status, name) for name in ("token", "clientCertificateData", "clientKeyData"))
    if bool(certificate) != bool(key):
        raise ValueError("it gave only one of clientCertificateData and clientKeyData")
    if not token and not certificate:
        raise ValueError("it gave neither a token nor a client certificate")
    identity = Identity(
        bearer(token) if token else "",
        ClientCertificate(certificate.encode(), key.encode()) if certificate else None,
    )
    until = _text(status, "expirationTimestamp")
    if not until:
        return Issued(identity)
    expires_at = parse_time(until)
    if expires_at is None:
        raise ValueError("its status.expirationTimestamp is not an RFC 3339 time")
    return Issued(identity, renewal_time(now, expires_at), expires_at)


def bearer(token: str) -> str:
    """The value of the Authorization header. Raises ValueError if a header cannot hold the token."""
    if not token.isascii() or not token.isprintable():
        raise ValueError("a token has characters that no HTTP header can hold")
    return f"Bearer {token}"


def one_line(text: str) -> str:
    """The text on one line, without control characters; a long one keeps its end."""
    plain = "".join(letter if letter.isprintable() else " " for letter in _ESCAPES.sub("", text))
    words = " ".join(plain.split())
    return words if len(words) <= _LAST_WORDS else f"...{words[-_LAST_WORDS:]}"


def _run(plugin: Plugin, *, is_interactive: bool) -> _Ended:
    spec: dict[str, Any] = {"interactive": is_interactive}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    info = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
    output, words = bytearray(), bytearray()
    problems: list[BaseException] = []
    process = subprocess.Popen(  # noqa: S603 -- the kubeconfig names it, as for kubectl
        [plugin.command, *plugin.arguments],
        stdin=None if is_interactive else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": json.dumps(info)},
    )
    if process.stdout is None or process.stderr is None:
        raise OSError(0, "no pipes")
    readers = [
        threading.Thread(target=_pump, args=(process.stdout, output, False, problems), daemon=True),
        threading.Thread(target=_pump, args=(process.stderr, words, is_interactive, problems), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        code = process.wait(None if is_interactive else _SECONDS)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        for reader in readers:
            # A child process that outlives the plugin, such as an agent, may keep the pipes open.
            reader.join(_DRAIN_SECONDS)
    if problems:
        # The output is incomplete. Raised here, the exception is counted where the credentials are read.
        raise problems[0]
    return _Ended(code, bytes(output), one_line(words.decode("utf-8", "replace")))


def _pump(pipe: IO[bytes], into: bytearray, is_shown: bool, problems: list[BaseException]) -> None:
    """Read the pipe to its end; with ``is_shown`` write it to standard error at once. What it raises is appended."""
    try:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                into.extend(chunk)
                if is_shown:
                    sys.stderr.write(chunk.decode("utf-8", "replace"))
                    sys.stderr.flush()
    except BaseException as problem:
        problems.append(problem)


def _text(status: Mapping[str, Any], name: str) -> str:
    value = status.get(name)
    if not isinstance(value, str | None):
        raise ValueError(f"its status.{name} is not a string")
    return value or ""
