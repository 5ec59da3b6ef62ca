"""A real daemon under libfaketime: its clock runs at speed, and is set as a test wishes.

The library is loaded into the unmodified daemon and reads its time from a file, at every call. Jobs
run without it, as the crontab says, and write down what the daemon told them.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.errors import JournalError
from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.schedule.tick import Jump

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
SPEED = 120  # at which a minute takes half a second
MINUTE = timedelta(minutes=1)
_HELD = timedelta(seconds=30)  # where in its minute the clock is held
_EARLY, _LATE = (
    15,
    45,
)  # seconds of a minute between which a clock that goes on is far from its ends
_STRETCH = 3 * MINUTE  # after which the daemon must have kept up before time goes on
_PATIENCE = 60.0  # real seconds until something that must happen has failed to

_HEAD = """\
LD_PRELOAD=
RAN={ran}
CRON_RETRIES=0
CRON_OVERLAP=allow
"""
_COMMAND = 'echo "$CRON_JOB $CRON_SCHEDULED $CRON_RUN $CRON_ATTEMPT" >> "$RAN"'


def environment(time_file: Path) -> dict[str, str]:
    """What makes a program go by the time in this file."""
    return {
        **os.environ,
        "TZ": "UTC",  # the library reads its dates in it
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(time_file),
        "FAKETIME_NO_CACHE": "1",
        "NO_FAKE_STAT": "1",  # or a crontab would look edited after each jump
    }


def sweep(pid: int) -> None:
    """Take away what the library of a killed program has left."""
    for left in ("faketime_shm_", "sem.faketime_sem_"):
        Path(f"/dev/shm/{left}{pid}").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a job was told and wrote down."""

    job: str
    scheduled: str
    run: int
    attempt: int

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.scheduled).astimezone(UTC)


