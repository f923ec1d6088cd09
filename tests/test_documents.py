"""The documents: what they name exists, and what exists is in the tables that list it."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from tests.admission.reviews import Wire, cache, response_to
from tests.documents import DOCUMENTS, REPOSITORY, anchors, document_of, links, section, sections
from tests.vectors.ceilings import committed_ceilings
from webhook.api import conditions
from webhook.cli import COMMANDS, stagegate
from webhook.knative.opt_in import OBSTACLES
from webhook.planning import config

SOURCES = [path for package in ("webhook", "certs") for path in sorted((REPOSITORY / package).rglob("*.py"))]
PLACES = ("webhook/", "certs/", "sandbox/", "manifests", "tests/", "docs/", ".ci/", ".github/")


def test_every_markdown_file_of_the_repository_is_a_document() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("no checkout of git")
    listed = {REPOSITORY / line for line in tracked.stdout.splitlines()}

    assert {path for path in listed if path.exists()} <= set(DOCUMENTS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=document_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in links(path):
        if link.startswith("https://"):
            continue
        file, _, fragment = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


def test_the_readme_leads_to_every_document() -> None:
    reached, ahead = set(), [REPOSITORY / "README.md"]
    while ahead:
        path = ahead.pop()
        reached.add(path)
        linked = {(path.parent / link.partition("#")[0]).resolve() for link in links(path) if "://" not in link}
        ahead += sorted(linked & set(DOCUMENTS) - reached)

    assert set(DOCUMENTS) - reached == set()


def test_every_path_exists() -> None:
    named = {term for each in sections() for term in each.terms if term.startswith(PLACES) and " " not in term}

    assert named
    assert [path for path in sorted(named) if not (REPOSITORY / path.replace("/NAME", "")).exists()] == []


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {word for path in DOCUMENTS for word in re.findall(r"`make ([a-z0-9-]+)", path.read_text())}

    assert named
    assert named <= targets


def test_every_module_that_is_run_exists() -> None:
    named = {word for path in DOCUMENTS for word in re.findall(r"python -m ([a-z.]+)", path.read_text())}

    assert named
    assert [module for module in named if importlib.util.find_spec(module) is None] == []


def command_of(name: str) -> click.Command:
    found = stagegate.get_command(click.Context(stagegate), name)
    assert found is not None
    return found


def options_of(command: str) -> set[str]:
    """The long options of a command, but for those that every command has."""
    names = {name for option in command_of(command).params for name in option.opts if name.startswith("--")}
    return names - {"--debug"}


def described() -> dict[str, str]:
    """What the reference says of each command; one heading may name several."""
    parts = re.split(r"^### (.+)$", section("Commands").text, flags=re.MULTILINE)
    names = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {
        name: text
        for title, text in names.items()
        if title.startswith("stagegate ")
        for name in title.removeprefix("stagegate ").split(", ")
    } | {"": names["Options that many commands have"]}


def is_named(option: click.Parameter, text: str) -> bool:
    """True if a text has one of the option's spellings."""
    return any(re.search(rf"(?<![\w-]){name}(?![\w-])", text) for name in option.opts)


def test_the_reference_has_a_part_about_every_command() -> None:
    assert described().keys() - {""} == COMMANDS.keys()


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"certs"}))
def test_the_reference_names_every_option(command: str) -> None:
    text = described()[command] + described()[""]
    options = [each for each in command_of(command).params if isinstance(each, click.Option)]
    assert [each.opts for each in options if not is_named(each, text)] == []


@pytest.mark.parametrize("command", ["serve", "loop", "doctor", "release"])
def test_the_reference_lists_every_option(command: str) -> None:
    rows = [line for line in described()[command].splitlines() if line.startswith("| `--")]
    listed = {option for row in rows for option in re.findall(r"`(--[a-z-]+)`", row.split("|")[1])}

    assert listed == options_of(command)


def test_every_stagegate_command_has_these_options() -> None:
    for each in sections():
        for command in each.commands:
            for part in re.split(r" \| | -- ", command):
                words = shlex.split(part)
                if words[0] != "stagegate" or words[1].startswith("--") or words[1] == "COMMAND":
                    continue
                assert words[1] in COMMANDS, command
                if words[1] == "certs":
                    continue
                used = {word.partition("=")[0] for word in words[2:] if word.startswith("--")} - {"--help"}
                assert used <= options_of(words[1]), command


