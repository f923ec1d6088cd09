"""``--help`` of the programs that people start: every option is explained, and examples follow."""

import re
from collections.abc import Callable

import pytest

from tests.chaos.__main__ import main as chaos
from tests.fuzz.__main__ import main as fuzz
from tests.soak.__main__ import main as soak

PROGRAMS: dict[str, Callable[[], int]] = {
    "chaos": lambda: chaos(["--help"]),
    "chaos --knative": lambda: chaos(["--knative", "--help"]),
    "soak": lambda: soak(["--help"]),
    "fuzz": lambda: fuzz(["--help"]),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_explains_every_option_and_has_examples(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        PROGRAMS[program]()
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    options = re.findall(r"^  (-\S.*)\n(?=( *))", shown, re.MULTILINE)
    assert len(options) >= 4
    unexplained = [line for line, indent in options if "  " not in line.strip() and len(indent) < 8]
    assert unexplained == []
    assert re.search(rf"^examples:\n  python -m tests\.{program}", shown, re.MULTILINE)
    assert "130 interrupted" in shown