class Warped:
    """A daemon with its crontab and state, on a clock of its own; killed and started at will.

    `entries` are those of the crontab, one a line and without a command. `under` are words of a
    command that runs another, and so the daemon: as another user, with less of something.
    The library moves all clocks `at_once`, also in a jump, or the wall clock alone: then a jump
    looks like what it is, and the speed like a clock that is set forward a little all the time.
    `stderr` is where its log goes, if not to a file.
    """

    def __init__(
        self,
        folder: Path,
        entries: str,
        *,
        at_once: bool,
        under: tuple[str, ...] = (),
        speed: int = SPEED,
        stderr: int | None = None,
    ) -> None:
        self._ran, self._log = folder / "ran", folder / "log"
        self._time = folder / "time"
        self.crontab = folder / "crontab"
        self.state = folder / "state"
        self._under, self._speed = under, speed
        self._stderr = stderr
        jobs = "".join(f"{entry} {_COMMAND}\n" for entry in entries.splitlines())
        self._ran.touch()
        self.crontab.write_text(_HEAD.format(ran=self._ran) + jobs)
        self.crontab.chmod(0o600)
        self._environment = environment(self._time)
        if not at_once:
            self._environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        self._popen: subprocess.Popen[bytes] | None = None
        self._now = datetime.max.replace(tzinfo=UTC)

    # --- what happens to it ----------------------------------------------------------------------

    def start(self, at: datetime) -> None:
        """Start the daemon at half past this minute, and wait until it has handled that."""
        assert self._popen is None, "it runs"
        self.set(at)
        self._wind(1)
        starts = len(self.said("crontabs"))
        command = (sys.executable, "-m", "scheduler", "run", str(self.crontab))
        options = ("--state", str(self.state), "--log-format", "json")
        environment, under = dict(self._environment), self._under
        if under:  # the other command goes without the library, which would leave files of its own
            under = (*under, "env", f"LD_PRELOAD={environment.pop('LD_PRELOAD')}")
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                (*under, *command, *options), stderr=self._stderr or log, env=environment
            )
        self._until(
            lambda: (self._stderr or len(self.said("crontabs")) > starts) and self._has_begun()
        )

    def set(self, at: datetime) -> None:
        """Set the clock to half past this minute; a running daemon sees it when time goes on."""
        self._now = at + _HELD

    def run(self, to: datetime) -> None:
        """Let time go by, at speed, until the middle of this minute, and what has started end."""
        while self._now < to:
            self._pass(min(self._now + _STRETCH, to + _HELD))
            self._until(self._has_kept_up)

    def endure(self, to: datetime) -> None:
        """Let time go by as in `run`, whatever the daemon makes of it."""
        self._pass(to + _HELD)

    def _pass(self, end: datetime) -> None:
        self._wind(self._speed)
        begun = time.monotonic()
        time.sleep((end - self._now).total_seconds() / self._speed)
        self._now += timedelta(seconds=math.ceil((time.monotonic() - begun) * self._speed))
        self._wind(1)

    def kill(self) -> None:
        """End the daemon as a crash does."""
        assert self._end(signal.SIGKILL) == -signal.SIGKILL

    def stop(self) -> None:
        """End the daemon as systemd does, in peace."""
        assert self._end(signal.SIGTERM) == 0

    def ends(self) -> int:
        """Wait until the daemon ends by itself; return its exit status."""
        assert self._popen is not None, "it does not run"
        return self._popen.wait(timeout=_PATIENCE)

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return self._now

    def last_tick(self) -> datetime:
        """The last minute that it has handled."""
        with closing(self._journal()) as journal:
            last = journal.daemon_state.last_tick()
        assert last is not None
        return last

    @property
    def pid(self) -> int:
        """The daemon's."""
        assert self._popen is not None, "it does not run"
        return self._popen.pid

    def close(self) -> None:
        """End the daemon whatever has happened."""
        if self._popen is not None:
            self._end(signal.SIGKILL)

    def _end(self, by: int) -> int:
        assert self._popen is not None, "it does not run"
        self._popen.send_signal(by)
        status = self._popen.wait(timeout=_PATIENCE)
        sweep(self._popen.pid)
        self._popen = None
        return status

    def _wind(self, speed: int) -> None:
        """Let the clock go on from here at this speed, and wake the daemon to look at it."""
        new = self._time.with_suffix(".new")
        new.write_text(f"@{self._now:%Y-%m-%d %H:%M:%S} x{speed}\n")
        new.replace(self._time)
        if self._popen is not None:
            self._popen.send_signal(signal.SIGCHLD)  # which wakes it, and means nothing else

    def _has_begun(self) -> bool:
        with suppress(JournalError), closing(self._journal()) as journal:
            last = journal.daemon_state.last_tick()
            return last is not None and self._now - last < MINUTE
        return False  # where nothing else tells that it has come so far

    def _has_kept_up(self) -> bool:
        with closing(self._journal()) as journal:
            last = journal.daemon_state.last_tick()
            return last is not None and self._now - last < MINUTE and not journal.unfinished()

    def _until(self, what: Callable[[], object]) -> None:
        end = time.monotonic() + _PATIENCE
        while not what():
            assert self._popen is not None
            assert self._popen.poll() is None, f"it has ended: {self._log.read_text()}"
            assert time.monotonic() < end, f"it never was: {self._log.read_text()}"
            time.sleep(0.02)

    # --- what came of it -------------------------------------------------------------------------

    def said(self, *messages: str) -> list[dict[str, Any]]:
        """The lines of the log with one of these messages, of all its daemons."""
        if not self._log.exists():
            return []
        whole = self._log.read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] in messages]

    def ran(self) -> list[Ran]:
        """What the jobs wrote down, in that order."""
        rows = (line.split() for line in self._ran.read_text().splitlines())
        return [Ran(job, at, int(run), int(attempt)) for job, at, run, attempt in rows]

    def history(self) -> list[dict[str, Any]]:
        """What `meridian history --json` tells."""
        command = (sys.executable, "-m", "scheduler", "history", "--json", "-n", "100000")
        text = subprocess.run(
            (*command, "--state", str(self.state)), check=True, capture_output=True, timeout=60
        ).stdout
        return [json.loads(line) for line in text.splitlines()]

    def jumps(self) -> list[Jump]:
        """What the journal knows of jumps of time."""
        with closing(self._journal()) as journal:
            return journal.queries.jumps()

    def _journal(self) -> Journal:
        return Journal.open(self.state / "journal.db", readonly=True)


class FreeRunning(Warped):
    """The same on a clock that nobody holds: it goes on at speed from the daemon's start.

    The library reads it from no file. One that can't read its file shows the machine's own time, as
    it does in a daemon that has no descriptor left.
    """

    _begun = 0.0  # on this machine's monotonic clock

    def set(self, at: datetime) -> None:
        super().set(at)
        self._begun, self._from = time.monotonic(), self._now
        self._environment.pop("FAKETIME_TIMESTAMP_FILE", None)
        self._environment["FAKETIME"] = f"@{self._now:%Y-%m-%d %H:%M:%S} x{self._speed}"

    @property
    def now(self) -> datetime:
        return self._from + timedelta(seconds=(time.monotonic() - self._begun) * self._speed)

    def _pass(self, end: datetime) -> None:
        time.sleep(max(0.0, (end - self.now).total_seconds() / self._speed))
        self._now = self.now
        self._wind(1)

    def _wind(self, speed: int) -> None:  # noqa: ARG002 (nobody winds it)
        if self._popen is not None:
            self._popen.send_signal(signal.SIGCHLD)

    def _has_kept_up(self) -> bool:
        """Nothing runs, and nothing is about to: whoever ends the daemon now cuts nothing short."""
        self._now = self.now
        return _EARLY <= self._now.second <= _LATE and super()._has_kept_up()
