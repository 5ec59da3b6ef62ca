"""A daemon that lives on this machine: its crontabs and what was chosen in, served until its end.

It takes the state folder, opens the log, the journal and the control socket, and lets a daemon run
that `wiring` builds. A journal that is found damaged ends that daemon; the journal is repaired, and
the next one goes on in the same process, with the jobs that run.
"""

from __future__ import annotations

import asyncio
import atexit
import faulthandler
import os
import random
import signal
import sys
import traceback
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Self

from scheduler import own_secrets
from scheduler.alerts.courier import SenderCourier
from scheduler.alerts.own_user import OwnUser
from scheduler.alerts.recorder import AlertRecorder
from scheduler.alerts.sender_start import Senders
from scheduler.daemon import signals, wiring
from scheduler.daemon.control_address import ControlAddress
from scheduler.daemon.watchdog import Watchdog
from scheduler.daemon.wiring import Chosen, Parts
from scheduler.errors import JournalDamaged, MeridianError
from scheduler.journal import high_water, unjournalled
from scheduler.journal.journal import Journal
from scheduler.journal.repair import Repair
from scheduler.printable import clean
from scheduler.process import own_process
from scheduler.process.cgroup import Groups
from scheduler.process.job_environment import DELEGATED
from scheduler.process.output_throttle import OutputThrottle
from scheduler.process.spawner import RealSpawner
from scheduler.redact import mask
from scheduler.runs.echo import Echo, OutputTo
from scheduler.system import control_server, openssl, state_lock
from scheduler.system.boot import boot_id
from scheduler.system.log import open_log
from scheduler.system.log_sink import MOST_UNREAD, take_stderr
from scheduler.system.paths import entered, make_outputs
from scheduler.system.waiting import Alarm, WaitingClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from scheduler.daemon.loop import Daemon
    from scheduler.daemon.watched_crontabs import WatchedCrontabs
    from scheduler.system.control_server import Ask
    from scheduler.system.log import Format, Log
    from scheduler.system.log_sink import Sink
    from scheduler.system.paths import Paths

_LAST_WORDS = 1.0  # seconds that the end of the log has to be read; a stop waits no longer
_MOST_COMPLAINED = 20  # lines of a sender's standard error that the log shows
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
_EARLY = (signal.SIGHUP, signal.SIGUSR1)  # they wait for the loop: until then they would end us


@dataclass(frozen=True, slots=True)
class LogStream:
    """Standard error as logs are written to it: whoever reads it slowly holds up nobody."""

    sink: Sink
    format: Format

    @classmethod
    def of_stderr(cls, log_format: Format) -> Self:
        """Have all that this process writes on standard error go through a buffer."""
        sink = take_stderr()
        faulthandler.enable(sink.fileno())  # a watchdog's SIGABRT leaves a trace, as a crash does
        atexit.register(sink.drain, _LAST_WORDS)
        return cls(sink, log_format)

    def log(self) -> Log:
        """Return a new log; each thread has its own."""
        return open_log(self.format)


def system_parts() -> ModuleType:
    """Return what a system daemon alone has, which no other daemon is to have in memory."""
    with openssl.left_out():
        return import_module("scheduler.daemon.system_parts")


