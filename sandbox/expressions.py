"""CEL as an API server evaluates it, for the match conditions of webhooks."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import cel
from cel.stdlib import STDLIB_FUNCTIONS

_EXTENSIONS: Final = (
    *("charAt", "indexOf", "join", "lastIndexOf", "lowerAscii", "replace"),
    *("split", "substring", "trim", "upperAscii"),
)
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {name: STDLIB_FUNCTIONS[name] for name in _EXTENSIONS}


class CompilationFailed(ValueError):
    """The expression is not CEL."""


class EvaluationFailed(Exception):
    """The expression has no value for these objects, or uses what the sandbox does not support."""


class Expression:
    """One compiled expression."""

    def __init__(self, program: cel.Program) -> None:
        self._program = program

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Its value. Raises EvaluationFailed."""
        try:
            return self._program.execute(cel.Context(variables=dict(variables), functions=dict(_FUNCTIONS)))
        except KeyError as problem:
            raise EvaluationFailed(f"no such key: {problem.args[0]}") from None
        except Exception as problem:  # the library has no exception of its own
            raise EvaluationFailed(str(problem)) from None


@functools.lru_cache(256)
def compiled(source: str) -> Expression:
    """Compile an expression. Raises CompilationFailed."""
    try:
        return Expression(cel.compile(source))
    except BaseException as problem:  # the library can end in a panic, which is no Exception
        if isinstance(problem, KeyboardInterrupt | SystemExit):
            raise
        raise CompilationFailed(str(problem)) from None
