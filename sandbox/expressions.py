"""CEL as an API server evaluates it: compiled once, refused at once if it uses what is not known here."""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import cel
from cel.stdlib import STDLIB_FUNCTIONS

_CORE: Final = frozenset(
    {"bool", "bytes", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek"}
    | {"getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "int"}
    | {"matches", "size", "startsWith", "string", "timestamp", "type", "uint"}
)
_EXTENSIONS: Final = (
    *("charAt", "indexOf", "join", "lastIndexOf", "lowerAscii", "replace"),
    *("split", "substring", "trim", "upperAscii"),
)
_TYPES: Final = frozenset(
    {
        "bool",
        "bytes",
        "double",
        "duration",
        "dyn",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "timestamp",
        "type",
        "uint",
    }
)
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {name: STDLIB_FUNCTIONS[name] for name in _EXTENSIONS}
_BOUND: Final = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(\s*([A-Za-z_]\w*)\s*,")
_OPERATOR: Final = re.compile(r"[^A-Za-z]")
_LIMIT: Final = 16 * 1024
"""Longest expression that is compiled, in characters."""


class CompilationFailed(ValueError):
    """The expression is wrong, or uses what the sandbox cannot evaluate."""


class EvaluationFailed(Exception):
    """The expression has no value for these objects."""


class Expression:
    """One compiled expression."""

    def __init__(self, program: cel.Program) -> None:
        self._program = program
        self.source: str = program.source
        self.variables = frozenset(program.variables())

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Its value. Raises EvaluationFailed."""
        try:
            return self._program.execute(cel.Context(variables=dict(variables), functions=dict(_FUNCTIONS)))
        except KeyError as problem:
            raise EvaluationFailed(f"no such key: {problem.args[0]}") from None
        except Exception as problem:  # the library has no exception of its own
            raise EvaluationFailed(str(problem)) from None


@functools.lru_cache(4096)
def compiled(source: str, declared: frozenset[str]) -> Expression:
    """Compile an expression over these variables. Raises CompilationFailed."""
    if len(source) > _LIMIT:
        raise CompilationFailed(f"the sandbox compiles no expression longer than {_LIMIT} characters")
    try:
        program = cel.compile(source)
    except BaseException as problem:  # the library can end in a panic, which is no Exception
        if isinstance(problem, KeyboardInterrupt | SystemExit):
            raise
        raise CompilationFailed(str(problem)) from None
    bound = set(_BOUND.findall(source))
    for name in program.variables():
        if name not in declared and name not in bound and name not in _TYPES:
            raise CompilationFailed(f"undeclared reference to '{name}'")
    for name in program.functions():
        if not _OPERATOR.match(name) and name not in _CORE and name not in _FUNCTIONS:
            known = ", ".join(_EXTENSIONS)
            raise CompilationFailed(f"the sandbox has no function {name}: it knows those of core CEL, and {known}")
    return Expression(program)


_RESERVED: Final = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"}
    | {"let", "loop", "package", "namespace", "return", "var", "void", "while"}
)


def escaped(name: str) -> str:
    """The name of a property as an expression must write it."""
    if name in _RESERVED:
        return f"__{name}__"
    name = name.replace("__", "__underscores__")
    return name.replace(".", "__dot__").replace("-", "__dash__").replace("/", "__slash__")


def cel_value(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value as rules see it: numbers of type ``number`` floating, property names escaped, nulls left out."""
    if isinstance(value, dict):
        properties: Mapping[str, Any] = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        free = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        result: dict[str, Any] = {}
        for name, member in value.items():
            if member is None and not (properties.get(name) or others).get("nullable"):
                continue
            if name in properties:
                result[escaped(name)] = cel_value(member, properties[name])
            elif others or free:
                result[name] = cel_value(member, others)
        return result
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [cel_value(item, items) for item in value]
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
