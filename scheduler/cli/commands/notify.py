"""A title and a text in, a desktop notification out, unless it would disturb: `notify`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import numbers, options, output
from scheduler.cli.option_parser import one_of
from scheduler.errors import BadValue
from scheduler.schedule import duration
from scheduler.system import desktop, presence
from scheduler.system.clock import RealClock, rest, since_boot
from scheduler.system.desktop_session import Desktop
from scheduler.system.notification import Button, Notification, Urgency
from scheduler.system.presence import Unless
from scheduler.system.time_limit import TimeLimit

app = typer.Typer()

_JOB_VARIABLE = "CRON_JOB"
_PRESENCES_SHARE = 0.4  # of the timeout; the rest is for who shows it
_LOOK = 5.0  # seconds between two looks at whether the machine slept
_SLEPT = 60.0  # seconds later than asked for, after which somebody else's break is over


_UnlessOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STATE",
        help="Show nothing while the desktop is idle:5m, locked or presenting; "
        "several by commas, or by giving it again.",
    ),
]
_Postpone = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="With a button that shows it once more after so long. The command waits for it.",
    ),
]
_Replace = Annotated[
    str | None,
    typer.Option(
        "--replace",
        metavar="NAME",
        help="Take the place of the last one of this name; '' of none.",
        show_default="the job's name",
    ),
]
_UrgencyOption = Annotated[
    Urgency,
    typer.Option(
        help="How much it may disturb.",
        parser=one_of(Urgency),
        autocompletion=one_of(Urgency).offered,
    ),
]
_Expire = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long it stays; 0 is until somebody closes it.",
        show_default="as the desktop has it",
    ),
]
_Icon = Annotated[
    str, typer.Option(metavar="NAME", help="An icon of the desktop's theme, or a file.")
]
_Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="How long all of it may take, beside the wait for a button.",
        parser=numbers.number(0.1, 600),
    ),
]


@app.command(epilog='Example:  meridian notify "Take a break" --unless idle:5m,locked')
def notify(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The bold line.")],
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="What stands below it.")] = "",
    unless: _UnlessOption = None,
    postpone: _Postpone = None,
    name: _Replace = None,
    urgency: _UrgencyOption = Urgency.NORMAL,
    expire: _Expire = None,
    icon: _Icon = "",
    timeout: _Timeout = 10.0,
) -> None:
    """Show a notification on this desktop, or on the terminal.

    A job that reaches no desktop has it shown on the terminals where you are logged in; as root it
    goes to who is at the screen. The command says who showed it, or why it was not shown: that is
    no failure. Title and text are shown as they are, never run.
    """
    delay = None if postpone is None else _delay(postpone)
    asked = Notification(
        title,
        text,
        urgency=urgency,
        tag=os.environ.get(_JOB_VARIABLE, "") if name is None else name,
        icon=_address(icon),
        expire=None if expire is None else options.seconds(expire, "--expire"),
        button=Button(f"In {duration.to_text(delay)}", delay) if delay else None,
    )
    conditions = [each for given in unless or () for each in _states(given)]
    with _ended_by_sigterm():
        if _shown(asked, conditions, timeout) and _is_time_after(delay or 0.0):
            _shown(replace(asked, button=None), conditions, timeout)


def _delay(text: str) -> float:
    seconds = options.seconds(text, "--postpone")
    if not seconds:
        raise typer.BadParameter("0 is no delay; write 5m", param_hint="--postpone")
    return seconds


def _states(text: str) -> tuple[Unless, ...]:
    try:
        return presence.parse(text)
    except BadValue as bad:
        raise typer.BadParameter(f"{bad.message}; {bad.hint}", param_hint="--unless") from bad


def _address(name: str) -> str:
    """Return an icon as the desktop takes it: a file by its address, wherever the desktop is."""
    return Path(name).absolute().as_uri() if "/" in name else name


def _shown(asked: Notification, conditions: list[Unless], timeout: float) -> bool:
    """Show it, unless it would disturb, and say so; return whether its button was pressed."""
    there = Desktop()
    limit = TimeLimit(timeout)
    judged = presence.judge(conditions, there, limit.part(_PRESENCES_SHARE))
    for unknown in judged.unknown:
        output.note(f"note: {unknown}")
    if judged.held_back is not None:
        output.say(f"not shown: {judged.held_back}", style="dim")
        return False
    with desktop.showing(asked, there, timeout=limit.left()) as shown:
        way = shown.way
        output.say("shown on the terminal" if way == "terminal" else f"shown by {way}", style="dim")
        if asked.button and not shown.has_button:
            output.note("note: nobody can postpone it, since what shows it has no buttons")
        return shown.is_pressed()


def _is_time_after(seconds: float) -> bool:
    """Wait for so long; say whether it is time then, or the machine has slept meanwhile.

    A break that was slept through is over.
    """
    output.say(f"postponed for {duration.to_text(seconds)}", style="dim")
    clock = RealClock()
    end = since_boot(clock) + seconds
    while (left := end - since_boot(clock)) > 0:
        rest(min(left, _LOOK))
    if -left < _SLEPT:
        return True
    output.say("not shown again: the machine slept meanwhile", style="dim")
    return False


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let a timeout or a stop end this process as Ctrl-C does: what was opened is closed again."""

    def end(*_: object) -> None:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
