"""The first job of all: a break that a daemon announces on a real screen, while somebody looks."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest
from real_daemon import meridian, running
from real_desktop import real_desktop, session_bus, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.privileged]


def has_run(number: int, state: tuple[str, ...]) -> bool:
    return meridian("history", "--json", *state).count(b"exit 0") == number


def test_a_job_of_the_daemon_is_seen_on_the_screen(tmp_path: Path) -> None:
    notify = f'{shlex.quote(sys.executable)} -m scheduler notify "Take a break" "You are sitting"'
    crontab = tmp_path / "break.crontab"
    # A date that is far away: the breaks here are those that are asked for.
    crontab.write_text(
        f"RUNTIME_DIRECTORY={tmp_path}/own\nCRON_RETRIES=0\nCRON_TIMEOUT=1m\n"
        f"CRON_NAME=break\n0 0 29 2 *  {notify} --unless presenting,locked\n"
    )
    state = ("--state", str(tmp_path / "state"))
    with ExitStack() as stack:
        screen = stack.enter_context(
            real_desktop(tmp_path, stack.enter_context(session_bus(tmp_path)))
        )
        # As a service of its user has it: no DISPLAY, and the bus in the runtime folder.
        environ = {"XDG_RUNTIME_DIR": str(tmp_path), "DISPLAY": "", "DBUS_SESSION_BUS_ADDRESS": ""}
        stack.enter_context(running(str(crontab), *state, log=tmp_path / "log", **environ))
        until((tmp_path / "state" / "control.sock").exists)
        assert screen.colours() == 1
        for number in (1, 2):
            meridian("trigger", "break", *state)
            until(partial(has_run, number, state))
        assert b"shown by dbus" in meridian("logs", "break", *state)
        until(lambda: screen.colours() > 50)
        assert screen.number_shown() == 1
