"""Options of both processes for Services on stock Knative."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def stock_knative_options(option: Callable[..., Any]) -> Callable[[_F], _F]:
    """Add --stock-knative and --progressive, by this decorator of options."""

    def decorated(command: _F) -> _F:
        added = option(
            "--progressive",
            is_flag=True,
            help="Services roll out in stages unless they or their namespace say stagegate.dev/progressive=false.",
        )(command)
        result: _F = option(
            "--stock-knative",
            type=click.Choice(["on", "off"]),
            default="on",
            help="off: no Service rolls out in stages.",
        )(added)
        return result

    return decorated
