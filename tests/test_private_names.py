"""The product uses public names of libraries only, and nothing here changes where Python looks for modules."""

import ast
import importlib
import inspect
import logging
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = frozenset({"webhook", "certs", "sandbox", "shipping", "tests"})
FILES = sorted(path for package in ("webhook", "certs") for path in (ROOT / package).rglob("*.py"))


NAMED_TUPLE = ("_asdict", "_field_defaults", "_fields", "_make", "_replace")
"""Public although they begin with an underscore: so they cannot be names of fields."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in NAMED_TUPLE


def is_library(module: str) -> bool:
    return module.partition(".")[0] not in OURS


class PrivateNames(ast.NodeVisitor):
    """Collects ``line: what`` for each private name of a library that the source of a module uses.

    Seen are imports, attributes of what was imported, also in quoted annotations, names in getattr and its like, and
    in classes that extend a library's: attributes of self that the module itself never sets or defines.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[str] = []
        self.imported: set[str] = set()
        self.defined = {
            name
            for node in ast.walk(tree)
            for name in (
                [node.name]
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                else [node.attr]
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
                else [node.id]
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                else []
            )
        }
        self.of_library = [False]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.imported |= {
                    (each.asname or each.name).partition(".")[0] for each in node.names if is_library(each.name)
                }
            elif isinstance(node, ast.ImportFrom) and not node.level and is_library(node.module or ""):
                self.imported |= {each.asname or each.name for each in node.names}
        self.visit(tree)

    def _note(self, node: ast.AST, what: str) -> None:
        self.found.append(f"{getattr(node, 'lineno', 0)}: {what}")

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            if is_library(each.name) and any(map(is_private, each.name.split("."))):
                self._note(node, each.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level or not is_library(module) or module == "__future__":
            return
        for each in node.names:
            if any(map(is_private, [*module.split("."), each.name])):
                self._note(node, f"{module}.{each.name}")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = {name.id for base in node.bases for name in ast.walk(base) if isinstance(name, ast.Name)}
        self.of_library.append(bool(bases & self.imported))
        self.generic_visit(node)
        self.of_library.pop()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if is_private(node.attr) and isinstance(root, ast.Name):
            inherited = self.of_library[-1] and root.id == "self" and node.attr not in self.defined
            if root.id in self.imported or inherited:
                self._note(node, ast.unparse(node))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr", "hasattr", "delattr"):
            name = node.args[1] if len(node.args) > 1 else None
            if isinstance(name, ast.Constant) and is_private(str(name.value)):
                self._note(node, ast.unparse(node))
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self._quoted(node.annotation)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._quoted(node.annotation)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._quoted(node.returns)
        self.generic_visit(node)

    def _quoted(self, annotation: ast.expr | None) -> None:
        if annotation is None:
            return
        literals = {
            inner
            for each in ast.walk(annotation)
            if isinstance(each, ast.Subscript) and isinstance(each.value, ast.Name) and each.value.id == "Literal"
            for inner in ast.walk(each.slice)
        }
        for each in ast.walk(annotation):
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and each not in literals:
                quoted = ast.parse(each.value, mode="eval").body
                for part in ast.walk(quoted):
                    ast.copy_location(part, each)
                self.visit(quoted)


def own_private_names(a_class: type) -> set[str]:
    """The private attributes of self that the source of a class names, and the methods that it defines."""
    found = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(a_class)))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return set(filter(is_private, found))


def shared_private_names(a_class: type) -> set[str]:
    """Private names of the class that one of its library bases has too; bases that are not written in Python aside."""
    theirs: set[str] = set()
    for base in a_class.__mro__[1:]:
        if is_library(base.__module__):
            theirs |= set(filter(is_private, vars(base)))
            with suppress(TypeError, OSError):
                theirs |= own_private_names(base)
    return own_private_names(a_class) & theirs if theirs else set()


def search_path_changes(tree: ast.Module) -> Iterator[int]:
    """Lines that name sys.path or its like."""
    names = {"path", "meta_path", "path_hooks"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            if isinstance(node.value, ast.Name) and node.value.id == "sys":
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and (
            (node.module == "sys" and names & {each.name for each in node.names}) or node.module == "site"
        ):
            yield node.lineno


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from lib import _x", ["1: lib._x"]),
        ("from lib._inner import x", ["1: lib._inner.x"]),
        ("import lib._inner", ["1: lib._inner"]),
        ("import lib\nlib._x()", ["2: lib._x"]),
        ("import lib as other\nother.a._x", ["2: other.a._x"]),
        ("from lib import thing\nthing._x = 1", ["2: thing._x"]),
        ("import lib\ndef f(a: 'lib._X[int]') -> None: ...", ["2: lib._X"]),
        ("import lib\ndef f() -> 'lib._X': ...", ["2: lib._X"]),
        ("import lib\na: Literal['', 'a b'] | 'lib._X'", ["2: lib._X"]),
        ("getattr(thing, '_x')", ["1: getattr(thing, '_x')"]),
        ("from lib import Base\nclass A(Base):\n def f(self): self._theirs()", ["3: self._theirs"]),
        ("from lib import Base\nclass A(Base):\n def f(self): self._ours()\n def _ours(self): ...", []),
        ("class A:\n def f(self): self._theirs()", []),
        ("from __future__ import annotations", []),
        ("from webhook.a import _x", []),
        ("import lib\nlib.__version__", []),
    ],
)
def test_the_test_itself(source: str, expected: list[str]) -> None:
    assert PrivateNames(ast.parse(source)).found == expected


def test_there_is_something_to_read() -> None:
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_no_private_name_of_a_library(path: Path) -> None:
    assert PrivateNames(ast.parse(path.read_text())).found == []


class Extended(logging.Handler):
    def __init__(self) -> None:
        self._name = self._ours = "mine"


def test_a_private_name_that_a_base_has_too_is_seen() -> None:
    assert shared_private_names(Extended) == {"_name"}


def test_no_class_shares_a_private_name_with_a_library_s() -> None:
    found = {}
    for path in FILES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if module != "webhook.__main__":
            for each in vars(importlib.import_module(module)).values():
                if isinstance(each, type) and each.__module__ == module and (shared := shared_private_names(each)):
                    found[f"{module}.{each.__qualname__}"] = shared
    assert found == {}


def test_no_change_of_the_search_path() -> None:
    assert list(search_path_changes(ast.parse("import sys\nsys.path.insert(0, '.')"))) == [2]
    assert list(search_path_changes(ast.parse("from sys import path"))) == [1]
    python = [path for package in sorted(OURS) for path in (ROOT / package).rglob("*.py")]
    found = {
        str(path.relative_to(ROOT)): lines
        for path in python
        if (lines := list(search_path_changes(ast.parse(path.read_text()))))
    }
    assert found == {}
