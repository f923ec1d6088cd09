"""The rules, one file per object: values in, findings out."""

from typing import Final

RULE_IDS: Final = tuple(f"SPA{number:03}" for number in range(1, 10)) + tuple(
    f"RO{number:03}" for number in range(1, 13)
)
"""Every id a finding can have, in the order of an answer."""
