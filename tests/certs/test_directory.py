"""The directory store: modes, atomic writes, versions, and what it says when it cannot."""

import os
import threading
from pathlib import Path

import pytest

from certs.contents import Contents
from certs.directory import DirectoryStore
from certs.errors import StoreConflict, StoreError

FIRST = Contents(b"ca 1", b"ca key 1", b"leaf 1", b"leaf key 1")
SECOND = Contents(b"ca 1", b"ca key 1", b"leaf 2", b"leaf key 2")
EMPTY = Contents()


def test_an_absent_directory_is_an_empty_store(tmp_path: Path) -> None:
    assert DirectoryStore(tmp_path / "no").read() == (EMPTY, EMPTY.version)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "a" / "b")
    store.write(FIRST, EMPTY.version)
    assert store.read() == (FIRST, FIRST.version)


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "certs"
    previous = os.umask(0)
    try:
        DirectoryStore(path).write(FIRST, EMPTY.version)
    finally:
        os.umask(previous)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "tls.crt": 0o644, "tls.key": 0o600}
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_write_on_an_old_version_changes_nothing(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.write(FIRST, EMPTY.version)
    with pytest.raises(StoreConflict):
        store.write(SECOND, EMPTY.version)
    assert store.read()[0] == FIRST


def test_files_that_stay_the_same_are_not_touched(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.write(FIRST, EMPTY.version)
    inodes = {name: (tmp_path / name).stat().st_ino for name in FIRST.files()}
    store.write(SECOND, FIRST.version)
    changed = {name for name in FIRST.files() if (tmp_path / name).stat().st_ino != inodes[name]}
    assert changed == {"tls.crt", "tls.key"}


def test_of_many_writers_of_one_version_one_wins(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    start = threading.Barrier(8)
    won: list[Contents] = []

    def write(number: int) -> None:
        mine = Contents(b"%d" % number, b"%d" % number, b"%d" % number, b"%d" % number)
        start.wait()
        try:
            store.write(mine, EMPTY.version)
        except StoreConflict:
            return
        won.append(mine)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [store.read()[0]]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    versions = [Contents(*([bytes([letter]) * 60_000] * 4)) for letter in b"ab"]
    store.write(versions[0], EMPTY.version)
    done = threading.Event()

    def flip() -> None:
        for turn in range(60):
            store.write(versions[(turn + 1) % 2], versions[turn % 2].version)
        done.set()

    writer = threading.Thread(target=flip)
    writer.start()
    seen: set[bytes] = set()
    while not done.is_set():
        seen |= set(store.read()[0].files().values())
    writer.join()
    assert seen <= {b"a" * 60_000, b"b" * 60_000}


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.write(FIRST, EMPTY.version)
    store.write(SECOND, FIRST.version)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca.crt", "ca.key", "tls.crt", "tls.key"]


def test_a_directory_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "certs"
    path.write_text("mine")
    with pytest.raises(StoreError, match=r"cannot (read|write) .*certs"):
        DirectoryStore(path).write(FIRST, EMPTY.version)


def test_a_file_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "tls.key").mkdir()
    with pytest.raises(StoreError, match=r"^cannot read .*tls\.key: Is a directory$"):
        DirectoryStore(tmp_path).read()


def test_keys_are_not_shown() -> None:
    assert "key 1" not in repr(FIRST)
