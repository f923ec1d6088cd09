"""How ``stagegate certs`` ends: the kinds of its documents, and the problems that it prints."""

from collections.abc import Sequence
from typing import Final

from webhook.cli.errors import DONE, FAILED

STATUS: Final = "CertificateStatus"
RESULT: Final = "CertificateResult"
"""The kinds of documents: what there is, and what was made."""


def print_problems(problems: Sequence[str]) -> int:
    """Print what is wrong, one problem a line; the exit code is FAILED if there is a problem, else DONE."""
    for problem in problems:
        print(f"problem    {problem}")
    return FAILED if problems else DONE
