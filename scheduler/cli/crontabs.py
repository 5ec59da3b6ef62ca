"""Which crontabs are meant when none is named: those of the running daemon, else the user's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from scheduler.cli import client, machine_table, misnamed, options, output, state_folder
from scheduler.cli.machine_table import MachineTable
from scheduler.errors import BadValue, MeridianError, NoAnswer, NoDaemon, SourceRefused
from scheduler.schedule import zone_data
from scheduler.status import Reads
from scheduler.system import crontab_files, crontab_loader, crontab_place
from scheduler.system.crontab_loader import Loaded, ReadOptions
from scheduler.system.machine_salt import salt
from scheduler.text import counted

_SHORT_TIMEOUT = 2.0  # seconds; who lists crontabs does not wait for long
_NAMED = 5  # files that are named; the rest is a number


@dataclass(frozen=True, slots=True)
class Source:
    """The crontabs to read, and in a sentence whose they are; no `files`: the user's own.

    `pid` is the daemon's; where there is none `absence` says so. `kept` of its entries run in their
    last good version, which no file has any more.
    """

    said: str
    files: tuple[str, ...] = ()
    reads: Reads | None = None
    pid: int | None = None
    absence: str = ""
    kept: int = 0


def load(
    files: Sequence[str] | None,
    zone: ZoneInfo,
    *,
    system: bool,
    state: Path | None,
    json: bool,
    keep_others: bool = False,
) -> Loaded:
    """Read the named crontabs, or those in force, and say which on standard error.

    As `_named_or_own`; who has none but the table that the machine's daemon keeps means that. A
    program is not told which they are: its rows name their files.
    """
    if files:
        loaded = _named_or_own(files, zone, system=system, keep_others=keep_others)
        return misnamed.explained(loaded, files, lambda: _jobs(state))
    if (table := machine_table.found(state)) is not None:
        if not json:
            _tell(table)
        return of_table(table, zone, keep_others=keep_others)
    found = source(state)
    if not json:
        output.note(found.said)
    if found.kept and not json:
        output.note(_of_kept(found.kept))
    return _load(found, zone, system=system, keep_others=keep_others)


def _tell(table: MachineTable) -> None:
    output.note(table.said)
    if kept := table.snapshot.crontabs.kept:
        output.note(_of_kept(kept))


def of_table(table: MachineTable, zone: ZoneInfo, *, keep_others: bool = False) -> Loaded:
    """Read a user's table as the machine's daemon does, which has shown it."""
    reads = table.snapshot.reads
    its = zone if reads is None else _zone(reads, zone)
    how = read_options(its, named=False, system=False, keep_others=keep_others)
    how = of_system(how, (table.file,), None if reads is None else reads.most_entries)
    return crontab_loader.load((table.file,), how, drafts={table.file: table.text})


def of_machine(zone: ZoneInfo) -> Loaded:
    """Read all crontabs that a system daemon of this machine would read, whoever runs them now."""
    paths = state_folder.here()
    at = crontab_place.of_machine(paths.folder or paths.config)
    files = tuple(place.file for place in at)
    how = read_options(zone, named=False, system=True)
    return crontab_loader.load(files, of_system(how, files))


def known(state: Path | None) -> Loaded:
    """Return the crontabs in force, or the user's own; of no entries where there are none."""
    found = source(state)
    try:
        return _load(found, zone_data.UTC_ZONE, system=False, keep_others=True)
    except MeridianError:
        return Loaded((), (), ())


def _jobs(state: Path | None) -> set[str]:
    """Return the names of all jobs that are known, by the crontabs in force or the journal."""
    jobs = {entry.job for entry in known(state).entries}
    with suppress(MeridianError), closing(state_folder.journal(state)) as journal:
        jobs.update(journal.queries.jobs())
    return jobs


def source(state: Path | None) -> Source:
    """Ask the daemon with this state folder what it reads."""
    own = _own()
    try:
        snapshot = client.snapshot(state, timeout=_SHORT_TIMEOUT)
    except (NoDaemon, NoAnswer) as error:
        who = (
            "No daemon runs" if isinstance(error, NoDaemon) else f"No word from the daemon: {error}"
        )
        return Source(f"{who}; your own crontabs: {own}", absence=_absence(error))
    if snapshot.reads is None or not snapshot.files:
        who = f"The running daemon (pid {snapshot.daemon.pid}) names no crontab"
        return Source(f"{who}; your own crontabs: {own}", pid=snapshot.daemon.pid)
    files = tuple(each.file for each in snapshot.files)
    said = f"Crontabs of the running daemon (pid {snapshot.daemon.pid}): {named(files)}"
    return Source(said, files, snapshot.reads, snapshot.daemon.pid, kept=snapshot.crontabs.kept)


