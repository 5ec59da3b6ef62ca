"""The daemon's door: `run` puts the real clock, journal and processes together, and starts it."""

from __future__ import annotations

import asyncio
import atexit
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler import __version__, protocol
from scheduler.cli import library, options
from scheduler.cli.library import Files
from scheduler.cli.reachable import Reachable
from scheduler.daemon import signals, wiring
from scheduler.daemon.loop import Daemon
from scheduler.daemon.watchdog import Watchdog
from scheduler.daemon.wiring import Parts
from scheduler.errors import JournalDamaged, MeridianError
from scheduler.journal import high_water, unjournalled
from scheduler.journal.journal import Journal
from scheduler.journal.repair import Repair
from scheduler.journal.retention import Retention
from scheduler.process.cgroup import Groups
from scheduler.process.floods import Floods
from scheduler.process.job_environment import DELEGATED
from scheduler.process.own_process import become_subreaper, default_signals
from scheduler.process.spawner import RealSpawner
from scheduler.protocol import Json, Refused, Reply, Request, Status
from scheduler.runs.echo import Echo
from scheduler.system import control_server, state_lock
from scheduler.system.boot import boot_id
from scheduler.system.clock import RealClock
from scheduler.system.log import Format, Log, open_log
from scheduler.system.log_sink import MOST, Sink, take_stderr
from scheduler.system.paths import Paths, entered, make_outputs
from scheduler.system.waiting import Alarm, WaitingClock

app = typer.Typer()

_LAST_WORDS = 1.0  # seconds that the end of the log has to be read; a stop waits no longer
LONGEST_GRACE = 366 * 86400.0


class LogFormat(StrEnum):
    """For whom the log is."""

    AUTO = "auto"
    HUMAN = "human"
    SYSTEMD = "systemd"
    JSON = "json"


_HEEDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
_FORMATS: dict[LogFormat, Format] = {
    LogFormat.HUMAN: "human",
    LogFormat.SYSTEMD: "systemd",
    LogFormat.JSON: "json",
}


@app.command(epilog="Example:  meridian run crontabs/demo.crontab --state .state")
def run(
    files: options.Files = None,
    state: options.State = None,
    system_format: options.SystemForm = False,
    trust_owner: Annotated[
        bool,
        typer.Option(
            "--trust-owner", help="As root, run named files that others own or can write, too."
        ),
    ] = False,
    log_format: Annotated[
        LogFormat,
        typer.Option(help="For a person, for systemd's journal, for machines; auto finds out."),
    ] = LogFormat.AUTO,
    grace: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="How long a stop waits for its jobs; a bare number is seconds."
        ),
    ] = "10s",
    most: options.MaxRunning = None,
    max_output: Annotated[
        str,
        typer.Option(metavar="SIZE", help="What is kept of an attempt's output: head and tail."),
    ] = "10M",
    keep_runs: Annotated[
        int,
        typer.Option(
            metavar="N", help="How many finished runs of a job are kept.", **options.whole(1)
        ),
    ] = 1000,
    keep_for: Annotated[
        str, typer.Option(metavar="DURATION", help="For how long a run is kept, if not for less.")
    ] = "90d",
    echo_output: Annotated[
        bool,
        typer.Option("--echo-output", help="Show what jobs write in the daemon's log, too."),
    ] = False,
) -> None:
    """Run the daemon in the foreground: your crontab, or the files you name.

    SIGTERM or Ctrl-C ends it: no new runs, up to --grace for those that run, then SIGTERM to them;
    another one cuts the wait short. SIGUSR1 drains it: no new runs, and it ends when the last job
    has. SIGHUP reads the crontabs again; so does a changed file, before the next minute.
    """
    wait = options.seconds(grace, "--grace")
    if wait > LONGEST_GRACE:
        hint = "who wants to wait for the last job sends SIGUSR1"
        raise typer.BadParameter(f"{grace} is over a year; {hint}", param_hint="--grace")
    if options.STDIN in (files or ()):
        raise typer.BadParameter("the daemon reads files again when they change; - is none")
    most_output = options.size(max_output, "--max-output")
    kept = Retention(keep_runs, options.length(keep_for, "--keep-for"))
    default_signals()
    become_subreaper()
    paths = options.here(state)
    style = _format(log_format)
    sink = take_stderr()
    atexit.register(sink.drain, _LAST_WORDS)
    log = open_log(style)
    crontabs = library.of(files, paths, system=system_format, trusts=trust_owner)
    (user, home), boot = options.account(os.geteuid()), boot_id()
    spawner = RealSpawner(os.environ, home=home, user=user, boot=boot, groups=_groups(log))
    with (
        entered(paths.state, os.geteuid()),
        state_lock.held(paths.state) as holds_state,
        _floods(style, most_output) as floods,
    ):
        make_outputs(paths)
        end = "; Ctrl-C ends it" if sys.stdin.isatty() else ""
        say = f"state in {paths.state}{end}"
        log.info("meridian", pid=os.getpid(), state=str(paths.state), say=say)
        echo = _echo(paths, style, sink) if echo_output else None
        parts = Parts(
            clock=WaitingClock(),
            spawner=spawner,
            library=crontabs,
            log=log,
            state=paths.state,
            draw=lambda: random.uniform(-1, 1),  # noqa: S311 (spreads retries, hides nothing)
            boot=boot,
            holds_state=holds_state,
            unjournalled=paths.state / unjournalled.NAME,
            grace=wait,
            most=most,
            most_output=most_output,
            kept=kept,
            echo=echo,
            floods=floods,
            watchdog=_watchdog(log),
        )
        reachable = Reachable(lambda: options.paths_of(state), log)
        here = _Process(parts, spawner, crontabs, paths, reachable)
        repair = Repair(paths.journal, clock=parts.clock, spawner=spawner, boot=boot, log=log)
        repair.keep(lambda: _live(here))


