"""The arrows between the folders: each imports only what lies below it.

Run as a program it prints the map: `python tests/project/test_layers.py`.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parent.parent.parent / "scheduler"

# The folders from the bottom up. What stands beside them, in the package itself, are the words that
# all share.
ORDER = ["words", "schedule", "crontab", "system", "process", "journal", "runs", "alerts"]
ORDER += ["daemon", "cli"]
DOORS = {"", "__main__"}  # the package itself, and the way into its command line
PURE = {"words", "schedule", "crontab"}
PURE_FILES = {"runs.overlap", "runs.retry", "runs.messages", "process.resource_limits"}
PURE_FILES |= {"alerts.ping_rules", "alerts.ping_request"}

# What reaches outside the process, or depends on more than a rule is given. pathlib too: a rule
# that needs to take a path apart may ask for PurePath when there is one.
OUTSIDE = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "fileinput", "getpass", "glob", "grp", "http"),
    *("importlib", "io", "locale", "logging", "multiprocessing", "os", "pathlib", "platform"),
    *("pty", "pwd", "random", "resource", "secrets", "select", "selectors", "shutil", "signal"),
    *("smtplib", "socket", "sqlite3", "ssl", "subprocess", "sys", "syslog", "tempfile", "termios"),
    *("threading", "time", "urllib.request", "uuid", "warnings"),
}
ALLOWED = {
    ("alerts.ping_request", "uuid"): "one made of a run's facts, not drawn",
    ("schedule.posix_zone", "io"): "a zone is made from bytes in memory",
    ("process.resource_limits", "signal"): "only the numbers of signals, which differ by machine",
    ("schedule.zone_data", "importlib"): "zones are files of the system or of a package,",
    ("schedule.zone_data", "pathlib"): "as they are to the library whose place it takes;",
    ("schedule.zone_data", "os"): "a FIFO among them must delay nobody",
    ("schedule.zone_data", "io"): "and what was read is what is taken apart",
}
OUTSIDE_CALLS = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its dotted name within the package, and what its text says."""

    name: str
    tree: ast.Module
    lines: int

    def __str__(self) -> str:
        return self.name or "scheduler"

    @property
    def folder(self) -> str:
        """The folder it stands in; "words" for the package itself."""
        return folder_of(self.name)


def folder_of(name: str) -> str:
    """Return the folder of a module, or of a folder's own `__init__`."""
    top, _, rest = name.partition(".")
    return top if rest or top in FOLDERS else "words"


def read() -> dict[str, Module]:
    """Return all modules of the package by name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text()
        found[name] = Module(name, ast.parse(text), len(text.splitlines()))
    return found


FOLDERS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
MODULES = read()


def imported(module: Module) -> Iterator[str]:
    """Yield the full names of what a module imports, for type checking only or not."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(source), names=names, level=0):
                yield from (f"{source}.{each.name}" for each in names)
            case _:
                pass


def own(module: Module) -> set[str]:
    """Return the modules of this package that a module imports."""
    names = {name.partition(".")[2] for name in imported(module) if is_within(name, "scheduler")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names}


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def layer(folder: str) -> int:
    return ORDER.index(folder)


def may_import(one: str, other: str) -> bool:
    """Say whether the arrow between two folders points down, or stays in its place."""
    return one == other or layer(one) > layer(other)


every_module = pytest.mark.parametrize("module", MODULES.values(), ids=str)
every_rule = pytest.mark.parametrize(
    "module", [m for m in MODULES.values() if m.folder in PURE or m.name in PURE_FILES], ids=str
)


def test_every_folder_has_its_place() -> None:
    assert set(ORDER) == FOLDERS | {"words"}


@every_module
def test_a_module_imports_only_what_lies_below(module: Module) -> None:
    if module.name in DOORS:
        return
    upward = {name for name in own(module) if not may_import(module.folder, folder_of(name))}
    assert upward == set(), f"{module} is of the {module.folder}"


def test_no_module_imports_itself_in_a_circle() -> None:
    TopologicalSorter({name: own(module) for name, module in MODULES.items()}).prepare()


