"""Options of both processes for Services on stock Knative."""

from collections.abc import Callable


def add_stock_knative_options(add: Callable[..., object]) -> None:
    """``add`` is the ``add_argument`` of a group."""
    add(
        "--stock-knative", choices=("on", "off"), default="on", help="off: no Service rolls out in stages (%(default)s)"
    )
    add(
        "--progressive",
        action="store_true",
        help="Services roll out in stages unless they or their namespace say stagegate.dev/progressive=false",
    )
