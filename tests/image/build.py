"""Building: every instruction of the Dockerfile done to a folder, in order."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.image.dockerfile import REPOSITORY, Stage, ignored_patterns, parse, sent

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_OF_THIS_MACHINE: Final = ("PIP_CERT", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "PIP_INDEX_URL")

_ALONE: Final = ("/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child")


class BuildFailed(RuntimeError):
    """An instruction did not go well; the message holds it and what it printed."""


@dataclass(frozen=True)
class Image:
    """The last stage: its root, and what it runs as."""

    root: Path
    stage: Stage

    def environment(self) -> dict[str, str]:
        return self.stage.pairs("ENV")

    def size(self, folder: str = "") -> int:
        """Bytes of the files in a folder of it."""
        found = (path for path in (self.root / folder).rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in found)


def build(folder: Path, make_base: Callable[[Path], None]) -> Image:
    """Play every stage in a folder of its own, where ``make_base`` puts what its base holds. Raises BuildFailed.

    A base that is not slim has what this machine has besides, its compiler above all.
    """
    _, stages = parse((REPOSITORY / "Dockerfile").read_text())
    roots: dict[str, Path] = {}
    for number, stage in enumerate(stages):
        root = folder / f"stage-{number}"
        make_base(root)
        roots[stage.name] = root
        _play(stage, root, roots, slim=stage.base.endswith("-slim"))
    return Image(roots[""], stages[-1])


def _play(stage: Stage, root: Path, roots: dict[str, Path], *, slim: bool) -> None:
    workdir = Path("/")
    environment = {"PATH": _PATH, "HOME": "/tmp"}
    for each in stage.instructions:
        if each.word == "WORKDIR":
            workdir = Path(each.rest)
            _inside(root, workdir).mkdir(parents=True, exist_ok=True)
        elif each.word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in each.rest.split())
        elif each.word == "COPY":
            _copy(each.rest.split(), root, workdir, roots)
        elif each.word == "RUN":
            step = f"cd {workdir} && {each.rest}"
            _run(enter(root, "/bin/sh", "-c", step) if slim else _enter_over_machine(root, step), environment)


def enter(root: Path, *command: str, user: str = "0:0") -> list[str]:
    """A command inside a root, with a process table of its own, so that nothing outlives it."""
    return [*_ALONE, _program("chroot"), f"--userspec={user}", "--groups=", str(root), *command]


def _enter_over_machine(root: Path, step: str) -> list[str]:
    """A step in a root that lies over this machine's own files; what it writes lands in the root."""
    place, work = root.with_name(f"{root.name}-place"), root.with_name(f"{root.name}-work")
    for folder in (place, work):
        folder.mkdir(exist_ok=True)
    layers = f"lowerdir=/,upperdir={root},workdir={work}"
    script = 'mount -t overlay overlay -o "$1" "$2" && exec chroot "$2" /bin/sh -c "$3"'
    return [*_ALONE, "/bin/sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin; {script}", "sh", layers, str(place), step]


def _run(command: list[str], environment: dict[str, str]) -> None:
    machine = {name: os.environ[name] for name in _OF_THIS_MACHINE if name in os.environ}
    done = subprocess.run(command, env=machine | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"RUN {command[-1]}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert found is not None, f"no {name} on this machine"
    return found


def _copy(words: list[str], root: Path, workdir: Path, roots: dict[str, Path]) -> None:
    source, patterns = REPOSITORY, ignored_patterns()
    if words[0].startswith("--from="):
        source, patterns = roots[words.pop(0).removeprefix("--from=")], []
    *names, target = words
    place = _inside(root, workdir / target)
    for name in names:
        found = source / name.lstrip("/")
        if patterns and not sent(Path(name), patterns):
            raise BuildFailed(f"COPY {name}: .dockerignore keeps it out")
        if found.is_dir():
            _copy_folder(found, place, source, patterns)
        elif target.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, place / found.name)
        else:
            shutil.copy2(found, place)


def _copy_folder(folder: Path, place: Path, source: Path, patterns: list[str]) -> None:
    def left_out(inside: str, names: list[str]) -> list[str]:
        relative = Path(inside).relative_to(source)
        return [name for name in names if patterns and not sent(relative / name, patterns)]

    shutil.copytree(folder, place, symlinks=True, ignore=left_out, dirs_exist_ok=True)


def _inside(root: Path, path: Path) -> Path:
    return root / str(path).lstrip("/")
