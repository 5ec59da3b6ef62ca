"""What was given on the command line in, the files, paths, zones and instants it means out."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import human_time, numbers, output, state_folder
from scheduler.cli.human_time import Typed
from scheduler.crontab import setting_values
from scheduler.errors import BadValue, SourceRefused
from scheduler.system import crontab_files, crontab_loader
from scheduler.system import paths as machine
from scheduler.system.crontab_loader import Loaded, ReadOptions

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
    paths = state_folder.with_crontab()
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
