"""The way of one due entry through scheduler/runs/, from the ticker's call to its process, counted.

What is counted, in a run of the real code (a world with one job), from the ticker's calls into
runs/ (`plan` before the minute, `fire` in it) until the spawner is told to start the process, all
but what the world's own check of the table calls:

files   those of scheduler/runs/ whose code runs, each once. That is what a reader has to open.
stays   how often code of one of these files is called from another file: each call counts, a
        question to the table as well. A return is none. (A call that comes back from outside the
        package, as from `contextlib`, counts as one of whoever had called that.) They are shown
        where a limit is passed, and have none themselves.
climbs  calls upwards: from a file into one that imports it, in one step or several, for types or
        not. Such a call can't be found by reading down from the top: it is a callback.

There are two ways. Nearly every entry is planned: claimed shortly before its minute, and started
when that comes. One that something is in the way of (here a run that ends in the last moment) is
deferred, and admitted in its minute.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import Act
from table_check import TableCheck
from world import World, line

import scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from scheduler.process.launch import Launch
    from scheduler.run import NotStarted

PACKAGE = Path(scheduler.__file__).parent
RUNS = "runs/"
MOST_FILES = 8
MOST_CLIMBS = 2
CHECK = TableCheck._check.__code__


@cache
def name_of(path: str) -> str:
    """The path of a file below scheduler/; "" for one that is elsewhere."""
    file = Path(path)
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else ""


def callers(frame: FrameType) -> Iterator[FrameType]:
    """Yield the frames that a frame was called from, the nearest first."""
    while frame.f_back is not None:
        frame = frame.f_back
        yield frame


@dataclass
class Trace:
    """The calls on an entry's way: from which file into which, and what is called there."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    is_over: bool = False

    def see(self, frame: FrameType, event: str, _: object) -> None:
        """Take note of a call; see sys.setprofile."""
        name = name_of(frame.f_code.co_filename)
        if event != "call" or self.is_over or not name.startswith(RUNS):
            return
        codes = [each.f_code for each in (frame, *callers(frame))]
        if CHECK in codes:
            return
        ours = [code for code in codes if name_of(code.co_filename)]
        verb = [code for code in ours if name_of(code.co_filename).startswith(RUNS)][-1].co_name
        if verb == "plan" and codes[0].co_name == verb and name == "runs/lifecycle.py":
            self.steps.clear()  # a minute before had nothing to start
        if verb in ("plan", "fire"):
            self.steps.append((name_of(ours[1].co_filename), name, codes[0].co_qualname))

    def files(self) -> list[str]:
        """The files of runs/ in the order in which they are first entered."""
        return list(dict.fromkeys(name for _, name, _ in self.steps))

    def stays(self) -> list[str]:
        return [f"{here} <- {there}: {what}" for there, here, what in self.steps if here != there]

    def climbs(self) -> list[str]:
        up = [
            step for step in self.steps if step[0].startswith(RUNS) and is_above(step[1], step[0])
        ]
        return [f"{there} -> {here}: {what}" for there, here, what in up]

    def told(self) -> str:
        """What a person reads who has made the way longer."""
        lists = {"files": self.files(), "stays": self.stays(), "climbs": self.climbs()}
        return "\n".join(
            f"{len(some)} {what}" + "".join(f"\n    {each}" for each in some)
            for what, some in lists.items()
        )


@cache
def imported(name: str) -> frozenset[str]:
    """The files of runs/ that one of them imports, for type checking or not."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            files = [each.removeprefix("scheduler.").replace(".", "/") + ".py" for each in modules]
            found |= {each for each in files if (PACKAGE / each).is_file()}
    return frozenset(each for each in found if each.startswith(RUNS))


@cache
def below(name: str) -> frozenset[str]:
    """The files of runs/ that one of them stands on, in one step or several."""
    return imported(name).union(*(below(each) for each in imported(name)))


def is_above(name: str, other: str) -> bool:
    return other in below(name)


def traced(text: str, acts: dict[str, list[Act]], at: str) -> Trace:
    """The way of the entry whose process starts at this time."""
    world, trace = World(text, "11:58:30", acts), Trace()
    start = world.spawner.start

    def last_step(launch: Launch) -> int | NotStarted:
        trace.is_over = trace.is_over or world.clock.now().strftime("%H:%M") == at
        return start(launch)

    world.spawner.start = last_step  # type: ignore[method-assign]  # wrapped
    before = sys.getprofile()
    sys.setprofile(trace.see)
    try:
        world.runs_until("12:01:30")
    finally:
        sys.setprofile(before)
    assert world.starts("job")[-1] == f"{at}:00"
    assert trace.is_over
    return trace


WAYS = {
    "planned": (line("job", "0 12 * * *"), {}),
    "admitted in its minute": (line("job", "59,0 11,12 * * *"), {"job": [Act(lasts=59.9), Act()]}),
}


@pytest.fixture(scope="module", params=WAYS)
def trace(request: pytest.FixtureRequest) -> Trace:
    text, acts = WAYS[request.param]
    return traced(text, acts, "12:00")


def test_a_reader_opens_few_files_from_the_ticker_to_the_process(trace: Trace) -> None:
    assert len(trace.files()) <= MOST_FILES, trace.told()


def test_the_way_leads_down(trace: Trace) -> None:
    assert len(trace.climbs()) <= MOST_CLIMBS, trace.told()


def test_the_way_is_the_whole_way(trace: Trace) -> None:
    assert trace.steps[0] == ("daemon/ticker.py", "runs/lifecycle.py", "Runs.plan")
    called = [what for _, _, what in trace.steps]
    assert {"Runs.fire", "Transaction.claim", "Launcher.begin"} <= {*called}, trace.told()


# --- the judge itself ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "called", "expected", "why"),
    [
        ("runs/lifecycle.py", "runs/table.py", False, "down, in one step"),
        ("runs/table.py", "runs/lifecycle.py", True, "and back up"),
        ("runs/events.py", "runs/log_listener.py", True, "a listener is called back"),
        ("runs/overlap.py", "runs/retry.py", False, "neither stands on the other"),
        ("runs/live_run.py", "runs/waiting.py", True, "up, in several steps"),
        ("daemon/ticker.py", "runs/lifecycle.py", False, "from outside is no climb"),
    ],
)
def test_a_call_into_who_imports_the_caller_is_a_climb(
    caller: str, called: str, expected: bool, why: str
) -> None:
    assert bool(Trace([(caller, called, "it")]).climbs()) == expected, why
