"""``stagegate certs`` at the command line."""

from pathlib import Path

import pytest

from certs.bundle import read_bundle
from certs.directory import DirectoryStore
from certs.leaf import hosts_of
from certs.pair import prove
from webhook.cli import main


def test_init_makes_a_pair_for_the_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", "init", str(tmp_path / "d"), "--host", "localhost", "127.0.0.1"]) == 0
    contents, _ = DirectoryStore(tmp_path / "d").read()
    assert hosts_of(prove(contents.leaf)) == {"localhost", "127.0.0.1"}
    assert "written; then a new leaf" in capsys.readouterr().out


def test_init_twice_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["certs", "init", str(tmp_path), "--host", "localhost"]
    main(command)
    before = DirectoryStore(tmp_path).read()
    capsys.readouterr()
    assert main(command) == 0
    assert DirectoryStore(tmp_path).read() == before
    assert "unchanged" in capsys.readouterr().out


def test_init_for_another_host_keeps_the_authority(tmp_path: Path) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    before, _ = DirectoryStore(tmp_path).read()
    assert main(["certs", "init", str(tmp_path), "--host", "b"]) == 0
    after, _ = DirectoryStore(tmp_path).read()
    assert (after.ca_certificates, after.ca_key) == (before.ca_certificates, before.ca_key)
    assert hosts_of(prove(after.leaf)) == {"b"}


def test_init_mends_what_does_not_match(tmp_path: Path) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    (tmp_path / "tls.key").write_bytes((tmp_path / "ca.key").read_bytes())
    assert main(["certs", "init", str(tmp_path), "--host", "a"]) == 0
    prove(DirectoryStore(tmp_path).read()[0].leaf)


def test_rotate_makes_a_new_leaf(tmp_path: Path) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    before, _ = DirectoryStore(tmp_path).read()
    assert main(["certs", "rotate", str(tmp_path)]) == 0
    after, _ = DirectoryStore(tmp_path).read()
    assert after.ca_certificates == before.ca_certificates
    assert after.certificate != before.certificate
    assert hosts_of(prove(after.leaf)) == {"a"}


def test_rotate_ca_keeps_the_old_authority_trusted(tmp_path: Path) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    before, _ = DirectoryStore(tmp_path).read()
    assert main(["certs", "rotate", str(tmp_path), "--ca"]) == 0
    after, _ = DirectoryStore(tmp_path).read()
    assert read_bundle(after.ca_certificates)[1:] == read_bundle(before.ca_certificates)
    assert len(read_bundle(after.ca_certificates)) == 2


def test_status_tells_the_chain_and_what_is_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    capsys.readouterr()
    assert main(["certs", "status", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["authority", "leaf", "next"]


@pytest.mark.parametrize("task", ["status", "rotate"])
def test_an_empty_directory_says_how_to_fill_it(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", task, str(tmp_path / "no")]) == 3
    assert f"stagegate certs init {tmp_path / 'no'} --host localhost" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["init", "{}/file", "--host", "a"], 1, "file"),
        (["init", "{}", "--host", "exämple"], 1, "'exämple' is neither a host name nor an address"),
        (["status", "{}", "--probe", "nowhere"], 2, "--probe nowhere: wanted HOST:PORT"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], code: int, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    main(["certs", "init", str(tmp_path), "--host", "a"])
    capsys.readouterr()
    assert main(["certs", *(argument.format(tmp_path) for argument in arguments)]) == code
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
