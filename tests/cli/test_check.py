"""``stagegate check`` as a person runs it: files in, text and exit code out."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.check.runs import RO, SPA
from tests.cli.terminals import on_terminal
from tests.documents import REPOSITORY, section
from webhook.cli import main

BAD = f"{SPA}spec:\n  stageMinScale: 5\n  stageMaxScale: 3\n"
GOOD = f"{SPA}spec: {{stageMinScale: 2}}\n"
WARNED = f"{RO}spec: {{rolloutStrategy: availability}}\n"
ROLLOUT = f"{RO}spec: {{targetRevisions: [{{revisionName: hello-00002, percent: 100, minScale: 2}}]}}\n"

SHOWN = """\
bad.yaml:5:18: deny SPA002 spec.stageMinScale: Invalid value: 5: must not exceed spec.stageMaxScale (3)
   5 |   stageMinScale: 5
     |                  ^ lower it, or raise spec.stageMaxScale (0 stands for no limit)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, text in {"bad": BAD, "good": GOOD, "warned": WARNED, "broken": "a: b: c\n", "pod": "kind: Pod\n"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def check(*words: str, stdin: str | bytes = "") -> tuple[int, str, str]:
    """Exit code, output and talk of a process of its own."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    command = [sys.executable, "-m", "webhook", "check", *words]
    done = subprocess.run(command, input=given, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_finding_is_shown_with_its_line_and_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "bad.yaml"]) == 1
    assert capsys.readouterr() == (SHOWN, "1 object in 1 file checked, 1 denied, 0 warnings\n")


def test_nothing_is_printed_where_nothing_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "good.yaml", "pod.yaml"]) == 0
    summary = "1 object in 2 files checked, 0 denied, 0 warnings, 1 of other kinds skipped\n"
    assert capsys.readouterr() == ("", summary)


def test_compact_prints_the_first_line_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "compact", "bad.yaml"]) == 1
    assert capsys.readouterr().out == SHOWN.partition("\n")[0] + "\n"


def test_the_readme_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(REPOSITORY)
    shown = section("The tools")
    assert main(shlex.split(shown.command("stagegate check manifests/"))[1:]) == 1
    out, err = capsys.readouterr()
    assert (out + err).splitlines() == shown.printed("stagegate check")


def test_the_samples_have_no_finding_but_the_one_that_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    # The chart's templates are no objects before they are rendered.
    folders = [str(path) for path in (REPOSITORY / "manifests").iterdir() if path.name != "chart"]
    assert main(["check", "--format", "json", *folders]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {each["file"].rpartition("/")[2] for each in findings} == {"stagepodautoscaler-bad.yaml"}


EXIT_CODES = {
    "denied": (["bad.yaml"], 1),
    "a file that cannot be read as YAML": (["broken.yaml"], 1),
    "a warning": (["warned.yaml"], 0),
    "a warning, and that is asked for": (["--fail-on", "warn", "warned.yaml"], 1),
    "denied, and that is asked for too": (["--fail-on", "warn", "bad.yaml"], 1),
    "denied, and nothing is asked for": (["--fail-on", "never", "bad.yaml"], 0),
    "not enforced": (["--enforce", "warn", "warned.yaml"], 0),
    "ignored": (["--ignore", "spa002", "bad.yaml"], 0),
    "ignored among others": (["--ignore", "RO008,SPA002", "--ignore", "RO001", "bad.yaml"], 0),
    "another is ignored": (["--ignore", "SPA003", "bad.yaml"], 1),
    "no objects": (["pod.yaml"], 0),
    "no objects, and some are required": (["--require-objects", "pod.yaml"], 3),
    "objects, and some are required": (["--require-objects", "good.yaml"], 0),
    "no file": (["nowhere.yaml"], 3),
    "no path": ([], 2),
    "no such rule": (["--ignore", "SPA999", "bad.yaml"], 2),
    "git has nothing of standard input": (["--since", "HEAD", "-"], 2),
    "a diff in a format for programs": (["--fills", "--format", "sarif", "bad.yaml"], 2),
    "no git repository": (["--since", "HEAD", "bad.yaml"], 3),
    "an unknown format": (["--format", "xml", "bad.yaml"], 2),
}


@pytest.mark.parametrize(("words", "code"), EXIT_CODES.values(), ids=EXIT_CODES)
def test_exit_codes(words: list[str], code: int) -> None:
    assert main(["check", *words]) == code


ERRORS = {
    "nowhere.yaml": (["nowhere.yaml"], "cannot read nowhere.yaml: No such file or directory"),
    "no path": ([], "name a file, a folder, or - for standard input"),
    "no such rule": (["--ignore", "SPA02", "bad.yaml"], "--ignore SPA02: there is no such rule; did you mean SPA002?"),
}


@pytest.mark.parametrize(("words", "line"), ERRORS.values(), ids=ERRORS)
def test_errors_are_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", *words])
    assert capsys.readouterr() == ("", f"stagegate check: {line}\n")


def test_standard_input_names_the_real_file() -> None:
    rendered = f"---\n# Source: shop/templates/spa.yaml\n{BAD}---\n# Source: shop/templates/pod.yaml\nkind: Pod\n"
    code, out, err = check("-", stdin=rendered)
    assert (code, out) == (1, SHOWN.replace("bad.yaml", "shop/templates/spa.yaml"))
    assert err == "1 object in 1 file checked, 1 denied, 0 warnings, 1 of other kinds skipped\n"


def test_standard_input_of_kustomize_names_the_place_in_the_real_file(folder: Path) -> None:
    (folder / "base").mkdir()
    (folder / "base" / "spa.yaml").write_text(f"# why\n{BAD}")
    annotated = BAD.replace("-00002}", "-00002, annotations: {config.kubernetes.io/origin: 'path: base/spa.yaml'}}")
    _, out, _ = check("-", stdin=annotated)
    assert out == SHOWN.replace("bad.yaml:5", "base/spa.yaml:6").replace("   5 |", "   6 |")


def test_a_pipe_may_be_named_as_a_file() -> None:
    code, out, _ = check("/dev/stdin", stdin=BAD)
    assert (code, out) == (1, SHOWN.replace("bad.yaml", "/dev/stdin"))


def test_an_earlier_version_is_a_ratchet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rollout = f"{RO}spec: {{targetRevisions: [{{revisionName: a, percent: 90}}]}}\n"
    (folder / "ro.yaml").write_text(rollout)
    identity = ["-c", "user.name=alice", "-c", "user.email=alice@example.com"]
    for words in (["init", "-q"], ["add", "ro.yaml"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *identity, *words], check=True)
    assert main(["check", "ro.yaml"]) == 1
    (folder / "ro.yaml").write_text(rollout.replace("spec: {", "spec: {rolloutStrategy: resourceutil, "))
    capsys.readouterr()
    assert main(["check", "--since", "HEAD", "."]) == 1
    out = capsys.readouterr().out
    assert "ro.yaml:4:" in out
    assert "must add up to 100 (unchanged)" in out
    assert main(["check", "--since", "HEAD", "ro.yaml"]) == 0
    assert main(["check", "--since", "nothing", "ro.yaml"]) == 3
    assert "git has no revision 'nothing'; fetch it, or name another" in capsys.readouterr().err


def test_what_is_filled_in_is_shown_as_a_diff(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ro.yaml").write_text(ROLLOUT)
    (folder / "spa.yaml").write_text(SPA)
    assert main(["check", "--fills", "ro.yaml", "spa.yaml"]) == 0
    out = capsys.readouterr().out
    assert "--- spa.yaml:2 StagePodAutoscaler default/hello-00002\n" in out
    added = [line[1:] for line in out.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert [line for line in added if "Scale" in line] == ["  stageMinScale: 2"]
    assert "    uid: the uid of RolloutOrchestrator hello" in added


def test_json_and_yaml_have_the_same_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "json", "bad.yaml"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["apiVersion"], report["kind"]) == ("stagegate.dev/v1alpha1", "CheckReport")
    (finding,) = report["findings"]
    assert finding == {
        "id": "SPA002",
        "level": "deny",
        "effect": "denied",
        "file": "bad.yaml",
        "line": 5,
        "column": 18,
        "endLine": 5,
        "endColumn": 19,
        "field": "spec.stageMinScale",
        "message": "Invalid value: 5: must not exceed spec.stageMaxScale (3)",
        "wayOut": "lower it, or raise spec.stageMaxScale (0 stands for no limit)",
        "object": {"kind": "StagePodAutoscaler", "namespace": "default", "name": "hello-00002"},
    }
    assert report["summary"]["denied"] == 1
    assert main(["check", "-o", "yaml", "bad.yaml"]) == 1
    assert yaml.safe_load(capsys.readouterr().out) == report


def test_json_has_what_is_filled_in_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--fills", "-o", "json", "good.yaml"]) == 0
    (fill,) = json.loads(capsys.readouterr().out)["fills"]
    value = {"serving.knative.dev/revision": "hello-00002"}
    assert fill["patch"] == [{"op": "add", "path": "/metadata/labels", "value": value}]


WIDE = f"{RO}spec:\n  targetRevisions: [{{revisionName: hello-00001, percent: 100, minScale: 12, maxScale: 3}}]\n"


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_of_this_width(folder: Path, columns: int) -> None:
    (folder / "wide.yaml").write_text(WIDE)
    words = ["-m", "webhook", "check", str(folder / "wide.yaml")]
    code, shown = on_terminal(words, columns=columns, environment={"NO_COLOR": "1"})
    head, *lines, summary = shown.splitlines()
    assert code == 1
    assert head.startswith(str(folder))
    assert max(map(len, lines)) <= columns
    assert [line.partition("^")[1] for line in lines].count("^") == 1
    (caret,) = [line.index("^") for line in lines if "^" in line]
    assert lines[0][caret : caret + 2] == "12"
    assert "lower it, or raise maxScale (0 stands for no limit)" in shown
    assert summary == "1 object in 1 file checked, 1 denied, 0 warnings"


@pytest.mark.parametrize(
    ("environment", "words", "is_colored"),
    [({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False), ({}, ["--no-color"], False)],
)
def test_colors(folder: Path, environment: dict[str, str], words: list[str], is_colored: bool) -> None:
    command = ["-m", "webhook", "check", *words, str(folder / "bad.yaml")]
    _, shown = on_terminal(command, environment=environment)
    assert ("\x1b[" in shown) is is_colored


SPEC = f"{SPA}spec: ".encode()
LAUGHS = [b"l0: &l0 [x, x, x, x, x, x]"]
LAUGHS += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 6)}]".encode() for n in range(1, 40)]

HOSTILE = {
    "NUL": (b"a: \0", "stdin:1:4: deny DOC001 Has the control character U+0000"),
    "not UTF-8": (b"a: \xff", "stdin:1:4: deny DOC001 Is not UTF-8: byte 0xff"),
    "escapes of a terminal": (b"a: \x1b[2J", "stdin:1:4: deny DOC001 Has the control character U+001B"),
    "deep": (b"[" * 500_000, "stdin:1:201: deny DOC001 Is nested more than 200 deep"),
    "deep JSON": (b'{"a":' * 500_000, "stdin:1:1001: deny DOC001 Is nested more than 200 deep"),
    "anchors": (b"\n".join(LAUGHS), "deny DOC001 Has aliases that stand for more than 1,000,000 values"),
    "endless digits": (SPEC + b"{stageMinScale: " + b"9" * 1_000_000 + b"}", "deny SPA001 spec.stageMinScale"),
    "an endless line": (SPEC + b"{stageMinScale: -1, x: " + b"y" * 1_000_000 + b"}", "deny SPA001 spec.stageMinScale"),
    "too long": (b"#" * (17 * 2**20), "stdin:1:1: deny DOC001 Is longer than 16 MiB"),
    "direction marks": (SPEC + "{stageMinScale: '\u202e5'}".encode(), r"stageMinScale: '\u202e5'"),
}


@pytest.mark.parametrize(("data", "line"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_input_is_bounded_and_refused_in_one_line(data: bytes, line: str) -> None:
    code, out, err = check("-", stdin=data)
    assert code == 1
    assert line in out
    assert out.replace("\n", "").isprintable()
    assert max(map(len, out.splitlines())) < 400
    assert "Traceback" not in err


def test_hostile_names_of_files(folder: Path) -> None:
    for name in (b"new\nline.yaml", b"byte\xff.yaml", b"esc\x1b.yaml"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text(BAD)
    for form in ("compact", "github", "json", "sarif", "junit"):
        code, out, _ = check("--format", form, "--", ".")
        assert code == 1
        assert "\x1b" not in out
        if form in ("compact", "github"):
            assert len(out.splitlines()) == 6


def test_a_link_to_itself_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "self.yaml").symlink_to("self.yaml")
    assert main(["check", "self.yaml"]) == 3
    assert capsys.readouterr().err == "stagegate check: cannot read self.yaml: Too many levels of symbolic links\n"
    assert main(["check", "good.yaml", "."]) == 1


def test_it_starts_fast() -> None:
    # The least of several runs: whatever else the machine does makes a run slower, never faster.
    assert min(cpu_seconds() for _ in range(7)) < 0.4


def cpu_seconds() -> float:
    process = subprocess.Popen(
        [sys.executable, "-m", "webhook", "check", "bad.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1
    return usage.ru_utime + usage.ru_stime


def test_it_imports_no_client_and_no_cryptography() -> None:
    code = "import sys; from webhook.cli import main; main(['check', 'bad.yaml']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert not modules & {"kubernetes", "cryptography", "rich", "flask", "gunicorn", "urllib3"}