@every_module
def test_imports_stand_at_the_top_and_in_full(module: Module) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    inner = [node for each in ast.walk(module.tree) if isinstance(each, functions) for node in ast.walk(each)]  # fmt: skip
    hidden = [node.lineno for node in inner if isinstance(node, ast.Import | ast.ImportFrom)]
    relative = [
        n.lineno for n in ast.walk(module.tree) if isinstance(n, ast.ImportFrom) and n.level
    ]
    assert (hidden, relative) == ([], [])


@every_rule
def test_words_and_rules_reach_for_nothing_outside(module: Module) -> None:
    reached = {
        outside
        for name in imported(module)
        for outside in OUTSIDE
        if is_within(name, outside) and (module.name, outside) not in ALLOWED
    }
    called = {
        node.func.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert (reached, called & OUTSIDE_CALLS) == (set(), set())


def test_the_packages_own_words_name_every_folder() -> None:
    words = ast.get_docstring(MODULES[""].tree) or ""
    assert set(re.findall(r"^(\w+)/ ", words, re.MULTILINE)) == FOLDERS


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_a_folder_says_what_it_is_for(folder: str) -> None:
    assert ast.get_docstring(MODULES[folder].tree)


def test_every_exception_is_in_use() -> None:
    for name, outside in ALLOWED:
        assert any(is_within(each, outside) for each in imported(MODULES[name]))


# --- the judges themselves -----------------------------------------------------------------------


def module(text: str, name: str = "schedule.search") -> Module:
    return Module(name, ast.parse(text), 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from scheduler.entry import Entry", {"entry"}),
        ("from scheduler.schedule import dst, tick", {"schedule.dst", "schedule.tick"}),
        ("import scheduler.schedule.dst", {"schedule.dst"}),
        ("from scheduler.cli import output", {"cli.output"}),
        ("from scheduler.cli import main", {"cli"}),
        ("if TYPE_CHECKING:\n    from scheduler.entry import Entry", {"entry"}),
        ("import schedulers, os", set()),
    ],
)
def test_imports_of_the_package_are_seen_in_every_form(text: str, expected: set[str]) -> None:
    assert own(module(text)) == expected


@pytest.mark.parametrize(
    ("one", "other", "is_allowed", "why"),
    [
        ("schedule", "words", True, "rules speak in words"),
        ("crontab", "schedule", True, "a line holds a schedule"),
        ("schedule", "schedule", True, "files of a folder build on one another"),
        ("journal", "system", True, "the journal stands on the system"),
        ("runs", "journal", True, "what happens is remembered"),
        ("cli", "daemon", True, "the command line opens on everything"),
        ("words", "schedule", False, "words know no rule"),
        ("schedule", "crontab", False, "when is no matter of how it is written"),
        ("schedule", "system", False, "a rule is told the time"),
        ("process", "system", True, "a process and its output stand on the system"),
        ("system", "process", False, "and not the other way round"),
        ("journal", "runs", False, "memory has no will"),
        ("runs", "daemon", False, "the loop calls, and is not called"),
        ("daemon", "cli", False, "nobody imports the command line"),
    ],
)
def test_arrows_point_down(one: str, other: str, is_allowed: bool, why: str) -> None:
    assert may_import(one, other) == is_allowed, why


# --- the map -------------------------------------------------------------------------------------


def drawn() -> Iterator[str]:
    """Yield the lines of the map: each folder, its modules, their lengths, what they are for."""
    for folder in ORDER:
        modules = [each for each in MODULES.values() if each.folder == folder]
        yield f"{folder} ({sum(each.lines for each in modules)} lines)"
        for each in modules:
            sentence = (ast.get_docstring(each.tree) or "").partition("\n")[0]
            yield f"  {each!s:26}{each.lines:4}  {sentence}"
    yield f"all ({sum(each.lines for each in MODULES.values())} lines)"


def test_the_map_shows_every_module() -> None:
    text = "\n".join(drawn())
    assert all(f"  {each!s:26}" in text for each in MODULES.values())


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in drawn())