def test_the_reference_lists_every_metric() -> None:
    there = {name for path in SOURCES for name in re.findall(r'"(stagegate_[a-z_]+)"', path.read_text())}

    assert {row[0].strip("`") for row in section("Metrics").rows} == there


def test_the_reference_lists_every_annotation_and_label_of_ours() -> None:
    source = "\n".join(path.read_text() for path in SOURCES)
    there = set(re.findall(r'"(stagegate\.dev/[a-z-]+)"', source))
    there |= {f"autoscaling.knative.dev/{name}" for name in re.findall(r'"{AUTOSCALING}(stagegate-[a-z-]+)"', source)}
    listed = {key for row in section("Annotations and labels").rows for key in re.findall(r"`([^`]+)`", row[0])}

    assert len(there) > 5
    assert there - listed == set()
    assert {key for key in listed if "stagegate" in key} - there == set()


def test_the_reference_lists_every_setting() -> None:
    public = {name: value for name, value in vars(config).items() if re.fullmatch("[A-Z][A-Z_]+", name)}
    there = {value for value in public.values() if isinstance(value, str) and re.fullmatch("[a-z]+(-[a-z]+)+", value)}

    assert len(there) > 5
    assert {row[0].strip("`") for row in section("Settings").rows} == there - {config.ROLLOUT_DURATION}


def test_the_reference_lists_every_condition() -> None:
    public = {name: value for name, value in vars(conditions).items() if re.fullmatch("[A-Z][A-Z_]+", name)}
    there = {value for value in public.values() if isinstance(value, str)}
    states_and_knatives = {conditions.TRUE, conditions.FALSE, conditions.UNKNOWN, conditions.SCALE_TARGET_INITIALIZED}

    assert there - states_and_knatives <= set(section("Conditions").terms)


def test_the_reference_lists_every_event() -> None:
    emitted = set(OBSTACLES)
    for path in SOURCES:
        for reason in re.findall(r'(?:"(?:Normal|Warning)", |\bNote\()("?[A-Z]\w+)', path.read_text()):
            module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
            named = reason[1:] if reason.startswith('"') else getattr(importlib.import_module(module), reason)
            emitted.add(named)
    listed = {reason for row in section("Events").rows for reason in re.findall(r"`(\w+)`", row[0])}

    assert emitted - listed == set()


def test_every_event_of_the_reference_is_emitted() -> None:
    source = "\n".join(path.read_text() for path in SOURCES)
    reasons = [reason for row in section("Events").rows for reason in re.findall(r"`(\w+)`", row[0])]

    assert reasons
    assert [reason for reason in reasons if f'"{reason}"' not in source] == []


def sample(name: str) -> Wire:
    wire: Wire = yaml.safe_load((REPOSITORY / "manifests" / "samples" / name).read_text())
    return wire


def test_the_rejection_is_shown_as_it_reads() -> None:
    rollout = sample("rollout-availability.yaml")
    rollout["metadata"]["uid"] = "fcd6010e-2127-48f3-888b-7e51230a93de"
    response = response_to(sample("stagepodautoscaler-bad.yaml"), lookup=cache(rollout))

    text = section("How to read a rejection").text
    first, *findings = response["status"]["message"].splitlines()
    assert f"denied the request: {first}\n" in text
    assert [line for line in findings if f"{line}\n" not in text] == []


def test_every_difference_that_a_row_may_show_is_explained() -> None:
    named = {name for shares in committed_ceilings().values() for name in shares}

    assert {row[0] for row in section("Differences").rows} == named


def test_every_go_function_that_is_mirrored_is_described() -> None:
    mirrored = {name for path in SOURCES for name in re.findall(r"Mirrors\s+``(\w+)``", path.read_text())}
    described = {term for each in sections() if each.document == "BEHAVIOUR.md" for term in each.terms}

    assert mirrored
    assert mirrored <= {name for term in described for name in term.split(".")}
