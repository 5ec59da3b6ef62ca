"""The arrows between the modules: each imports only what lies below it.

Run as a program it prints the map: `python tests/test_layers.py`.
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

PACKAGE = Path(__file__).parent.parent / "scheduler"

# From the bottom up; a folder stands for all modules in it. What is listed nowhere fails.
LAYERS = {
    "words": {"", "errors", "model"},  # "" is the package itself
    "pure rules": {
        *("backlog", "columns", "counting", "decoding"),
        *("action", "answer", "audit", "canonical", "catchup", "coming", "crontab", "delay"),
        *("due", "duration", "environment", "explain", "expression", "fields", "health"),
        *("human_time", "item_hints", "nicknames", "percent", "program", "record", "secret_forms"),
        *("spacing", "suggestions"),
        *("items", "last_good", "limits", "lines", "marks", "mask", "naming", "protocol"),
        *("dates", "doubts", "sixth", "slips", "unique_names", "zone_rule"),
        *("redact", "remarks", "replies", "report", "retention", "retry", "scope", "settings"),
        *("shell", "shifts", "tick", "timetable", "tzif", "values", "wording", "writing"),
        *("zone_changes", "zonedata"),
    },
    "ground": {"apart", "own_limits", "inside", "way", "lease"},
    "edges": {
        *(
            "archive",
            "cgroup",
            "inotify",
            "clock",
            "control",
            "database",
            "highwater",
            "in_place",
            "unjournalled",
            "journal",
            "limited",
            "limiter",
            "localzone",
        ),
        *("lock", "log", "memory", "notify", "outputs", "places", "proc", "process", "sink"),
        *("leaders", "output_guard", "safe_open", "salvage", "sources", "survivors"),
        *("sql", "systemd", "versions"),
    },
    "wiring": {
        *("backfill", "backlogs"),
        *("admission", "bounds", "daemon", "desk", "escaped", "herald", "heritage", "jobs"),
        *(
            "echo",
            "floods",
            "watchdog",
            "launches",
            "leaving",
            "ledger",
            "minutes",
            "orders",
            "outcomes",
            "pauses",
        ),
        *("pending", "prepared", "pruning", "queues", "renewal", "roster", "runs"),
        *("simulation", "slots", "story", "virtual", "waiting", "watch"),
    },
    "doors": {"__main__", "cli"},
}
ORDER = list(LAYERS)
# One outside thing, in several places.
PART_OF = {
    **dict.fromkeys(
        ("sql", "database", "archive", "memory", "salvage", "highwater", "in_place"), "journal"
    ),
    **dict.fromkeys(
        ("proc", "limited", "limiter", "leaders", "output_guard", "survivors", "inotify"), "process"
    ),
    "sink": "log",
    **dict.fromkeys(("safe_open", "versions"), "sources"),
}

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
    ("zone_rule", "io"): "a zone is made from bytes in memory",
    ("limits", "signal"): "only the numbers of signals, which differ by machine",
    ("zonedata", "importlib"): "zones are files of the system or of a package,",
    ("zonedata", "pathlib"): "as they are to the library whose place it takes;",
    ("zonedata", "os"): "a FIFO among them must hold up nobody",
    ("zonedata", "io"): "and what was read is what is taken apart",
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
    def top(self) -> str:
        """The module, or the folder, that stands in the list of layers."""
        return self.name.partition(".")[0]


def read() -> dict[str, Module]:
    """Return all modules of the package by name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text()
        found[name] = Module(name, ast.parse(text), len(text.splitlines()))
    return found


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


def layer(top: str) -> int:
    return next(n for n, name in enumerate(ORDER) if top in LAYERS[name])


def may_import(one: str, other: str) -> bool:
    """Say whether the arrow between two tops (see Module) points down, or stays in its place."""
    if layer(one) != layer(other):
        return layer(one) > layer(other)
    return ORDER[layer(one)] != "edges" or PART_OF.get(one, one) == PART_OF.get(other, other)


every_module = pytest.mark.parametrize("module", MODULES.values(), ids=str)
every_rule = pytest.mark.parametrize(
    "module", [m for m in MODULES.values() if m.top in LAYERS["words"] | LAYERS["pure rules"]], ids=str
)  # fmt: skip


def test_every_module_is_in_one_layer_and_every_layer_names_modules_that_exist() -> None:
    listed = [name for names in LAYERS.values() for name in names]
    assert sorted(listed) == sorted({module.top for module in MODULES.values()})


@every_module
def test_a_module_imports_only_what_lies_below(module: Module) -> None:
    upward = {name for name in own(module) if not may_import(module.top, name.partition(".")[0])}
    assert upward == set(), f"{module} is of the {ORDER[layer(module.top)]}"


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


def test_the_flow_in_the_packages_own_words_names_every_module_once() -> None:
    stages = (ast.get_docstring(MODULES[""].tree) or "").split("\n\n")[1].splitlines()
    column = stages[0].index("sources")
    named = [name for stage in stages for name in re.findall(r"\w+", stage[column:])]
    assert sorted(named) == sorted({each.top for each in MODULES.values()} - {"", "__main__"})


def test_every_exception_is_in_use() -> None:
    for name, outside in ALLOWED:
        assert any(is_within(each, outside) for each in imported(MODULES[name]))


# --- the judges themselves -----------------------------------------------------------------------


def module(text: str, name: str = "due") -> Module:
    return Module(name, ast.parse(text), 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from scheduler.model import Entry", {"model"}),
        ("from scheduler.schedule import due, tick", {"due", "tick"}),
        ("import scheduler.schedule.search", {"due"}),
        ("from scheduler.cli import show", {"cli.show"}),
        ("from scheduler.cli import main", {"cli"}),
        ("if TYPE_CHECKING:\n    from scheduler.model import Entry", {"model"}),
        ("import schedulers, os", set()),
    ],
)
def test_imports_of_the_package_are_seen_in_every_form(text: str, expected: set[str]) -> None:
    assert own(module(text)) == expected


@pytest.mark.parametrize(
    ("one", "other", "is_allowed", "why"),
    [
        ("due", "model", True, "rules speak in words"),
        ("timetable", "due", True, "rules build on rules"),
        ("journal", "record", True, "edges use rules"),
        ("daemon", "clock", True, "wiring joins edges"),
        ("cli", "daemon", True, "doors open on everything"),
        ("journal", "sql", True, "one edge, two places"),
        ("model", "due", False, "words know no rule"),
        ("due", "clock", False, "a rule is told the time"),
        ("journal", "clock", False, "and so is an edge"),
        ("process", "sql", False, "edges never import one another"),
        ("runs", "cli", False, "nobody imports a door"),
    ],
)
def test_arrows_point_down(one: str, other: str, is_allowed: bool, why: str) -> None:
    assert may_import(one, other) == is_allowed, why


# --- the map -------------------------------------------------------------------------------------


def drawn() -> Iterator[str]:
    """Yield the lines of the map: each layer, its modules, their lengths, what comes in and out."""
    for name in ORDER:
        modules = [each for each in MODULES.values() if each.top in LAYERS[name]]
        yield f"{name} ({sum(each.lines for each in modules)} lines)"
        for each in modules:
            sentence = (ast.get_docstring(each.tree) or "").partition("\n")[0]
            yield f"  {each!s:16}{each.lines:4}  {sentence}"
    yield f"all ({sum(each.lines for each in MODULES.values())} lines)"


def test_the_map_shows_every_module() -> None:
    text = "\n".join(drawn())
    assert all(f"  {each!s:16}" in text for each in MODULES.values())


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in drawn())
