"""The daemon in the foreground, of the crontabs and limits that were typed: `run`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import crontabs, numbers, option_parser, options, state_folder
from scheduler.cli.own_zone import own_zone
from scheduler.crontab import setting_values
from scheduler.crontab.table_rules import MOST_ENTRIES
from scheduler.daemon import service
from scheduler.daemon.service import LogStream
from scheduler.daemon.watched_crontabs import WatchedCrontabs
from scheduler.daemon.wiring import Chosen
from scheduler.errors import BadValue, MeridianError, SourceRefused
from scheduler.journal.retention import Retention
from scheduler.process.job_environment import PING_VARIABLE
from scheduler.process.own_process import become_subreaper, default_signals
from scheduler.runs.echo import OutputTo
from scheduler.system import crontab_files
from scheduler.system.known_users import KnownAccounts
from scheduler.system.log import Format
from scheduler.system.paths import Paths

app = typer.Typer()

LONGEST_GRACE = 366 * 86400.0


class LogFormat(StrEnum):
    """For whom the log is."""

    AUTO = "auto"
    HUMAN = "human"
    SYSTEMD = "systemd"
    JSON = "json"


_FORMATS: dict[LogFormat, Format] = {
    LogFormat.HUMAN: "human",
    LogFormat.SYSTEMD: "systemd",
    LogFormat.JSON: "json",
}

System = Annotated[
    bool,
    typer.Option(
        "--system",
        help="As root, run the crontabs of the machine and of all users, in cron's stead.",
    ),
]
MaxEntries = Annotated[
    int,
    typer.Option(
        "--max-entries",
        metavar="N",
        help="With --system: the entries of one user's table that are read.",
        parser=numbers.whole(1),
    ),
]
TrustOwner = Annotated[
    bool,
    typer.Option(
        "--trust-owner",
        help="As root, also run named files that another user owns or a group can write.",
    ),
]
ForWhom = Annotated[
    LogFormat,
    typer.Option(
        help="For a person, for systemd's journal, for machines; auto finds out.",
        parser=option_parser.one_of(LogFormat),
        autocompletion=option_parser.one_of(LogFormat).offered,
    ),
]
Grace = Annotated[
    str,
    typer.Option(
        metavar="DURATION", help="How long a stop waits for its jobs; a bare number is seconds."
    ),
]
MaxOutput = Annotated[
    str, typer.Option(metavar="SIZE", help="What is kept of an attempt's output: head and tail.")
]
KeepRuns = Annotated[
    int,
    typer.Option(
        metavar="N", help="How many finished runs of a job are kept.", parser=numbers.whole(1)
    ),
]
KeepFor = Annotated[str, typer.Option(metavar="DURATION", help="Runs older than this are removed.")]
EchoOutput = Annotated[
    bool, typer.Option("--echo-output", help="Show what jobs write in the daemon's log, too.")
]

WhereOutput = Annotated[
    OutputTo,
    typer.Option(
        "--output-to",
        help="Show what jobs write in the log, too, or in systemd's journal by their names.",
        parser=option_parser.one_of(OutputTo),
        autocompletion=option_parser.one_of(OutputTo).offered,
    ),
]
OwnPing = Annotated[
    str,
    typer.Option(
        "--ping",
        metavar="URL",
        envvar=PING_VARIABLE,
        help="Hears each minute that the daemon lives; or MERIDIAN_PING, which ps does not show.",
    ),
]


@app.command(epilog="Example:  meridian run crontabs/demo.crontab --state .state")
def run(
    ctx: typer.Context,
    files: options.Files = None,
    state: state_folder.State = None,
    system_format: options.SystemForm = False,
    system: System = False,
    max_entries: MaxEntries = MOST_ENTRIES,
    trust_owner: TrustOwner = False,
    log_format: ForWhom = LogFormat.AUTO,
    grace: Grace = "10s",
    most: options.MaxRunning = None,
    max_output: MaxOutput = "10M",
    keep_runs: KeepRuns = 1000,
    keep_for: KeepFor = "90d",
    echo_output: EchoOutput = False,
    output_to: WhereOutput = OutputTo.FILES,
    ping: OwnPing = "",
) -> None:
    """Run the daemon in the foreground: your crontab, or the files you name.

    SIGTERM or Ctrl-C ends it: no new runs, up to --grace for those that run, then SIGTERM to them;
    another one cuts the wait short. SIGUSR1 drains it: no new runs, and it ends when the last job
    has. SIGHUP reads the crontabs again; so does a changed file, before the next minute.
    """
    _check(files, is_system=system)
    _check_most(ctx, is_system=system)
    chosen = Chosen(
        grace=_grace(grace),
        most=most,
        most_output=options.size(max_output, "--max-output"),
        kept=Retention(keep_runs, options.length(keep_for, "--keep-for")),
        output_to=_output_to(output_to, echo=echo_output),
        ping=_ping(ping),
        is_system=system,
    )
    if system:
        read = partial(_of_machine, most=max_entries)
    else:
        read = partial(_crontabs, files, system=system_format, trusts=trust_owner)
    _serve(read, chosen, state, _format(log_format))


def _serve(
    read: Callable[[Paths], WatchedCrontabs], chosen: Chosen, state: Path | None, log: Format
) -> None:
    default_signals()
    become_subreaper()
    paths = state_folder.here(state)
    stream = LogStream.of_stderr(log)
    crontabs = read(paths)
    account = state_folder.account(os.geteuid())
    paths_now = partial(state_folder.paths_of, state)
    service.serve(crontabs, chosen, stream, account=account, paths_now=paths_now)


def _check(files: Sequence[str] | None, *, is_system: bool) -> None:
    """Raise for crontabs that no daemon reads, and for a system daemon of anybody but root."""
    if options.STDIN in (files or ()):
        raise typer.BadParameter("the daemon reads files again when they change; - is none")
    if is_system and files:
        raise typer.BadParameter("--system reads the machine's own crontabs: name no file with it")
    if is_system and os.geteuid() != 0:
        hint = "start it as root, or leave --system out for your own crontab"
        raise MeridianError(f"--system needs root, who alone runs jobs of other users; {hint}")


def _check_most(ctx: typer.Context, *, is_system: bool) -> None:
    """Raise for a limit that was typed where it would limit nothing."""
    source = ctx.get_parameter_source("max_entries")
    if not is_system and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("--max-entries is of users' tables, which --system alone reads")


def _output_to(wanted: OutputTo, *, echo: bool) -> OutputTo:
    """Return where what jobs write is shown; --echo-output is another word for the log."""
    if echo and wanted is OutputTo.JOURNAL:
        raise typer.BadParameter("--echo-output is --output-to log: give one of the two")
    return OutputTo.LOG if echo else wanted


def _ping(text: str) -> str:
    """Return the URL, which is a secret: whoever knows it can ping."""
    try:
        return setting_values.address(text) if text else ""
    except BadValue as bad:
        where = f"--ping or {PING_VARIABLE}"
        raise typer.BadParameter(f"{bad.message}; {bad.hint}", param_hint=where) from bad


def _grace(text: str) -> float:
    seconds = options.seconds(text, "--grace")
    if seconds > LONGEST_GRACE:
        hint = "who wants to wait for the last job sends SIGUSR1"
        raise typer.BadParameter(f"{text} is over a year; {hint}", param_hint="--grace")
    return seconds


def _crontabs(
    files: Sequence[str] | None, paths: Paths, *, system: bool, trusts: bool
) -> WatchedCrontabs:
    """Return the crontabs of these names, or at the paths; SourceRefused for a missing name.

    Root `trusts` whoever else can write what was named, or has it refused.
    """
    named = tuple(dict.fromkeys(files or ()))
    if not named:
        state_folder.check_crontab(paths)
    is_system = system or (not named and paths.folder is not None)
    how = crontabs.read_options(own_zone(), named=bool(named), system=is_system, trusts=trusts)
    for file in named:
        if not crontab_files.is_there(Path(file)):
            raise SourceRefused(file, "missing", "there is no such file")
    how = replace(how, users=KnownAccounts())
    return WatchedCrontabs(named, paths, how)


def _of_machine(paths: Paths, most: int) -> WatchedCrontabs:
    """Return the crontabs of a system daemon, of which `most` entries of one user are read."""
    how = crontabs.read_options(own_zone(), named=False, system=True)
    how = replace(how, every_user=True, trusts=False, most=most)
    found: WatchedCrontabs = service.system_parts().crontabs(paths, how)
    return found


def _format(wanted: LogFormat) -> Format:
    """Return the format; JOURNAL_STREAM (systemd.exec(5)) names what goes to journald."""
    if wanted is not LogFormat.AUTO:
        return _FORMATS[wanted]
    status = os.fstat(sys.stderr.fileno())
    is_journal = os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return "systemd" if is_journal else "human"