def _of_kept(number: int) -> str:
    """Return that the daemon has entries which these files, as they are now, have not."""
    them = "1 entry in its" if number == 1 else f"{counted(number, 'entry')} in their"
    whose = "its line" if number == 1 else "their lines"
    return f"The daemon also runs {them} last good version: {whose} can't be read now"


def _absence(error: MeridianError) -> str:
    """Return that nobody will see a change, or that nobody can tell."""
    said = str(error)
    return f"{said[0].upper()}{said[1:]}."


def reader(path: Path, state: Path | None, then: str = "reads it") -> str:
    """Return which daemon will see that the user's own crontab was changed, and does what `then`.

    One that reads whatever is at the user's paths sees it though the file is new there.
    """
    found = source(state)
    if found.pid is None:
        return found.absence
    daemon = f"The running daemon (pid {found.pid})"
    is_seen = str(path) in found.files or (found.reads is not None and not found.reads.is_named)
    if found.reads is None:
        return f"{daemon} does not say whether it reads it."
    if is_seen:
        return f"{daemon} {then} before the next minute."
    return f"{daemon} does not read it: it was started with {named(found.files)}"


def named(files: Sequence[str]) -> str:
    """Return the files in a few words."""
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return ", ".join(files[:_NAMED]) + more


def _own() -> str:
    paths = state_folder.here()
    return str(paths.folder or paths.crontab)


def _load(found: Source, zone: ZoneInfo, *, system: bool, keep_others: bool) -> Loaded:
    if found.reads is None:
        return _named_or_own(None, zone, system=system, keep_others=keep_others)
    reads = found.reads
    how = read_options(
        _zone(reads, zone),
        named=reads.is_named,
        system=system or reads.is_system_format,
        keep_others=keep_others,
    )
    if reads.is_system:
        how = of_system(how, found.files, reads.most_entries)
    return crontab_loader.load(found.files, how)


def of_system(how: ReadOptions, files: Sequence[str], most: int | None = None) -> ReadOptions:
    """Return how a system daemon reads these files: each by where it stands, for every user."""
    at = {file: crontab_place.of_file(file) for file in files}
    return replace(how, named=False, every_user=True, at=at, most=most or how.most)


def _zone(reads: Reads, own: ZoneInfo) -> ZoneInfo:
    """Return the machine's zone as the daemon has it; the asker's own where that is not known."""
    try:
        return zone_data.named(reads.zone)
    except BadValue:
        return own


def _named_or_own(
    files: Sequence[str] | None, zone: ZoneInfo, *, system: bool, keep_others: bool = False
) -> Loaded:
    """Read the named crontabs, or the user's own; SourceRefused if there are none of these.

    As the daemon reads them, or with `keep_others` also what it would refuse for its user.
    """
    if files:
        drafts = {
            name: crontab_files.read_stream(name, sys.stdin.buffer)
            for name in {options.STDIN}.intersection(files)
        }
        named = tuple(dict.fromkeys(files))
        reading = read_options(zone, named=True, system=system, keep_others=keep_others)
        return crontab_loader.load(named, reading, drafts=drafts)
    paths = state_folder.with_crontab()
    own = crontab_files.own_files(paths)
    if not any(crontab_files.is_there(Path(file)) for file in own):
        where = str(paths.folder or paths.crontab)
        hint = "meridian edit begins one, or name a file"
        raise SourceRefused(where, "missing", "there is no crontab here yet", hint)
    by_root = paths.folder is not None
    reading = read_options(zone, named=False, system=system or by_root, keep_others=keep_others)
    return crontab_loader.load(own, reading)


def read_options(
    zone: ZoneInfo, *, named: bool, system: bool, keep_others: bool = False, trusts: bool = True
) -> ReadOptions:
    """Return how this process reads crontabs: those that it won't run it need not mistrust."""
    uid = os.geteuid()
    return ReadOptions(
        uid=uid,
        user=state_folder.account(uid)[0],
        zone=zone,
        salt=salt(),
        named=named,
        trusts=trusts,
        system=system,
        keep_others=keep_others,
    )
