"""Measurements: ratios of contenders that run side by side on this machine, in one run."""

import os
from typing import Final

BENCHES: Final = {
    "admission": "answers to admission calls per core, beside other webhooks",
    "worst": "the CPU of parsing and of judging the reviews that cost the most",
    "overload": "the answers and the refusals of a webhook that is sent more than it can answer",
    "write": "what the webhook adds to a write through a real API server",
    "pin": "what a new Revision of a Knative Service waits for its admission, and what 1,000 Services at rest cost",
    "memory": "whether the webhook grows with an hour's worth of calls, and the loop with 10,000 rollouts",
    "loop": "what the companion loop costs an API server and a machine, at 1,000 rollouts",
    "knative": "what rollouts on stock Knative cost: requests at rest and per stage, and the admission of a Revision",
}
"""Name of a bench (and of its module here) to its one-line summary; each module has ``main(arguments) -> int``."""


def machine_load() -> str:
    """How busy the machine was over the last 1, 5 and 15 minutes: to be printed beside every figure."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())
