"""``stagegate certs`` at the command line."""

from pathlib import Path

import pytest

from certs.bundle import read_bundle
from certs.directory import DirectoryStore
from certs.key_pair import prove
from certs.leaf import hosts_of
from webhook.cli import main


def test_init_makes_a_pair_for_the_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", "init", str(tmp_path / "d"), "--host", "localhost", "127.0.0.1"]) == 0
    contents, _ = DirectoryStore(tmp_path / "d").read()
    assert hosts_of(prove(contents.leaf)) == {"localhost", "127.0.0.1"}
    assert "written; next: a new leaf" in capsys.readouterr().out


@pytest.mark.parametrize(
    "given",
    [["localhost,127.0.0.1,[::1]"], ["LOCALHOST, 127.0.0.1", "::1"], ["localhost.", "127.0.0.1", "--host", "0:0::1"]],
)
def test_init_takes_hosts_in_every_spelling(given: list[str], tmp_path: Path) -> None:
    assert main(["certs", "init", str(tmp_path), "--host", *given]) == 0
    assert hosts_of(prove(DirectoryStore(tmp_path).read()[0].leaf)) == {"localhost", "127.0.0.1", "::1"}


def test_hosts_that_are_refused_make_no_certificate(tmp_path: Path) -> None:
    assert main(["certs", "init", str(tmp_path / "d"), "--host", "localhost", "localhost:8443"]) == 2
    assert not (tmp_path / "d").exists()


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


def test_status_shows_the_chain_and_what_is_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    capsys.readouterr()
    assert main(["certs", "status", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["authority", "leaf", "next"]


def test_status_fails_where_key_and_certificate_do_not_match(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    (tmp_path / "tls.key").write_bytes((tmp_path / "ca.key").read_bytes())
    capsys.readouterr()
    assert main(["certs", "status", str(tmp_path)]) == 1
    problem = "the leaf cannot be used: the private key does not belong to the certificate"
    assert capsys.readouterr().out.splitlines()[-1] == f"problem    {problem}"


def test_status_fails_where_a_server_that_was_named_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    capsys.readouterr()
    assert main(["certs", "status", str(tmp_path), "--probe", "127.0.0.1:1"]) == 1
    printed = capsys.readouterr()
    says = "no TLS handshake with 127.0.0.1:1: Connection refused; check the address, and that the server runs"
    assert printed.out.splitlines()[-3] == "served     127.0.0.1:1: no answer"
    assert (printed.out.splitlines()[-1], printed.err) == (f"problem    {says}", "")


@pytest.mark.parametrize("task", ["status", "rotate"])
def test_an_empty_directory_says_how_to_fill_it(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", task, str(tmp_path / "no")]) == 3
    assert f"stagegate certs init {tmp_path / 'no'} --host localhost" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["init", "{}/file", "--host", "a"], 3, "file"),
        (
            ["init", "{}", "--host", "exämple"],
            2,
            "--host: 'exämple' is not a host: must be a DNS name or an IP address",
        ),
        (["init", "{}", "--host", ""], 2, "--host: '' is not a host: must be a DNS name or an IP address"),
        (["init", "{}", "--host", "a,"], 2, "--host: '' is not a host: must be a DNS name or an IP address"),
        (
            ["init", "{}", "--host", "localhost:8443"],
            2,
            "--host: 'localhost:8443' is not a host, it has a port: must be",
        ),
        (
            ["init", "{}", "--host", "a", "http://localhost"],
            2,
            "'http://localhost' is not a host, it is a URL: must be",
        ),
        (["init", "{}", "--host", " localhost "], 2, "--host: ' localhost ' is not a host, it has blanks around it"),
        (["init", "{}", "--host", "a" * 64], 2, "is not a host, it is longer than 253 characters, or a part of it"),
        (["init", "", "--host", "a"], 2, "DIR: must not be empty"),
        (["status", ""], 2, "DIR: must not be empty"),
        (["status", "{}", "--probe", "nowhere"], 2, "--probe: must be HOST:PORT, such as localhost:8443"),
        (["status", "{}", "--probe", "localhost:\u00b2"], 2, "--probe: must be HOST:PORT, such as localhost:8443"),
        (["status", "{}", "--probe", "localhost:70000"], 2, "--probe: must be HOST:PORT, such as localhost:8443"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], code: int, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    main(["certs", "init", str(tmp_path), "--host", "a"])
    capsys.readouterr()
    assert main(["certs", *(argument.format(tmp_path) for argument in arguments)]) == code
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
