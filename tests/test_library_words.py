"""The text of a library's exception stands in no message of ours: it is kept as the cause.

A library writes about its own arguments, in its own words, and may quote whatever was in a file or in an address.
"""

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from unrolled import errors

SOURCE = Path(__file__).parents[1] / "src" / "unrolled"
TEXTS_OF_MODULES = {
    path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))
}
MAY_CATCH = re.compile(r"except .* as \w+:|\) as \w+:|\w+: \w*(Error|Exception|Warning)\b")
TEXTS = {"args", "msg", "strerror", "reason", "message", "error_string", "error", "doc", "object", "__notes__"}
# why a function may read the text of another's exception
REASONS = {
    "errors.py reason": "tells which faults have words of ours or of the operating system",
    "cli/main.py _show_warning": "a warning, of ours or of a library, is shown as it is",
    "serving/errors.py fault_of": "words of ours: an error of the tree",
    "cli/main.py _run": "a fault of this program, which its makers have to know",
    "cli/config.py read_config": "the place in a file, which this parser says in its text only; no word of it is shown",
    "data/formats/catalogues.py _from_po": "the place in a file, likewise",
    "data/formats/excel.py table": "the name of a column, likewise",
    "data/formats/json_faults.py json_fault": "the characters of the user's file at that place; no word of the parser",
    "data/formats/arrays.py _damaged": "tells arrays of objects from damaged files; no word of it is shown",
    "data/sql.py _guarded": "the database's answer to the user's own query, which alone says what is wrong with it",
    "kernels/cpu/cache.py _why": "words of ours if it is `NotTrusted`",
    "serving/strict_json.py wrong": "words of ours if it is `Refused`",
    "export/runner.py main": "words of ours if it is `ModelError`",
    "streaming/durable.py _told": "words of ours: a `StoreUnavailable`",
    "streaming/stores/redis.py _reason": "tells apart what Redis says by its code words; no further word is shown",
    "data/formats/excel.py read_excel": "tells a panic by its class, which the library does not export",
}


def own_errors() -> set[str]:
    """Names of the exceptions that this package defines."""
    known = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    raised = {
        name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    for text in TEXTS_OF_MODULES.values():
        for name, bases in re.findall(r"^class (\w+)\((.+)\):", text, re.MULTILINE):
            known |= {name} if set(re.findall(r"\w+", bases)) & (known | raised) else set()
    return known


OWN = own_errors()


def is_foreign(kind: ast.expr | None) -> bool:
    """Whether an annotation or a clause names exceptions of others."""
    if kind is None:
        return False
    names = [ast.unparse(one).rpartition(".")[2] for one in (kind.elts if isinstance(kind, ast.Tuple) else [kind])]
    return not set(names) <= OWN


def is_exception(kind: ast.expr | None) -> bool:
    text = "" if kind is None else ast.unparse(kind)
    return any(part.strip().endswith(("Error", "Exception", "Warning")) for part in text.split("|"))


def shown(tree: ast.AST, name: str) -> Iterator[int]:
    """Lines in which the text of an exception is taken."""
    for node in ast.walk(tree):
        match node:
            case ast.FormattedValue(value=value):
                inner = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                if any(isinstance(one, ast.Name) and one.id == name for one in inner):
                    yield node.lineno
            case ast.Call(func=ast.Name(id="str" | "repr" | "format" | "print"), args=args) if any(
                isinstance(one, ast.Name) and one.id == name for one in args
            ):
                yield node.lineno
            case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id=same), ast.Constant(value=text), *_]) if (
                same == name and text in TEXTS
            ):
                yield node.lineno
            case ast.Attribute(value=ast.Name(id=same), attr=attribute) if same == name and attribute in TEXTS:
                yield node.lineno
            case ast.Attribute(value=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=same)]), attr="__name__") if (
                same == name
            ):
                yield node.lineno


class Takers(ast.NodeVisitor):
    """Collects functions that take the text of another's exception, with the lines."""

    def __init__(self) -> None:
        self.inside = [""]
        self.found: list[tuple[str, int]] = []

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.inside.append(node.name)
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            if is_exception(argument.annotation) and is_foreign(argument.annotation):
                self.found += [(node.name, line) for line in shown(node, argument.arg)]
        self.generic_visit(node)
        self.inside.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name and is_foreign(node.type):
            self.found += [(self.inside[-1], line) for line in shown(node, node.name)]
        self.generic_visit(node)


def takers(text: str) -> list[tuple[str, int]]:
    """Return the functions of a module that take the text of another's exception, with the lines."""
    if not MAY_CATCH.search(text):
        return []
    visitor = Takers()
    visitor.visit(ast.parse(text))
    return visitor.found


def test_messages_take_the_text_of_a_library_for_a_stated_reason_only():
    places: dict[str, list[int]] = {}
    for name, text in TEXTS_OF_MODULES.items():
        for function, line in takers(text):
            places.setdefault(f"{name} {function}", []).append(line)
    assert {place: lines for place, lines in places.items() if place not in REASONS} == {}
    assert set(REASONS) <= set(places)


@pytest.mark.parametrize(
    "body",
    [
        "raise DataError(f'no file: {fault}') from fault",
        "raise DataError(str(fault)) from fault",
        "raise DataError(fault.strerror) from fault",
        "raise DataError(f'{path} ({type(fault).__name__})') from fault",
        "raise DataError(getattr(fault, 'msg', '')) from fault",
        "raise DataError(f'{fault if path else 0}') from fault",
    ],
)
def test_the_law_sees_each_way_of_taking_a_text(body):
    for head in ("except ValueError as fault:", "except (DataError, OSError) as fault:"):
        assert takers(f"def read(path):\n    try:\n        pass\n    {head}\n        {body}\n") == [("read", 5)]
    assert takers(f"def told(path, fault: OSError):\n    {body}\n") == [("told", 2)]
    assert takers(f"def told(path, fault: DataError):\n    {body}\n") == []
