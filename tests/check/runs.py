"""Runs of the checks on texts, and texts with a mark around the value that a finding is to point at."""

from typing import Any, Final

from webhook.check.files import Input
from webhook.check.report import Located, Report
from webhook.check.run import Options, judged, read

BEGIN: Final = "«"
END: Final = "»"

HEAD: Final = "apiVersion: serving.knative.dev/v1\n"
SPA: Final = f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: hello-00002}}\n"
RO: Final = f"{HEAD}kind: RolloutOrchestrator\nmetadata: {{name: hello}}\n"


def report_on(*texts: str | bytes, options: Options | None = None, rendered: bool = False, **files: Any) -> Report:
    """The report on files 1.yaml and so on; ``files`` are their suffix, and other files that can be read."""
    suffix, at_hand = files.pop("suffix", "yaml"), files.pop("at_hand", {})
    inputs = [
        Input(f"{number}.{suffix}", _bytes(text), suffix == "json", rendered) for number, text in enumerate(texts, 1)
    ]
    return report_on_inputs(inputs, options or Options(), at_hand=at_hand, **files)


def report_on_inputs(
    inputs: list[Input],
    options: Options,
    *,
    at_hand: dict[str, str] | None = None,
    old: list[str] | None = None,
    live: list[Any] | None = None,
    namespaces: dict[str, dict[str, str]] | None = None,
) -> Report:
    there = {name: Input(name, text.encode(), name.endswith(".json")) for name, text in (at_hand or {}).items()}
    run = read(inputs, options, there.get)
    former = [Input(f"{number}.yaml", text.encode()) for number, text in enumerate(old or (), 1)]
    before = None if old is None else read(former, options)
    return judged(run, options, run.context(live, namespaces), before)


def findings_in(*texts: str | bytes, **given: Any) -> list[Located]:
    return report_on(*texts, **given).findings


def briefly(findings: list[Located]) -> list[tuple[str, str, str]]:
    """Level, id and field of each finding."""
    return [(each.level, each.id, each.field) for each in findings]


def ids(findings: list[Located]) -> list[str]:
    return [each.id for each in findings]


def unmarked(text: str) -> tuple[str, tuple[int, int, int, int]]:
    """The text without the marks, and the place between them: line, column, end line, end column."""
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before + inside + after, (*_end_of(before), *_end_of(before + inside))


def _end_of(text: str) -> tuple[int, int]:
    lines = text.replace("\r\n", "\n").replace("\ufeff", "").split("\n")
    return len(lines), len(lines[-1]) + 1


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
