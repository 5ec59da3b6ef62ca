"""One place builds a daemon, and what a daemon needs at least is little."""

from __future__ import annotations

import ast
import asyncio
import io
from contextlib import closing
from pathlib import Path

from fakes import FakeClock, FakeSpawner
from memory_library import MemoryLibrary
from world import line, shown, when

from scheduler.daemon import wiring
from scheduler.daemon.wiring import Parts
from scheduler.journal.journal import Journal
from scheduler.system.log import open_log

PACKAGE = Path(wiring.__file__).parent.parent
BUILT = {"Daemon", "Runs", "Ticker", "Reloader", "Shutdown", "FileMonitor", "EntriesInForce"}


def test_a_daemon_of_nothing_but_the_needed_parts_runs_its_jobs() -> None:
    clock = FakeClock(when("11:59:30"))
    spawner = FakeSpawner(clock)
    parts = Parts(
        clock=clock,
        spawner=spawner,
        library=MemoryLibrary({"crontab": line("job", "0 12 * * *")}),
        log=open_log("json", io.StringIO()),
        state=Path("/state"),
        draw=lambda: 0.0,
    )
    with closing(Journal.in_memory()) as journal:
        daemon = wiring.build(parts, journal)
        clock.at(when("12:00:30"), daemon.stop)
        asyncio.run(daemon.run())
    assert [shown(at) for at, _ in spawner.starts("job")] == ["12:00:00"]


def test_no_other_module_builds_a_daemon_or_a_part_of_one() -> None:
    builders = {
        path.relative_to(PACKAGE).as_posix(): call.func.id
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in BUILT
    }
    assert builders.keys() == {"daemon/wiring.py"}
