"""A real daemon that is killed again and again, on a clock that runs at speed under libfaketime.

Its crontab is drawn from a seed, as are the moments at which it dies. Its jobs run without the
library; each writes down, in one line, that it began, and when it ends by itself, that it ended.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from faketime import environment, sweep

from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scheduler.journal.rows import OpenRun, RunRow
    from scheduler.schedule.backlog import Backlog

MINUTE = timedelta(minutes=1)
SPEED = 120  # at which a minute takes half a second
START = datetime(2027, 3, 28, 0, 40, tzinfo=UTC)  # twenty minutes before four zones change
_PATIENCE = 60.0  # real seconds until something that must happen has failed to
_STANDBYS = 3  # processes that have their imports behind them, and wait to be the daemon
_LONGEST = 5.0  # seconds for which something to die in is awaited
_POLL = 0.001  # seconds between looks at what the daemon does

# To start Python and read the modules takes longer than the daemon then lives: it is done ahead.
_STANDBY = """\
import os
from typer.main import get_command
from scheduler.cli import app, main
get_command(app).get_command(None, "run")
os.write(1, b".")
if os.read(0, 1):
    main()
"""

_HEAD = """\
LD_PRELOAD=
RAN={ran}
"""
_BEGUN = 'echo "$CRON_JOB $CRON_SCHEDULED $CRON_RUN $CRON_ATTEMPT begun" >> "$RAN"'
_ENDED = 'echo "$CRON_JOB $CRON_SCHEDULED $CRON_RUN $CRON_ATTEMPT ended" >> "$RAN"'

ZONES = ("UTC", "Europe/Berlin", "Atlantic/Azores", "Antarctica/Troll", "America/St_Johns")
# About thirty are due in a minute, and at the full hour more than a hundred.
SCHEDULES = {
    "* * * * *": 10,
    "*/2 * * * *": 14,
    "1-59/3 * * * *": 14,
    "*/5 * * * *": 30,
    "*/15 * * * *": 35,
    "0 * * * *": 30,
    "7,37 * * * *": 30,
    "*/20 0-6 * * *": 15,
    "0,30 1-3 * * *": 10,
    "30 2 * * *": 5,
}
EVERY = {2: 2, 7: 3, 25: 2}
BODIES = {
    "true": 8,
    "sleep 0.3": 5,
    "sleep 0.7": 6,  # longer than a minute
    "sleep 1.5": 4,  # and than most daemons
    "sleep 4": 2,
    "test $CRON_ATTEMPT -ge 2": 3,  # flaky
    "test $CRON_ATTEMPT -ge 3": 2,
    "exit 3": 2,
    "sleep 0.2; exit 4": 2,
    "kill -9 $$": 1,
}
SETTINGS = {
    "OVERLAP": ("skip", "allow", "queue", "replace"),
    "CATCHUP": ("auto", "none", "latest", "latest"),
    "WITHIN": ("30s", "10m", "3h", "3h"),
    "SPREAD": ("20s", "90s", "10m"),
    "RETRIES": ("0", "1", "2", "5"),
    "RETRY_DELAY": ("0", "2s", "10s", "10s"),
    "TIMEOUT": ("30s", "2m"),
    "KILL_AFTER": ("5s",),
}


class Plan(NamedTuple):
    """A job: when it is due, where, what may happen to it, and its line in the crontab."""

    job: str
    schedule: str
    zone: ZoneInfo
    settings: dict[str, str]
    line: str

    @property
    def overlaps_itself(self) -> bool:
        return self.settings.get("OVERLAP") == "allow"


class Wrote(NamedTuple):
    """A line that a job wrote."""

    job: str
    at: datetime
    run: int
    attempt: int
    word: str


def plans(dice: random.Random) -> list[Plan]:
    """Draw two hundred entries."""
    schedules = list(Counter(SCHEDULES).elements())
    schedules += [f"@every {minutes}m" for minutes in Counter(EVERY).elements()]
    found = [plan(dice, f"job{n:03}", schedule) for n, schedule in enumerate(schedules)]
    assert len(found) == 200
    return found


def plan(dice: random.Random, job: str, schedule: str) -> Plan:
    zone = dice.choice(ZONES)
    body = dice.choice(list(Counter(BODIES).elements()))
    settings = {name: dice.choice(some) for name, some in SETTINGS.items() if dice.random() < 0.4}
    settings.setdefault("RETRY_DELAY", "5s")
    if dice.random() < 0.3 and schedule.startswith(("*/5", "*/15", "7,37")):
        settings["CATCHUP"] = "all"
    words = {"NAME": job, "TZ": zone, **settings}
    head = " ".join(f"CRON_{name}={value}" for name, value in words.items())
    return Plan(
        job, schedule, ZoneInfo(zone), settings, f"{head} {schedule} {_BEGUN}; {body} && {_ENDED}\n"
    )


def stage(left: OpenRun) -> str:
    """Say how far a run has come that is not over."""
    if not left.attempts:
        return "claimed"
    last = left.attempts[-1]
    if last.ended is not None:
        return "to be retried"
    return "running" if last.pid else "about to start"


class KilledDaemon:
    """A daemon that is started, killed at a random moment and started again."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.plans = plans(self.dice)
        self.deaths: list[Counter[str]] = []  # how many runs of each stage each left open on disk
        self.first: datetime | None = None  # a minute that was handled before the first death
        self.restarted = START  # when the last one was started
        self._ran, self._log, self._time = folder / "ran", folder / "log", folder / "time"
        self._state, self._crontab = folder / "state", folder / "crontab"
        self._ran.touch()
        self._log.touch()
        lines = "".join(plan.line for plan in self.plans)
        self._crontab.write_text(_HEAD.format(ran=self._ran) + lines)
        self._crontab.chmod(0o600)
        self._environment = environment(self._time) | {"PYTHONPYCACHEPREFIX": str(folder / "cache")}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each would compile every module
        self._base, self._base_at, self._speed = START, time.monotonic(), 1
        self._wind(1)
        self._standbys: list[subprocess.Popen[bytes]] = []
        self._popen: subprocess.Popen[bytes] | None = None

    # --- what happens to it ----------------------------------------------------------------------

    def kill_often(self, times: int) -> None:
        """Let so many daemons be killed, and one more end in peace."""
        moments = (
            *(self._while_it_opens, self._whenever, self._while_jobs_run),
            *(self._in_a_burst, self._at_a_commit) * 2,
        )
        self._start()
        self._let_time_go_by()
        self._until(lambda: self._ran_size() and self._last_tick())
        self.first = self._last_tick()
        while len(self.deaths) < times:
            self.dice.choice(moments)()
            self._kill()
            self._pause()
            self._start()
        self._end_in_peace()

    def close(self) -> None:
        """End everything, whatever has happened."""
        for popen in (*self._standbys, self._popen):
            if popen is not None:
                self._reap(popen)

    def _while_it_opens(self) -> None:
        """It settles what its forerunner left, and has hardly reached a minute."""
        time.sleep(self.dice.uniform(0, 0.25))

    def _let_time_go_by(self) -> None:
        """Once it has opened, let its clock run, and wake it to look at that."""
        assert self._popen is not None
        self._await_change(self._log_size)
        self._wind(SPEED)
        self._popen.send_signal(signal.SIGCHLD)  # which means nothing else

    def _whenever(self) -> None:
        self._let_time_go_by()
        time.sleep(self.dice.uniform(0, 0.8))

    def _while_jobs_run(self) -> None:
        """When their starts are on disk, and some last."""
        self._in_a_burst()
        self._await_change(self._log_size)
        time.sleep(self.dice.uniform(0, 0.3))

    def _in_a_burst(self) -> None:
        """When jobs begin to write."""
        self._let_time_go_by()
        self._await_change(self._ran_size)
        time.sleep(self.dice.choice((0, 0.01, 0.05)) * self.dice.random())

    def _at_a_commit(self) -> None:
        """When the journal is written: a claim, a record of starts, an ending, a minute."""
        self._let_time_go_by()
        for _ in range(self.dice.randint(1, 4)):
            self._await_change(self._written)
        time.sleep(self.dice.choice((0, 0, 0.002)) * self.dice.random())

    def _await_change(self, what: Callable[[], object]) -> None:
        before, end = what(), time.monotonic() + _LONGEST
        while what() == before and time.monotonic() < end:
            time.sleep(_POLL)

    def _ran_size(self) -> int:
        return self._ran.stat().st_size

    def _log_size(self) -> int:
        return self._log.stat().st_size

    def _written(self) -> tuple[int, int] | None:
        try:
            status = (self._state / "journal.db-wal").stat()
        except FileNotFoundError:
            return None
        return status.st_size, status.st_mtime_ns

    def _pause(self) -> None:
        """Let no daemon be there for some minutes, now and then."""
        chance = self.dice.random()
        if chance < 1 / 40:
            self._base += self.dice.randint(6, 50) * MINUTE
        elif chance < 1 / 8:
            self._base += self.dice.randint(1, 5) * MINUTE

    def _start(self) -> None:
        while len(self._standbys) <= _STANDBYS:
            self._standbys.append(self._standby())
        popen = self._popen = self._standbys.pop(0)
        assert popen.stdin is not None
        assert popen.stdout is not None
        popen.stdout.read(1)
        self._base_at = time.monotonic()  # nor did time go on since the last one died
        self._wind(1)
        self.restarted = self._base
        popen.stdin.write(b".")
        popen.stdin.close()

    def _standby(self) -> subprocess.Popen[bytes]:
        words = ("run", str(self._crontab), "--state", str(self._state), "--log-format", "json")
        with self._log.open("ab") as log:
            return subprocess.Popen(
                (sys.executable, "-c", _STANDBY, *words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
            )

    def _kill(self) -> None:
        assert self._popen is not None
        self._is_alive()
        self._reap(self._popen)
        self._popen = None
        self._tell_time()
        with closing(self._journal()) as journal:
            self.deaths.append(Counter(map(stage, journal.unfinished())))

    def _reap(self, popen: subprocess.Popen[bytes]) -> None:
        popen.kill()
        popen.wait()
        _close(popen)

    def _end_in_peace(self) -> None:
        """Let the last one catch up, and stop it in the middle of a minute."""
        self._let_time_go_by()
        time.sleep(60 / SPEED * 4)
        assert self._popen is not None
        self._wind(SPEED)
        self._base = self._base.replace(second=30) + MINUTE
        self._wind(1)
        self._popen.send_signal(signal.SIGCHLD)  # which wakes it to look at its clock
        self._until(lambda: self._base - self.last() < MINUTE)
        self._popen.send_signal(signal.SIGTERM)
        assert self._popen.wait(timeout=_PATIENCE) == 0
        _close(self._popen)
        self._popen = None

    def _wind(self, speed: int) -> None:
        """Let the clock go on at this speed from where it is, by whole seconds and never back."""
        self._tell_time()
        self._speed = speed
        new = self._time.with_suffix(".new")
        new.write_text(f"@{self._base:%Y-%m-%d %H:%M:%S} x{speed}\n")
        new.replace(self._time)

    def _tell_time(self) -> None:
        """Note what the clock may have come to by now."""
        now = time.monotonic()
        gone = timedelta(seconds=(now - self._base_at) * self._speed + 1)
        self._base, self._base_at = (self._base + gone).replace(microsecond=0), now

    def _until(self, what: Callable[[], object]) -> None:
        end = time.monotonic() + _PATIENCE
        while not what():
            self._is_alive()
            assert time.monotonic() < end, f"it never was: {self._log.read_text()[-3000:]}"
            time.sleep(0.02)

    def _is_alive(self) -> None:
        assert self._popen is not None
        assert self._popen.poll() is None, f"it has ended: {self._log.read_text()[-3000:]}"

    # --- what came of it -------------------------------------------------------------------------

    def said(self, *messages: str) -> list[dict[str, Any]]:
        """The lines of the log with one of these messages; a death may have cut one short."""
        found = []
        for line in self._log.read_text().splitlines():
            try:
                said = json.loads(line)
            except json.JSONDecodeError:
                continue
            if said["message"] in messages:
                found.append(said)
        return found

    def wrote(self) -> list[Wrote]:
        """What the jobs wrote down, in that order."""
        return list(self._lines())

    def _lines(self) -> Iterator[Wrote]:
        for line in self._ran.read_text().splitlines():
            job, at, run, attempt, word = line.split()
            yield Wrote(
                job, datetime.fromisoformat(at).astimezone(UTC), int(run), int(attempt), word
            )

    def runs(self) -> list[RunRow]:
        with closing(self._journal()) as journal:
            return journal.queries.history()

    def backlogs(self) -> list[Backlog]:
        with closing(self._journal()) as journal:
            return journal.daemon_state.backlogs()

    def last(self) -> datetime:
        last = self._last_tick()
        assert last is not None
        return last

    def _last_tick(self) -> datetime | None:
        with closing(self._journal()) as journal:
            return journal.daemon_state.last_tick()

    def _journal(self) -> Journal:
        return Journal.open(self._state / "journal.db", readonly=True)


def _close(popen: subprocess.Popen[bytes]) -> None:
    """Take away what is left of a process that has ended."""
    for pipe in (popen.stdin, popen.stdout):
        if pipe is not None:
            pipe.close()
    sweep(popen.pid)
