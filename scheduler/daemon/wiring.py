"""The one place that builds a daemon: the parts it stands on in, a Daemon out.

Everything inside a daemon is the same wherever it lives. What differs is what it stands on:

| part | `meridian run` | `meridian simulate` | tests (tests/support/world.py) |
| --- | --- | --- | --- |
| clock | the machine's | virtual, as fast as it can | the same, which fails a test that hangs |
| spawner | real processes | jobs that take their usual time | jobs that do as a script says |
| journal | a file, renewed if damaged | in memory, one transaction | in memory, with accidents |
| library | files, watched | what was read once | texts that a test edits |
| log | stderr | none; a bug ends the simulation | read by the test |
| alerts | sent by processes of their own | sent by nobody | recorded |
| listeners | none beside the log | a recorder of events, in the loop | whatever a test brings |
| draw | random | 0 | what a test says |
| manager | systemd, where it started the daemon | nobody | as `run` |
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler import __version__
from scheduler.alerts.dispatcher import Dispatcher
from scheduler.alerts.expected import ExpectedSuccesses
from scheduler.alerts.own_user import UNNAMED, OwnUser
from scheduler.daemon.crontab_log import CrontabLog
from scheduler.daemon.entries import EntriesInForce
from scheduler.daemon.file_monitor import FileMonitor
from scheduler.daemon.log_once import LogOnce
from scheduler.daemon.loop import Daemon
from scheduler.daemon.own_ping import OwnPing
from scheduler.daemon.reloader import Reloader
from scheduler.daemon.requests import Requests
from scheduler.daemon.service_report import ServiceReport
from scheduler.daemon.shutdown import Shutdown
from scheduler.daemon.snapshot import Snapshots
from scheduler.daemon.steps import StepRunner
from scheduler.daemon.ticker import Ticker
from scheduler.daemon.upcoming_log import UpcomingLog
from scheduler.journal.retention import Pruning
from scheduler.journal.unjournalled import Unjournalled
from scheduler.protocol import InheritedEnvironment
from scheduler.runs.echo import OutputTo
from scheduler.runs.lifecycle import Runs
from scheduler.runs.listeners import Events
from scheduler.runs.log_listener import LogListener
from scheduler.runs.output_cap import OutputCap
from scheduler.runs.recording import Recording
from scheduler.status import Identity
from scheduler.system import systemd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scheduler.alerts.courier import Courier
    from scheduler.daemon.entries import Library
    from scheduler.daemon.service_report import ServiceManager
    from scheduler.daemon.watchdog import Watchdog
    from scheduler.journal.journal import Journal
    from scheduler.journal.retention import Retention
    from scheduler.process.output_throttle import OutputThrottle
    from scheduler.process.spawner import Spawner
    from scheduler.runs.echo import Echo
    from scheduler.runs.listeners import Apart, Listener
    from scheduler.runs.recording import EventRecorder
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log


NOTHING_INHERITED = InheritedEnvironment((), "")  # by jobs that are no processes


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a user may choose of a daemon; None is "as much as there is"."""

    grace: float = 10.0  # seconds that a stop waits for jobs
    most: int | None = None  # runs at once
    most_output: int | None = None  # bytes kept of one attempt's output
    kept: Retention | None = None  # finished runs
    output_to: OutputTo = OutputTo.FILES  # where what jobs write stands, too
    ping: str = ""  # the URL that hears each minute that the daemon lives
    is_system: bool = False  # root's daemon for all users of the machine, with cron's tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a daemon stands on, all but its journal; daemons that succeed one another share it."""

    clock: Clock
    spawner: Spawner
    library: Library  # where the crontabs come from
    log: Log
    state: Path  # the folder of the journal and the outputs
    draw: Callable[[], float]  # from -1 to 1: spreads retries by their jitter
    chosen: Chosen = Chosen()

    # --- the machine
    boot: str | None = None  # which boot this is; None: no @reboot entry is ever due
    watches: bool = True  # crontabs may change, and are looked at before each minute
    holds_state: Callable[[], bool] = _always  # the state folder is still this process's
    manager: ServiceManager = systemd
    inherited: InheritedEnvironment = NOTHING_INHERITED  # what its jobs find
    unjournalled: Path | None = None  # where ends go that no journal takes

    # --- who hears of it
    courier: Courier | None = None  # has alerts sent; None: nobody hears of anything
    own_courier: Courier | None = None  # has the daemon's own pings sent
    recorder: Callable[[Journal], EventRecorder] | None = None  # writes what somebody is to hear
    own: OwnUser = UNNAMED

    # --- who looks on
    apart: Sequence[Apart] = ()  # listeners; daemons that succeed one another tell the same ones
    in_loop: Sequence[Listener] = ()  # those that never wait for anybody: beside the log a recorder
    last_words: float = 5.0  # seconds that those apart have at the end to hear what is left
    echo: Echo | None = None  # shows what jobs write in the log
    throttle: OutputThrottle | None = None  # stops who writes more than can be bounded
    watchdog: Watchdog | None = None  # tells of a loop that is held up


