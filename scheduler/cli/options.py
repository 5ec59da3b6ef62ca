"""What a person types for a command: the options that several share, and how values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import human_time, numbers, output
from scheduler.cli.human_time import Typed
from scheduler.crontab import setting_values
from scheduler.errors import BadValue

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
