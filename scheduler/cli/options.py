"""What was given on the command line in, the files, paths, zones and instants it means out."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import human_time, numbers, output
from scheduler.cli.human_time import Typed
from scheduler.crontab import setting_values
from scheduler.errors import BadValue, MeridianError, SourceRefused
from scheduler.journal.journal import Journal
from scheduler.schedule import zone_data
from scheduler.system import crontab_files, crontab_loader, local_zone, state_files
from scheduler.system import paths as machine
from scheduler.system.crontab_loader import Loaded, ReadOptions
from scheduler.system.paths import Paths

T = TypeVar("T")

STDIN = "-"
Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE",
        help="Crontabs; `-` is standard input. Without any: your own.",
        show_default=False,
    ),
]
SystemForm = Annotated[
    bool, typer.Option("--system-format", help="Lines have a user column, as in /etc/crontab.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
JsonReply = Annotated[bool, typer.Option("--json", help="The daemon's reply, as one JSON object.")]
MaxRunning = Annotated[
    int | None,
    typer.Option(
        "--max-running",
        metavar="N",
        help="At most N runs at once; the others wait their turn.",
        show_default="any number",
        parser=numbers.whole(1),
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="The state folder, if not the usual one."),
]


def damaged(state: Path | None) -> list[str]:
    """Return the files of damaged journals that were moved aside, the oldest first.

    A database goes by itself: what else SQLite had of it (`-wal`, `-shm`) stands beside it.
    """
    journal = here(state).journal
    files = map(str, journal.parent.glob(f"{journal.name}.damaged-*"))
    return sorted(file for file in files if not file.endswith(("-wal", "-shm")))


def here(state: Path | None = None) -> Paths:
    """Return the paths of the user who asks; MeridianError if that user has none, or no access."""
    paths = paths_of(state)
    if state is None and (why := _astray(paths.state, "STATE_DIRECTORY")):
        raise NotYours(f"{why}, or name a folder with --state")
    if not _is_open(paths.state):
        option = "" if state is None else f" --state {shlex.quote(str(paths.state))}"
        raise NotYours(
            f"{paths.state} is not open to you; if it is root's, as root: "
            f"sudo meridian status{option}"
        )
    return paths


def paths_of(state: Path | None) -> Paths:
    """Return the paths of the user who asks, as they are to be judged now."""
    return machine.paths(os.environ, os.geteuid(), state=state and state.absolute())


def with_crontab(state: Path | None = None) -> Paths:
    """Return the paths of a user who is about to use the crontab there, as `here`.

    Raises MeridianError also where that would be another user's.
    """
    paths = here(state)
    check_crontab(paths)
    return paths


def check_crontab(paths: Paths) -> None:
    """Raise MeridianError if the user's own crontab would be one of another user."""
    if why := _astray(paths.crontab, "CONFIGURATION_DIRECTORY"):
        raise NotYours(why)


def _astray(path: Path, directory: str) -> str:
    """Return which variable leads astray; "" where systemd's own says where it is."""
    return "" if os.environ.get(directory) else machine.astray(path, os.environ, os.geteuid())


class NotYours(MeridianError):
    """A folder among one's paths that is another user's."""


def _is_open(folder: Path) -> bool:
    """Say whether this user may look into a folder, or into where it would be."""
    try:
        folder.stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(folder, os.R_OK | os.X_OK)


def own_zone() -> ZoneInfo:
    """Return the machine's zone; that it is unknown is said on standard error."""
    zone_data.renew()  # a screen that is drawn anew goes by what is there now
    zone, problem = local_zone.machine_zone()
    if problem:
        output.note(f"warning: {problem}")
    return zone


def journal(state: Path | None, *, must_exist: bool = False) -> Journal:
    """Return the journal, to be read; an empty one where nothing has run yet.

    Raises JournalError for one that is damaged or of another version; with `must_exist` also where
    there is none.
    """
    path = here(state).journal
    if must_exist or state_files.is_there(path):
        return Journal.open(path, readonly=True)
    return Journal.in_memory()


