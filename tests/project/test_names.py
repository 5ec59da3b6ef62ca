"""A name stands for one thing in the whole package, and a file or a function fits a sitting."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent / "scheduler"
TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}


def assignments(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what a module sets, and to what; `A, B = 1, 2` sets two."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                yield from zip(names, values, strict=True)
            case ast.Assign(targets=targets, value=value):
                yield from ((target, value) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield target, value
            case _:
                pass


def constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name in capitals that a module sets, and the text of its value."""
    for target, value in assignments(tree):
        if isinstance(target, ast.Name) and target.id.isupper():
            yield target.id.strip("_"), ast.unparse(value)


def test_a_class_name_stands_for_one_thing() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for file, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                where[node.name.strip("_")].append(file)
    assert len(where) > 300
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


def test_a_constant_has_one_value_wherever_it_stands() -> None:
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for file, tree in TREES.items():
        for name, value in constants(tree):
            values[name][file] = value
    assert len(values) > 300
    assert {name: each for name, each in values.items() if len({*each.values()}) > 1} == {}


def test_no_file_has_more_than_350_lines_and_no_function_more_than_40() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, path
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines <= 40, (file, node.name)


def test_a_test_file_has_a_name_of_its_own() -> None:
    """Tests are no package: pytest would take one file for the other."""
    files = [path.name for path in TESTS.rglob("*.py") if "bench" not in path.parts]
    assert [name for name in set(files) if files.count(name) > 1 and name != "conftest.py"] == []