@dataclass(frozen=True, slots=True)
class _Process:
    """What all daemons of this process have in common; a damaged journal ends one of them."""

    parts: Parts
    spawner: RealSpawner
    library: Files
    paths: Paths
    reachable: Reachable


def _echo(paths: Paths, style: Format, sink: Sink) -> Echo:
    """Let what jobs write stand in the log, as long as that leaves room for the daemon's lines.

    At the end of the daemon it comes before the end of the log: what is registered last is first.
    """
    echo = Echo(paths.state, open_log(style), sink.room, least=MOST // 2)
    atexit.register(echo.drain, _LAST_WORDS)
    return echo


@contextmanager
def _floods(style: Format, most: int | None) -> Iterator[Floods | None]:
    """Have those stopped who write more than can be bounded; nobody without a bound.

    It ends before the state folder is let go of, in which it works.
    """
    if most is None:
        yield None
        return
    log = open_log(style)  # of its own: it is told of on another thread

    def tell(output: Path) -> None:
        job, (run, attempt, *_) = output.parent.name, output.stem.split(".")
        why = "it writes faster than --max-output can be kept to"
        say = f"{why}; it is stopped for moments, and goes on"
        log.warning("output", job=job, run=int(run), attempt=int(attempt), why=why, say=say)

    def broke(error: Exception) -> None:
        trace = "".join(traceback.format_exception(error))
        log.error("bug", error=repr(error), trace=trace, say=tuple(trace.splitlines()))

    with closing(Floods(most, tell, broke)) as floods:
        yield floods


def _watchdog(log: Log) -> Watchdog | None:
    """Tell of a loop that is held up, where the system has what that takes."""
    with suppress(AttributeError, OSError):
        return Watchdog(log, Alarm())
    return None


def _live(here: _Process) -> None:
    """Let one daemon run; raises MeridianError if it has lost its state folder."""
    paths = here.paths
    if Journal.is_older(paths.journal):
        say = "the journal is of an older Meridian: it is brought up to date first"
        here.parts.log.info("upgrade", file=str(paths.journal), say=say)
    with closing(Journal.open(paths.journal)) as journal:
        journal.integrity.examine()
        journal.tell(high_water.beside(paths.journal))
        here.spawner.guard.emptiers |= journal.queries.emptiers()
        daemon = wiring.build(here.parts, journal)
        asyncio.run(_serve(daemon, here))
    if daemon.has_lost_state:
        what = f"the state folder {paths.state}, or the journal in it,"
        raise MeridianError(f"{what} was deleted or replaced; start again")


async def _serve(daemon: Daemon, here: _Process) -> None:
    """Let a daemon run; a signal that comes while it is renewed is for the next one."""
    signals.listen(asyncio.get_running_loop(), daemon)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEEDED)
    try:
        await _answer(daemon, here)
    except JournalDamaged:
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEEDED)
        clock = here.parts.clock
        await clock.wait(clock.now(), asyncio.Event())  # what came leaves its note
        if daemon.is_stopping:
            again = signal.SIGUSR1 if daemon.is_draining else signal.SIGTERM
            os.kill(os.getpid(), again)
        raise


async def _answer(daemon: Daemon, here: _Process) -> None:
    """Let a daemon run and answer at its socket."""
    ask = _Introduced(daemon, here.paths.state, here.library.reads).ask
    way = here.reachable
    try:
        async with control_server.serve(way.listen(), ask, _warner(here.parts.log)) as server:
            await daemon.run(lambda: way.look(server))
    finally:
        way.forget()


def _warner(log: Log) -> control_server.Warn:
    return lambda *lines: log.warning("control", say=lines, text="\n".join(lines))


class _Introduced:
    """A daemon that also says which process and state it is when it is asked how it does.

    And how it `reads` its crontabs, whose paths it gives in full.
    """

    def __init__(self, daemon: Daemon, state: Path, reads: Callable[[], Json]) -> None:
        self._daemon = daemon
        self._reads = reads
        self._who = {
            "version": __version__,
            "pid": os.getpid(),
            "started": protocol.stamp(RealClock().now()),
            "state": str(state),
        }

    async def ask(self, request: Request) -> Reply:
        reply = await self._daemon.ask(request)
        if isinstance(request, Status) and not isinstance(reply, Refused):
            return self._who | reply | {"reads": self._reads(), "files": _in_full(reply["files"])}
        return reply


def _in_full(files: Any) -> list[Json]:
    return [row | {"file": str(Path(row["file"]).absolute())} for row in files]


def _groups(log: Log) -> Groups:
    def tell(means: str) -> None:
        log.info("limits", memory=means, say=f"CRON_MEMORY by {means}")

    return Groups(tell, is_delegated=os.environ.get(DELEGATED) == "memory")


def _format(wanted: LogFormat) -> Format:
    """Return the format; JOURNAL_STREAM (systemd.exec(5)) names what goes to journald."""
    if wanted is not LogFormat.AUTO:
        return _FORMATS[wanted]
    status = os.fstat(sys.stderr.fileno())
    is_journal = os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return "systemd" if is_journal else "human"