def how(
    zone: ZoneInfo, *, named: bool, system: bool, keep_others: bool = False, trusts: bool = True
) -> ReadOptions:
    """Return how this process reads crontabs: those that it won't run it need not mistrust."""
    uid = os.geteuid()
    return ReadOptions(
        uid=uid,
        user=account(uid)[0],
        zone=zone,
        salt=machine.salt(),
        named=named,
        trusts=trusts,
        system=system,
        keep_others=keep_others,
    )


def account(uid: int) -> tuple[str, str]:
    """Return a user's name and home; the number and `/` where the system knows no such user."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return str(uid), "/"
    return found.pw_name, found.pw_dir


def load(
    files: Sequence[str] | None, zone: ZoneInfo, *, system: bool, keep_others: bool = False
) -> Loaded:
    """Read the named crontabs, or the user's own; SourceRefused if there are none of these.

    As the daemon reads them, or with `keep_others` also what it would refuse for its user.
    """
    if files:
        drafts = (
            {STDIN: crontab_files.read_stream(STDIN, sys.stdin.buffer)} if STDIN in files else {}
        )
        named = tuple(dict.fromkeys(files))
        reading = how(zone, named=True, system=system, keep_others=keep_others)
        return crontab_loader.load(named, reading, drafts=drafts)
    paths = with_crontab()
    own = crontab_files.own_files(paths)
    if not any(crontab_files.is_there(Path(file)) for file in own):
        where = str(paths.folder or paths.crontab)
        hint = "meridian edit begins one, or name a file"
        raise SourceRefused(where, "missing", "there is no crontab here yet", hint)
    by_root = paths.folder is not None
    reading = how(zone, named=False, system=system or by_root, keep_others=keep_others)
    return crontab_loader.load(own, reading)


def size(text: str, option: str) -> int | None:
    """Return the bytes of `512K` or `10M`, None for `none`; wrong usage for anything else."""
    try:
        return None if text == "none" else setting_values.size(text)
    except BadValue as bad:
        hint = "write 512K, 10M, or none for no bound"
        raise typer.BadParameter(f"{bad.message}; {hint}", param_hint=option) from bad


def length(text: str, option: str) -> float:
    """Return the seconds of `12h` or `90d`; wrong usage for anything else, and for a bare 90."""
    return _read(human_time.length, text, option)


def seconds(text: str, option: str) -> float:
    """Return the seconds of `10s`, `2m` or a bare 10; wrong usage for anything else."""
    return _read(setting_values.seconds, text, option)


def _read(read: Callable[[str], T], text: str, option: str | None = None) -> T:
    try:
        return read(text)
    except BadValue as bad:
        hint = f"; {bad.hint}" if bad.hint else ""
        raise typer.BadParameter(f"{bad.message}{hint}", param_hint=option) from bad


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of this name; wrong usage if there is none."""
    return _read(setting_values.zone, name)


def when(
    text: str, now: datetime, zone: ZoneInfo, *, option: str | None = None, looks_back: bool = False
) -> Typed:
    """Return the time that a person typed, see `human_time.read`; wrong usage for any other text.

    Wrong usage names the option. That no clock shows the time, or twice, is said on standard error.
    """
    found = typed(text, now, zone, option=option, looks_back=looks_back)
    if found.note:
        output.note(f"warning: {found.note}")
    return found


def typed(
    text: str, now: datetime, zone: ZoneInfo, *, option: str | None = None, looks_back: bool = False
) -> Typed:
    """Return the time that a person typed; wrong usage for any other text."""
    return _read(lambda each: human_time.read(each, now, zone, looks_back=looks_back), text, option)


def echo(zone: ZoneInfo, times: Mapping[str, Typed | None], *, json: bool) -> None:
    """Say on standard error as which times of this zone what was typed has been read.

    A program is told none: its rows have the instants.
    """
    told = [
        f"{word} {output.to_second(time.at.astimezone(zone))}"
        for word, time in times.items()
        if time
    ]
    if told and not json:
        text = " ".join(told)
        output.note(f"{text[0].upper()}{text[1:]} {zone.key}")
