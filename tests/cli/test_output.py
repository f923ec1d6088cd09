"""Output: consoles on terminals, pipes and without colors, documents, and text that must not reach a terminal raw."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.cli.terminals import on_terminal
from tests.cli.test_main import needs_full_disk
from tests.server.live import ROOT
from webhook.cli.documents import document, json_text, yaml_text
from webhook.text import visible

EVIL = "a\x1b[31mb\x9bc\u202ed\x07e\rf"
SHOWN = r"a\x1b[31mb\x9bc\u202ed\x07e\rf"

PROGRAM = """
import sys
import click
from webhook.cli.command import Command
from webhook.cli.output import Output, output_options
from webhook.cli.program import run_click
from webhook.text import visible

@click.command(cls=Command)
@output_options("wide")
def show(output):
    if output.is_document:
        output.document("Example", {"items": [{"name": EVIL}]})
        return 0
    from rich.table import Table
    from rich.text import Text
    table = Table("NAME", "MESSAGE")
    table.add_row(Text("[bold]hello[/]:smile:", style="red"), "word " * 30)
    table.add_row(visible(EVIL), output.form)
    table.add_row("raw " + EVIL, "")
    output.answer.print(table)
    output.talk.print("talk", style="bold")
    return 5

sys.exit(run_click(show, "show", sys.argv[1:]))
"""


def program() -> str:
    return f"EVIL = {EVIL!r}\n{PROGRAM}"


def piped(*words: str, **environment: str) -> tuple[int, str, str]:
    command = [sys.executable, "-c", program(), *words]
    base = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | {"COLUMNS": "40"}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=base | environment
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ü, 日本, 😀", "plain, ü, 日本, 😀"),
        ("two\nlines", "two\nlines"),
        (EVIL, SHOWN),
        ("a\tb\x00\x7f", r"a\tb\x00\x7f"),
        ("\u200bzero\ufeffwidth\u2028", r"\u200bzero\ufeffwidth\u2028"),
        ("\udc80", r"\udc80"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_pipe_gets_no_escape_no_cut_line_and_the_answer_only() -> None:
    code, out, error = piped()
    assert (code, error) == (5, "talk\n")
    assert "\x1b" not in out
    assert "word " * 29 in out
    assert SHOWN in out
    assert "[bold]hello[/]:smile:" in out


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_gets_colors_and_lines_that_fit(columns: int) -> None:
    code, text = on_terminal(["-c", program()], columns=columns)
    assert code == 5
    assert "\x1b[31m[bold]hello" in text
    assert r"raw a\x1b[31m" in text, "an escape of an object is shown, also where a command forgot it"
    plain = [line for line in _without_styles(text).splitlines() if line]
    assert max(map(len, plain)) <= columns
    assert ("word " * 29 in text) == (columns == 200)


@pytest.mark.parametrize(
    ("words", "environment"),
    [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})],
    ids=["--no-color", "NO_COLOR", "TERM=dumb"],
)
def test_no_colors_means_no_escape_at_all(words: list[str], environment: dict[str, str]) -> None:
    _, text = on_terminal(["-c", program(), *words], environment=environment)
    assert "\x1b" not in text
    assert "hello" in text


@pytest.mark.parametrize("closing", ["2>&-", pytest.param("2>/dev/full", marks=needs_full_disk)])
def test_talk_that_cannot_be_written_is_lost_and_the_answer_is_not(closing: str) -> None:
    shell = ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-c", program()]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(shell, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 5
    assert "word " * 29 in done.stdout
    assert "talk" not in done.stdout


def test_an_encoding_without_a_character_gets_it_escaped() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code = "import sys; from webhook.cli.program import run_program; sys.exit(run_program('x', [], lambda: print('ü')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, env=environment)
    assert done.stdout == b"\\xfc\n"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_document_names_its_schema_and_is_all_there_is(form: str) -> None:
    code, out, error = piped("-o", form)
    assert (code, error) == (0, "")
    assert yaml.safe_load(out) == {
        "apiVersion": "stagegate.dev/v1alpha1",
        "kind": "Example",
        "items": [{"name": EVIL}],
    }
    assert out.replace("\n", "").isprintable()


def test_a_form_of_the_command_reaches_it_and_others_are_wrong_usage() -> None:
    assert "wide" in piped("-o", "wide")[1]
    code, _, error = piped("-o", "xml")
    assert (code, error) == (2, "show: --output: 'xml' is not one of 'json', 'yaml', 'wide'; see: show --help\n")


@pytest.mark.parametrize("content", [{"a": "ü\n\u2028😀\U000e0001"}, {"a": [1, None, True, {"b": "x: y\nz"}], "c": ""}])
def test_documents_keep_every_value(content: dict[str, Any]) -> None:
    whole = document("K", content)
    assert json.loads(json_text(whole)) == whole == yaml.safe_load(yaml_text(whole))
    assert json_text(whole).replace("\n", "").isprintable()
    assert yaml_text(whole).replace("\n", "").isprintable()


def _without_styles(text: str) -> str:
    parts = text.split("\x1b[")
    return parts[0] + "".join(part.partition("m")[2] for part in parts[1:])
