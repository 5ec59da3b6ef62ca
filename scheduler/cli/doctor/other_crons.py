"""Whether another cron runs, and whether it runs the same jobs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from scheduler.cli import which_daemon
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.crontab import parser
from scheduler.entry import Entry
from scheduler.errors import NotifyError
from scheduler.process.procfs import PROC
from scheduler.schedule.zone_data import UTC_ZONE
from scheduler.system import crontab_files, helper_program
from scheduler.system.time_limit import TimeLimit

_CRON_PROGRAMS = frozenset(
    "cron crond anacron fcron dcron bcron-sched busybox-cron vixie-cron".split()
)
_SYSTEMS = (Path("/etc/crontab"), Path("/etc/cron.d"))
_CRONTAB_LIMIT = 4.0  # that `crontab -l` may take
_JOBS_NAMED = 3
_ADOPT = "meridian adopt shows what changes if Meridian runs cron's tables in cron's place"

Key = tuple[str, str]  # what a line does, and when


def same_jobs(facts: MachineFacts, proc: Path = PROC) -> Iterator[Diagnosis]:
    """Yield which cron runs, and which of these jobs it has too."""
    reads = None if facts.snapshot is None else facts.snapshot.reads
    if reads is not None and reads.without_cron:
        what = f"the daemon leaves cron's tables alone: {reads.without_cron}"
        yield warning(what, f"{_ADOPT}, and --take does that")
    crons = list(running(proc))
    if not crons:
        yield fine("none that can be seen")
        return
    names = ", ".join(f"{name} (pid {pid})" for pid, name in crons)
    entries = facts.loaded.entries
    if entries and all(map(which_daemon.runs, entries)):
        yield fine(f"{names}: your table is run by cron or by Meridian, never by both")
        return
    yield from judged(names, entries, dict(_theirs()))


def judged(
    names: str, entries: Iterable[Entry], tables: dict[str, frozenset[Key]]
) -> Iterator[Diagnosis]:
    """Yield what the other's tables, by where they are, have in common with these entries."""
    is_any = False
    run, have = ("run", "have") if ", " in names else ("runs", "has")
    for where, keys in tables.items():
        shared = [entry.job for entry in entries if _key(entry) in keys]
        if shared:
            is_any = True
            more = f" and {len(shared) - _JOBS_NAMED} more" if len(shared) > _JOBS_NAMED else ""
            what = f"{names} {run} these from {where} too: {', '.join(shared[:_JOBS_NAMED])}{more}"
            way = "crontab -e" if where == "crontab -l" else f"edit {where}"
            once = f"or keep them in one of the two ({way}, or your own crontab)"
            yield problem(what, f"each runs twice: {_ADOPT}; {once}")
    if not is_any:
        yield fine(f"{names} {run}, and {have} none of these jobs")


def running(proc: Path) -> Iterator[tuple[int, str]]:
    """Yield the crons among the processes that can be seen: pid and name."""
    for folder in sorted(proc.glob("[0-9]*"), key=lambda each: int(each.name)):
        with suppress(OSError):  # it has ended
            name = (folder / "comm").read_text(errors="replace").strip()
            if name.lower() in _CRON_PROGRAMS:
                yield int(folder.name), name


def _theirs() -> Iterator[tuple[str, frozenset[Key]]]:
    """Yield the other's tables that this user may read."""
    if shutil.which("crontab") is not None:
        with suppress(NotifyError):
            words = (helper_program.found("crontab", os.environ), "-l")
            ended = helper_program.run(words, TimeLimit(_CRONTAB_LIMIT), os.environ)
            if ended.code == 0:
                yield "crontab -l", keys(ended.out.encode(), is_system=False)
    one, folder = _SYSTEMS
    for path in (one, *crontab_files.within(folder)):
        with suppress(OSError):
            yield str(path), keys(path.read_bytes(), is_system=True)


def keys(text: bytes, *, is_system: bool) -> frozenset[Key]:
    """Return what the lines of a crontab do, and when."""
    table = parser.parse(text, file="", zone=UTC_ZONE, system=is_system, salt="")
    return frozenset(map(_key, table.entries))


def _key(entry: Entry) -> Key:
    return entry.schedule_text, entry.command