def serve(
    crontabs: WatchedCrontabs,
    chosen: Chosen,
    stream: LogStream,
    *,
    account: tuple[str, str],
    paths_now: Callable[[], Paths],
) -> None:
    """Let a daemon live as the user of this `account` (name, home) until it is ended.

    Raises MeridianError where another daemon has the state folder, or this one has lost it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _EARLY)
    (user, home), boot = account, boot_id()
    paths, machine, log = crontabs.paths, crontabs.machine, stream.log()
    users = None if machine is None else system_parts().users(machine, log)
    groups = _groups(log)
    spawner = RealSpawner(os.environ, home, user, boot=boot, groups=groups, users=users)
    with (
        entered(paths.state, os.geteuid()),
        state_lock.held(paths.state) as holds_state,
        closing(crontabs),
        _throttle(stream, chosen.most_output) as throttle,
    ):
        make_outputs(paths)
        _say_where(log, paths)
        parts = replace(
            _parts(crontabs, chosen, log, spawner, boot),
            holds_state=holds_state,
            echo=_echo(paths, stream, spawner, chosen.output_to),
            throttle=throttle,
            own=(own := OwnUser(user, own_secrets.fingerprints_of(_inherited_secrets(spawner)))),
            recorder=lambda journal: AlertRecorder(journal, paths.state, own),
            courier=(courier := _courier(paths, stream.log())),
            own_courier=_courier(paths, stream.log()) if chosen.ping else None,
        )
        address = ControlAddress(paths_now, log, is_open=chosen.is_system)
        service = Service(parts, spawner, crontabs, address, courier)
        repair = Repair(paths.journal, clock=parts.clock, spawner=spawner, boot=boot, log=log)
        repair.keep(service.live)


def _say_where(log: Log, paths: Paths) -> None:
    end = "; Ctrl-C ends it" if sys.stdin.isatty() else ""
    say = f"state in {paths.state}{end}"
    log.info("meridian", pid=os.getpid(), state=str(paths.state), say=say)


def _parts(
    crontabs: WatchedCrontabs, chosen: Chosen, log: Log, spawner: RealSpawner, boot: str | None
) -> Parts:
    """Return what a daemon of this machine stands on, but for what has to be opened first."""
    state, machine = crontabs.paths.state, crontabs.machine
    return Parts(
        clock=WaitingClock(),
        spawner=spawner,
        library=crontabs,
        log=log,
        state=state,
        draw=lambda: random.uniform(-1, 1),  # noqa: S311 (spreads retries, hides nothing)
        boot=boot,
        inherited=own_process.inherited(spawner.inheritance),
        unjournalled=state / unjournalled.ENDINGS_NAME,
        chosen=chosen,
        watchdog=_watchdog(log),
        in_loop=() if machine is None else (system_parts().stamps(machine, log),),
    )


@dataclass(frozen=True, slots=True)
class Service:
    """Owns what outlives a daemon in this process: its parts, the socket's address, the crontabs.

    `Repair` calls `live` once, and again after it has mended the journal. One daemon lives at a
    time, and a signal that comes between two of them is for the next one.
    """

    parts: Parts
    spawner: RealSpawner
    crontabs: WatchedCrontabs
    address: ControlAddress
    courier: SenderCourier

    def live(self) -> None:
        """Let one daemon run; raises MeridianError if it has lost its state folder."""
        paths = self.crontabs.paths
        if Journal.is_older(paths.journal):
            say = "the journal is of an older Meridian: it is brought up to date first"
            self.parts.log.info("upgrade", file=str(paths.journal), say=say)
        with closing(Journal.open(paths.journal)) as journal:
            journal.integrity.examine()
            journal.tell(high_water.beside(paths.journal))
            self.spawner.guard.emptiers |= journal.queries.emptiers()
            daemon = wiring.build(self.parts, journal)
            asyncio.run(self._serve(daemon))
        if daemon.has_lost_state:
            what = f"the state folder {paths.state}, or the journal in it,"
            raise MeridianError(f"{what} was deleted or replaced; start again")

    async def _serve(self, daemon: Daemon) -> None:
        """Let a daemon run; a signal that comes while it is renewed is for the next one."""
        loop = asyncio.get_running_loop()
        signals.listen(loop, daemon)
        self.courier.wake_by(partial(_call, loop, daemon.wake))
        self.crontabs.wake_by(partial(_call, loop, daemon.reload))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        try:
            await self._answer(daemon)
        except JournalDamaged:
            self.parts.manager.expect(None)  # a repair takes its time
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            clock = self.parts.clock
            await clock.wait(clock.now(), asyncio.Event())  # what came leaves its note
            if daemon.is_stopping:
                again = signal.SIGUSR1 if daemon.is_draining else signal.SIGTERM
                os.kill(os.getpid(), again)
            raise

    async def _answer(self, daemon: Daemon) -> None:
        """Let a daemon run and answer at its socket."""
        warn = _warner(self.parts.log)
        try:
            async with control_server.serve(
                self.address.listen(), self._ask(daemon), warn, is_open=self.address.is_open
            ) as server:
                await daemon.run(lambda: self.address.look(server))
        finally:
            self.address.forget()

    def _ask(self, daemon: Daemon) -> Ask:
        """Return what is asked at the socket; a system daemon has the tables of users."""
        if not self.parts.chosen.is_system:
            return daemon.ask
        paths, clock, log = self.crontabs.paths, self.parts.clock, self.parts.log
        found: Ask = system_parts().ask(daemon.ask, paths, clock, log)
        return found


def _call(loop: asyncio.AbstractEventLoop, note: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # its daemon is over: the next one asks by itself
        loop.call_soon_threadsafe(note)


def _courier(paths: Paths, log: Log) -> SenderCourier:
    """Have alerts sent by processes of their own, whose complaints stand in the log."""

    def complain(channel: str, text: str) -> None:
        lines = tuple(clean(mask(line)) for line in text.splitlines()[-_MOST_COMPLAINED:])
        log.warning("sender", channel=clean(channel), text="\n".join(lines), say=lines)

    return SenderCourier(Senders(paths.state, paths.config, os.environ), complain)


def _warner(log: Log) -> control_server.Warn:
    return lambda *lines: log.warning("control", say=lines, text="\n".join(lines))


def _inherited_secrets(spawner: RealSpawner) -> list[str]:
    return own_secrets.of_variables(spawner.inheritance.inherited.items())


def _echo(
    paths: Paths, stream: LogStream, spawner: RealSpawner, output_to: OutputTo
) -> Echo | None:
    """Let what jobs write be shown; in the log as far as that leaves room for the daemon's lines.

    At the end of the daemon it comes before the end of the log: what is registered last is first.
    Raises MeridianError where there is no journal that could show it.
    """
    if output_to is OutputTo.FILES:
        return None
    least = MOST_UNREAD // 2
    to_log = output_to is OutputTo.LOG
    log = stream.log() if to_log else import_module("scheduler.system.job_journal").JobJournal()
    room = stream.sink.room if to_log else lambda: least  # a journal is waited for
    secrets = _inherited_secrets(spawner)
    echo = Echo(paths.state, log, room, least=least, inherited=secrets)
    atexit.register(echo.drain, _LAST_WORDS)
    return echo


@contextmanager
def _throttle(stream: LogStream, most: int | None) -> Iterator[OutputThrottle | None]:
    """Have those stopped who write more than can be bounded; nobody without a bound.

    It ends before the state folder is let go of, in which it works.
    """
    if most is None:
        yield None
        return
    log = stream.log()  # of its own: it is told of on another thread

    def tell(output: Path) -> None:
        job, (run, attempt, *_) = output.parent.name, output.stem.split(".")
        why = "it writes faster than --max-output can be kept to"
        say = f"{why}; it is stopped for moments, and goes on"
        log.warning("output", job=job, run=int(run), attempt=int(attempt), why=why, say=say)

    def broke(error: Exception) -> None:
        trace = "".join(traceback.format_exception(error))
        log.error("bug", error=repr(error), trace=trace, say=tuple(trace.splitlines()))

    with closing(OutputThrottle(most, tell, broke)) as throttle:
        yield throttle


def _watchdog(log: Log) -> Watchdog | None:
    """Tell of a loop that is held up, where the system has what that takes."""
    with suppress(AttributeError, OSError):
        return Watchdog(log, Alarm())
    return None


def _groups(log: Log) -> Groups:
    def tell(means: str) -> None:
        log.info("limits", memory=means, say=f"CRON_MEMORY by {means}")

    return Groups(tell, is_delegated=os.environ.get(DELEGATED) == "memory")
