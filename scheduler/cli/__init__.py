"""The command line: arguments in, text or JSON and an exit status out.

0 is done, 1 a problem found, 2 wrong usage, 130 stopped with Ctrl-C; `status --check` has a
monitor's own. What stands here beside the commands, which have a folder:

    typed        command, help_page, wrong_usage, completion, options, option_parser, numbers,
                 human_time
    meant        state_folder, own_zone, crontabs, misnamed, own_crontab, user_table, machine_table,
                 job_line, which_run
    edited       editor
    installed    service_plan (the daemon as a service)
    asked        client, by_hand, inherited (the daemon); journal_facts, intervals,
                 failing_jobs (the journal)
    looked at    doctor/ (what would keep jobs from running)
    told         list_view, run_view, status_view, simulation_view, problems_view, why_answer,
                 health, json_rows
    printed      output, tables, sections, styled, terminal, screen
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command_from_info

from scheduler import __version__
from scheduler.cli.command import Command, Group
from scheduler.cli.output import complain
from scheduler.errors import MeridianError
from scheduler.system import openssl

STDOUT, STDERR = 1, 2
CRONS_COMMAND = "crontab"  # a link of this name does what crontab(1) does
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Commands(Group):
    """The commands, each imported when it is asked for: nobody waits for what another needs.

    And the one place where an error becomes a line for a person.
    """

    groups: Mapping[str, Sequence[str]] = {
        "The daemon": ("run", "service", "status", "reload", "doctor"),
        "Crontabs": ("edit", "install", "remove", "check", "list", "crontab", "adopt"),
        "Schedules": ("next", "explain", "simulate", "audit"),
        "What happened": ("history", "logs", "why", "alerts"),
        "Jobs by hand": ("trigger", "retry", "kill", "pause", "resume", "exec", "env"),
        "For jobs": ("notify",),
    }

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (as the library calls it)
        """Return the names of all commands."""
        return [name for names in self.groups.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of this name; None if there is none."""
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            self.commands[cmd_name] = _command_of(_loaded(cmd_name).app)
        return self.commands.get(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what Meridian refuses is said in one line, exit status 1."""
        try:
            return super().invoke(ctx)
        except MeridianError as error:
            complain(str(error))
            raise typer.Exit(1) from error


def _loaded(name: str) -> Any:
    """Return the file of a command; a daemon, which lives long, is to have little in memory."""
    if name != "run":
        return import_module(f"scheduler.cli.commands.{name}")
    with openssl.left_out():  # it speaks no TLS
        file = import_module(f"scheduler.cli.commands.{name}")
    gc.collect()  # of each class with slots, dataclasses leave behind another one without
    return file


def _command_of(app: typer.Typer) -> Any:
    """Return the one command that a file of `commands` has."""
    (command,) = app.registered_commands
    command.cls = command.cls if command.cls and issubclass(command.cls, Command) else Command
    return get_command_from_info(command, pretty_exceptions_short=False, rich_markup_mode=None)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # help pages and errors are those of `help_page` and `wrong_usage`
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example:  meridian run crontabs/demo.crontab",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"meridian {__version__}")
        raise typer.Exit


@app.callback()
def meridian(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    """Run commands on time: a cron daemon with time zones, retries and a memory."""


def main() -> None:
    """Run the command line on this process's arguments and end with its exit status."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Any bytes may stand in a crontab, and a terminal may know few letters.
            stream.reconfigure(errors="backslashreplace")
    try:
        if Path(sys.argv[0]).name == CRONS_COMMAND:
            _as_crontab()
        app(prog_name="meridian")
    except OSError as error:
        if error.errno not in FULL:
            raise
        _give_up_writing(error)


def _as_crontab() -> None:
    """Be the command of the name that this program was called by; as there, wrong usage is 1."""
    try:
        app(
            [CRONS_COMMAND, *sys.argv[1:]], prog_name=""
        )  # it is called crontab, and by nothing more
    except SystemExit as end:
        sys.exit(1 if end.code == 2 else end.code)


def _open_streams() -> None:
    """Stand in for streams that came closed: the journal must not become standard error."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _give_up_writing(error: OSError) -> None:
    """Say that standard output takes no more, and end; what is still buffered is let go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    with suppress(OSError):
        complain(f"can't write: {error.strerror}")
    sys.exit(1)