def build(parts: Parts, journal: Journal) -> Daemon:
    """Return a daemon that knows nothing but what the journal tells; `run` lets it live."""
    clock, log = parts.clock, parts.log
    events = _events(parts, own_ping := _own_ping(parts))
    runs = _runs(parts, journal, events)
    in_force = EntriesInForce(parts.library, journal, log, parts.boot, watches=parts.watches)
    log_once, upcoming_log = LogOnce(clock, runs.tell), UpcomingLog(clock, log)
    ticker = Ticker(clock, journal, in_force, runs, upcoming_log)
    reloader = Reloader(clock, in_force, runs, ticker, upcoming_log, parts.manager)
    shutdown = Shutdown(clock, runs, log, parts.manager, parts.chosen.grace)
    snapshots = Snapshots(_identity(parts), clock, in_force, runs, ticker, log_once)
    return Daemon(
        clock=clock,
        log=log,
        journal=journal,
        in_force=in_force,
        runs=runs,
        events=events,
        last_words=parts.last_words,
        ticker=ticker,
        reloader=reloader,
        requests=_requests(parts, journal, in_force, runs, snapshots, reloader),
        file_monitor=FileMonitor(
            clock=clock,
            log=log,
            journal=journal,
            in_force=in_force,
            ticker=ticker,
            reloader=reloader,
            shutdown=shutdown,
            holds_state=parts.holds_state,
        ),
        dispatcher=Dispatcher(clock, journal, log, parts.courier),
        own_ping=own_ping,
        expected=_expected(parts, journal, in_force) if parts.recorder is not None else None,
        pruning=_pruning(parts, journal, runs),
        shutdown=shutdown,
        steps=StepRunner(clock, journal, log, log_once, parts.watchdog),
        report=ServiceReport(parts.manager, clock, in_force, runs, ticker, snapshots),
    )


def _events(parts: Parts, own_ping: OwnPing | None) -> Events:
    log, own = parts.log, () if own_ping is None else (own_ping,)
    return Events(log, (CrontabLog(log), LogListener(log), *parts.in_loop, *own), parts.apart)


def _own_ping(parts: Parts) -> OwnPing | None:
    if not parts.chosen.ping or parts.own_courier is None:
        return None
    return OwnPing(parts.chosen.ping, parts.clock, parts.log, parts.own_courier)


def _identity(parts: Parts) -> Identity:
    return Identity(__version__, os.getpid(), parts.clock.now(), str(parts.state))


def _expected(parts: Parts, journal: Journal, in_force: EntriesInForce) -> ExpectedSuccesses:
    return ExpectedSuccesses(journal, lambda: in_force.entries, parts.own)


def _pruning(parts: Parts, journal: Journal, runs: Runs) -> Pruning:
    return Pruning(
        clock=parts.clock,
        journal=journal,
        state=parts.state,
        kept=parts.chosen.kept,
        keep_within=runs.keep_within,
    )


def _requests(
    parts: Parts,
    journal: Journal,
    in_force: EntriesInForce,
    runs: Runs,
    snapshots: Snapshots,
    reloader: Reloader,
) -> Requests:
    clock, state = parts.clock, parts.state
    known = (in_force, runs, snapshots)
    return Requests(clock, journal, state, *known, reloader, parts.inherited)


def _runs(parts: Parts, journal: Journal, events: Events) -> Runs:
    return Runs(
        clock=parts.clock,
        journal=journal,
        spawner=parts.spawner,
        state=parts.state,
        events=events,
        record=Recording(journal, parts.log, parts.recorder and parts.recorder(journal)).record,
        draw=parts.draw,
        output_cap=OutputCap(parts.clock, parts.state, parts.chosen.most_output, parts.throttle),
        most=parts.chosen.most,
        echo=parts.echo,
        unjournalled=Unjournalled(parts.unjournalled),
    )
