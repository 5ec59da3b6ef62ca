"""Jobs as processes: one exam for the real spawner and its stand-in, and what only the real can show."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from fakes import Act, FakeClock, FakeSpawner, utc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.entry import Entry, Reboot
from scheduler.process import job_environment
from scheduler.process.job_environment import scheduled
from scheduler.process.launch import Launch
from scheduler.process.output_files import open_output
from scheduler.process.own_process import default_signals
from scheduler.process.spawner import RealSpawner, Spawner
from scheduler.process.survivors import TAG, is_held
from scheduler.run import Attempt, Exited, NotStarted, Run, Signalled
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.entry import Environment
    from scheduler.process.reaper import Ended

START = utc(2027, 3, 28, 0, 30)
BERLIN = ZoneInfo("Europe/Berlin")
PR_SET_CHILD_SUBREAPER = 36
LIBCS_OWN = 1 << 31 | 1 << 32  # signals 32 and 33, which glibc's posix_spawn leaves ignored
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def job(
    command: str, *, assigned: Environment = (), stdin: str | None = None, name: str = "job"
) -> Entry:
    return Entry(name, Reboot(), "@reboot", BERLIN, command, stdin, assigned)


def eventually(is_so: Callable[[], object], seconds: float = 60) -> None:
    """Look again and again until it is so; only a test that fails waits to the end."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)


# --- two stages for one play ---------------------------------------------------------------------


class Stage(Protocol):
    """Where a job of the contract runs; it is told both as a command and as an act."""

    spawner: Spawner

    def prepare(self, entry: Entry, act: Act) -> Launch | NotStarted:
        """Prepare it with an output file of its own."""

    def wait(self, pid: int) -> None:
        """Wait until it has ended, without asking the spawner."""

    def next(self) -> Spawner:
        """The daemon is killed; return the spawner of the one that comes after it."""

    def rest(self) -> None:
        """Let what was asked for happen."""

    def holds(self, launch: Launch) -> bool:
        """Say whether the launch's output file is still open."""


@dataclass
class RealStage:
    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    pids: list[int] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.spawner: Spawner = self.new()

    def new(self, environ: dict[str, str] | None = None) -> RealSpawner:
        return RealSpawner(self.environ if environ is None else environ, str(self.folder), "ada")

    def prepare(self, entry: Entry, _act: Act | None = None) -> Launch | NotStarted:
        self.number += 1
        attempt = Attempt(Run(self.number, entry.job, START), 2)
        return self.spawner.prepare(entry, attempt, self.output())

    def output(self) -> Path:
        return self.folder / "outputs" / f"{self.number}.log"

    def start(self, launch: Launch | NotStarted) -> int:
        assert isinstance(launch, Launch), launch
        pid = self.spawner.start(launch)
        assert isinstance(pid, int), pid
        self.pids.append(pid)
        return pid

    def wait(self, pid: int) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def next(self) -> Spawner:
        return self.new()

    def rest(self) -> None:
        time.sleep(0.002)

    def holds(self, launch: Launch) -> bool:
        # Its number alone says nothing: a thread that takes marks away opens files, too.
        try:
            return str(Path(f"/proc/self/fd/{launch.output}").readlink()).startswith(
                str(launch.path)
            )
        except FileNotFoundError:
            return False

    # what only the real stage can show

    def run(self, entry: Entry | str, *, in_shell: bool = False) -> tuple[Ended, bytes]:
        """Run a job to its end; return how it ended and what it wrote."""
        launch = self.prepare(job(entry) if isinstance(entry, str) else entry)
        if in_shell:
            assert isinstance(launch, Launch)
            launch = replace(launch, direct=None)
        return self.end(self.start(launch)), self.output().read_bytes()

    def end(self, pid: int) -> Ended:
        self.wait(pid)
        while not (found := [each for each in self.spawner.ended() if each.pid == pid]):
            assert self.spawner.is_settling()  # what it wrote into a pipe is on its way
            time.sleep(0.001)
        return found[0]

    def refusal(self, entry: Entry) -> str:
        launch = self.prepare(entry)
        assert isinstance(launch, Launch)
        result = self.spawner.start(launch)
        assert isinstance(result, NotStarted)
        assert not self.holds(launch)
        return result.why


@dataclass
class FakeStage:
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))
    acts: dict[str, list[Act]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fake = FakeSpawner(self.clock, self.acts)
        self.spawner: Spawner = self.fake

    def prepare(self, entry: Entry, act: Act) -> Launch | NotStarted:
        name = f"job-{len(self.acts)}"
        self.acts[name] = [act]
        attempt = Attempt(Run(len(self.acts), name, START), 1)
        return self.spawner.prepare(replace(entry, job=name), attempt, Path(name))

    def wait(self, pid: int) -> None:
        while self.fake._groups[pid].leader not in ("zombie", "gone"):
            self._pass(timedelta(hours=1))

    def next(self) -> Spawner:
        self.fake.crash()
        return self.fake

    def rest(self) -> None:
        self._pass(timedelta(0))

    def _pass(self, length: timedelta) -> None:
        asyncio.run(self.clock.wait(self.clock.now() + length, asyncio.Event()))

    def holds(self, launch: Launch) -> bool:
        return launch.output in self.fake.descriptors


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    if sys.platform == "linux":  # orphans come to this process, since not every PID 1 buries them
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stage = RealStage(tmp_path)
    yield stage
    for pid in stage.pids:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    eventually(lambda: all(is_empty(stage, pid) for pid in stage.pids))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture(params=["real", "fake"])
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = request.getfixturevalue("real") if request.param == "real" else FakeStage()
    return found


def begin(stage: Stage, command: str, act: Act) -> int:
    launch = stage.prepare(job(command), act)
    assert isinstance(launch, Launch)
    pid = stage.spawner.start(launch)
    assert isinstance(pid, int)
    if isinstance(stage, RealStage):
        stage.pids.append(pid)
        if "echo ready" in command:
            eventually(stage.output().read_bytes)
    return pid


def ending(stage: Stage, pid: int) -> Ended:
    stage.wait(pid)
    (ended,) = stage.spawner.ended()
    return ended


def is_empty(stage: Stage, pid: int) -> bool:
    stage.rest()
    stage.spawner.ended()  # on the real stage it buries the orphans that came to us
    if isinstance(stage, FakeStage):
        return not stage.spawner.signal(pid, 0)
    with suppress(ProcessLookupError):
        os.killpg(pid, 0)
        return False
    return True


FOR_EVER = ("exec sleep 600", Act(lasts=1e7))
STUBBORN = ("trap '' TERM; echo ready; while :; do sleep 600; done", Act(lasts=1e7, on_term=None))
LEAVER = ("sleep 600 & echo ready; exit 4", Act(outcome=Exited(4), leaves=True))


# --- the contract --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "act", "expected"),
    [
        ("exit 0", Act(), Exited(0)),
        ("exit 3", Act(outcome=Exited(3)), Exited(3)),
        ("exit 255", Act(outcome=Exited(255)), Exited(255)),
        ("kill -KILL $$", Act(outcome=Signalled(9)), Signalled(9)),
        ("kill -SEGV $$", Act(outcome=Signalled(11)), Signalled(11)),
    ],
)
def test_a_child_is_told_of_once_with_its_ending(
    stage: Stage, command: str, act: Act, expected: Exited | Signalled
) -> None:
    pid = begin(stage, command, act)
    ended = ending(stage, pid)
    assert (ended.pid, ended.outcome) == (pid, expected)
    assert stage.spawner.ended() == []


def test_nobody_ends_where_nobody_started(stage: Stage) -> None:
    assert stage.spawner.ended() == []


def test_all_that_ended_are_told_of_and_no_one_else(stage: Stage) -> None:
    lasting = begin(stage, *FOR_EVER)
    pids = {begin(stage, "exit 1", Act(outcome=Exited(1))) for _ in range(3)}
    for pid in pids:
        stage.wait(pid)
    assert {ended.pid for ended in stage.spawner.ended()} == pids
    assert stage.spawner.started_at(lasting) is not None


def test_a_process_has_one_start_until_its_ending_is_told(stage: Stage) -> None:
    pid = begin(stage, *FOR_EVER)
    started = stage.spawner.started_at(pid)
    assert started is not None
    assert stage.spawner.started_at(pid) == started
    stage.spawner.signal(pid, signal.SIGKILL)
    stage.wait(pid)
    assert stage.spawner.started_at(pid) == started, "a zombie still has the pid"
    stage.spawner.ended()
    assert stage.spawner.started_at(pid) is None


def test_whether_a_process_that_is_no_child_is_gone_can_be_untold(
    real: RealStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of files that is full says nothing of it; the end of a child is told otherwise."""

    def full(*_: object) -> bytes:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr(Path, "read_bytes", full)
    pid = begin(real, *FOR_EVER)
    assert real.spawner.started_at(pid) is None
    for of_another in (real.new(), real.spawner):
        real.spawner.leave_running()
        with pytest.raises(OSError, match="Too many open files in system"):
            of_another.started_at(pid)
        with pytest.raises(OSError, match="Too many open files in system"):
            of_another.orphans({Attempt(Run(1, "job", START), 2): real.output()})


def test_the_same_pid_and_ticks_of_another_boot_are_another_process(tmp_path: Path) -> None:
    starts = {
        RealSpawner({}, str(tmp_path), "ada", boot=boot).started_at(os.getpid())
        for boot in ("this boot", "the last one")
    }
    assert len(starts) == 2
    assert all(start is not None and 0 < start < 2**63 for start in starts)  # SQLite's integers


def test_sigterm_ends_a_job_and_sigkill_one_that_ignores_it(stage: Stage) -> None:
    pid = begin(stage, *FOR_EVER)
    assert stage.spawner.signal(pid, signal.SIGTERM)
    assert ending(stage, pid).outcome == Signalled(signal.SIGTERM)

    pid = begin(stage, *STUBBORN)
    assert stage.spawner.signal(pid, signal.SIGTERM)
    stage.rest()
    assert (stage.spawner.ended(), stage.spawner.signal(pid, 0)) == ([], True)
    assert stage.spawner.signal(pid, signal.SIGKILL)
    assert ending(stage, pid).outcome == Signalled(signal.SIGKILL)


def test_signal_zero_only_asks_whether_somebody_is_left(stage: Stage) -> None:
    pid = begin(stage, *FOR_EVER)
    assert stage.spawner.signal(pid, 0)
    stage.spawner.signal(pid, signal.SIGKILL)
    ending(stage, pid)
    assert not stage.spawner.signal(pid, 0)
    assert not stage.spawner.signal(pid, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_what_a_job_left_behind(stage: Stage, number: int) -> None:
    pid = begin(stage, *LEAVER)
    assert stage.spawner.signal(pid, 0), "which holds the group"
    assert ending(stage, pid).outcome == Exited(4)
    assert stage.spawner.started_at(pid) is None
    assert stage.spawner.signal(pid, number)
    eventually(lambda: is_empty(stage, pid))


def test_who_ignores_sigterm_outlives_the_leader_that_does_not(stage: Stage) -> None:
    pid = begin(
        stage,
        "(trap '' TERM; echo ready; exec sleep 600) & exec sleep 600",
        Act(lasts=1e7, leaves=True, is_stubborn=True),
    )
    stage.spawner.signal(pid, signal.SIGTERM)
    assert ending(stage, pid).outcome == Signalled(signal.SIGTERM)
    assert stage.spawner.signal(pid, 0)
    stage.spawner.signal(pid, signal.SIGKILL)
    eventually(lambda: is_empty(stage, pid))


def test_a_launch_lets_go_of_its_output_once_started(stage: Stage) -> None:
    launch = stage.prepare(job("exit 0"), Act())
    assert isinstance(launch, Launch)
    assert stage.holds(launch)
    pid = stage.spawner.start(launch)
    assert isinstance(pid, int)
    assert not stage.holds(launch)
    ending(stage, pid)


def test_a_launch_that_is_not_started_can_be_let_go(stage: Stage) -> None:
    launch = stage.prepare(job("exit 0"), Act())
    assert isinstance(launch, Launch)
    stage.spawner.discard(launch)
    assert not stage.holds(launch)
    assert stage.spawner.ended() == []


def test_a_start_that_fails_leaves_nothing_open(stage: Stage) -> None:
    entry = job("exit 0", assigned=(("HOME", "/nowhere"),))
    launch = stage.prepare(entry, Act(outcome=NotStarted("its HOME is gone")))
    assert isinstance(launch, Launch)
    assert isinstance(stage.spawner.start(launch), NotStarted)
    assert not stage.holds(launch)
    assert stage.spawner.ended() == []


def test_an_output_that_cannot_be_opened_is_told_before_the_start(stage: Stage) -> None:
    if isinstance(stage, RealStage):
        (stage.folder / "outputs").write_text("a file where the folder should be")
    act = Act(outcome=NotStarted("its output file: Not a directory"), is_early=True)
    found = stage.prepare(job("exit 0"), act)
    assert isinstance(found, NotStarted)
    assert "its output file" in found.why
    assert "Not a directory" in found.why


@pytest.mark.parametrize("is_read", [False, True])
def test_a_fifo_in_an_outputs_place_holds_up_nobody(tmp_path: Path, *, is_read: bool) -> None:
    """A job knows the folder of its output, and may put there what it likes."""
    path = tmp_path / "1.2.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if is_read else None
    with pytest.raises(OSError, match="a FIFO is in its place"):
        open_output(path)
    if reader is not None:
        os.close(reader)


@on_linux
def test_the_next_daemon_finds_what_lives_and_nobody_else(stage: Stage, tmp_path: Path) -> None:
    pids, outputs = {}, dict[Attempt, Path]()
    for command, act in (FOR_EVER, ("exit 0", Act()), FOR_EVER):
        launch = stage.prepare(job(command, name=tmp_path.name), act)
        assert isinstance(launch, Launch)
        outputs[launch.attempt] = launch.path
        pid = stage.spawner.start(launch)
        assert isinstance(pid, int)
        pids[launch.attempt] = pid
        if isinstance(stage, RealStage):
            stage.pids.append(pid)
    ended = list(outputs)[1]
    stage.wait(pids.pop(ended))
    assert stage.spawner.orphans(outputs) == {}, "children are no orphans"
    assert stage.next().orphans(outputs) == pids


@on_linux
def test_the_next_daemon_in_the_same_process_finds_the_children_and_hears_of_their_ends(
    stage: Stage, tmp_path: Path
) -> None:
    launch = stage.prepare(job(FOR_EVER[0], name=tmp_path.name), FOR_EVER[1])
    assert isinstance(launch, Launch)
    pid = stage.spawner.start(launch)
    assert isinstance(pid, int)
    stage.spawner.leave_running()
    outputs = {launch.attempt: launch.path}
    assert stage.spawner.orphans(outputs) == {launch.attempt: pid}
    stage.spawner.signal(pid, signal.SIGKILL)
    stage.wait(pid)
    assert [(each.pid, each.outcome) for each in stage.spawner.ended()] == [(pid, Signalled(9))]
    assert stage.spawner.orphans(outputs) == {}


# --- the stand-in alone --------------------------------------------------------------------------


def test_attempts_follow_their_script_and_are_on_record() -> None:
    clock = FakeClock(START)
    acts = {"job": [Act(outcome=Exited(1)), Act(outcome=NotStarted("no")), Act()]}
    spawner = FakeSpawner(clock, acts, start_takes=2)
    for number in (1, 2, 3, 4):
        launch = spawner.prepare(job("x"), Attempt(Run(7, "job", START), number), Path("log"))
        assert isinstance(launch, Launch)
        spawner.start(launch)
    asyncio.run(clock.wait(clock.now(), asyncio.Event()))
    assert [each.outcome for each in spawner.ended()] == [Exited(1), Exited(0), Exited(0)]
    starts = [(START + timedelta(seconds=2 * n), n) for n in (1, 3, 4)]
    assert spawner.starts("job") == starts, "attempt 2 got no process"
    assert [each.attempt.number for each in spawner.launched] == [1, 2, 3, 4]


def test_jobs_outlive_a_daemon_that_is_killed_and_end_unseen() -> None:
    stage = FakeStage()
    pid = begin(stage, "x", Act(lasts=60))
    gone = begin(stage, "x", Act())
    stage.rest()
    started = stage.fake.started_at(pid)
    stage.fake.crash()
    assert stage.fake.started_at(gone) is None
    assert stage.fake.started_at(pid) == started
    stage.wait(pid)
    assert stage.fake.started_at(pid) is None
    assert stage.fake.ended() == []


# --- what a job finds: where it stands, who it is ------------------------------------------------


def variables(output: bytes) -> dict[str, str]:
    lines = output.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    return dict(line.split("=", 1) for line in lines)


def environment(stage: RealStage, *assigned: tuple[str, str]) -> dict[str, str]:
    return variables(stage.run(job("env -0", assigned=assigned))[1])


def test_a_job_is_told_which_run_it_is(real: RealStage) -> None:
    found = environment(real)
    assert {name: value for name, value in found.items() if name.startswith("CRON_")} == {
        "CRON_JOB": "job",
        "CRON_RUN": "1",
        "CRON_ATTEMPT": "2",
        "CRON_SCHEDULED": "2027-03-28T01:30:00+01:00",
    }


@pytest.mark.parametrize(
    ("minutes", "zone", "expected", "why"),
    [
        (0, "Europe/Berlin", "2027-03-28T01:30:00+01:00", "before the clocks change"),
        (30, "Europe/Berlin", "2027-03-28T03:00:00+02:00", "and after it"),
        (0, "UTC", "2027-03-28T00:30:00+00:00", "an offset even there"),
        (0, "Asia/Kolkata", "2027-03-28T06:00:00+05:30", "half an hour"),
        (0, "America/St_Johns", "2027-03-27T22:00:00-02:30", "west, and yesterday"),
    ],
)
def test_the_scheduled_instant_has_its_zones_offset(
    minutes: int, zone: str, expected: str, why: str
) -> None:
    assert scheduled(START + timedelta(minutes=minutes), ZoneInfo(zone)) == expected, why


OF_SYSTEMD = [  # as the manual pages name them, so that the product's own table is held to them
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE"),
    *("LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES"),
    *(f"{what}_PRESSURE_{how}" for what in ("MEMORY", "CPU", "IO") for how in ("WATCH", "WRITE")),
    *(f"{place}_DIRECTORY" for place in ("STATE", "RUNTIME", "CONFIGURATION", "CACHE", "LOGS")),
    *("CREDENTIALS_DIRECTORY", "PIDFILE", "JOURNAL_STREAM", "INVOCATION_ID", "DEBUG_INVOCATION"),
    *("MAINPID", "MANAGERPID", "MANAGERPIDFDID", "SYSTEMD_EXEC_PID", "MERIDIAN_DELEGATED"),
    *("REMOTE_ADDR", "REMOTE_PORT", "TRIGGER_UNIT", "TRIGGER_PATH"),
    *("TRIGGER_TIMER_REALTIME_USEC", "TRIGGER_TIMER_MONOTONIC_USEC", "MONITOR_UNIT"),
    *("MONITOR_SERVICE_RESULT", "MONITOR_EXIT_CODE", "MONITOR_EXIT_STATUS"),
    "MONITOR_INVOCATION_ID",
]


def test_a_job_gets_what_the_daemon_has_except_what_is_private(real: RealStage) -> None:
    inherited = {"PATH": os.environ["PATH"], "EDITOR": "vi", "SHELL": "/bin/zsh", "USER": "root"}
    real.spawner = real.new(inherited | dict.fromkeys(OF_SYSTEMD, "1"))
    found = environment(real)
    assert found["EDITOR"] == "vi"
    assert found["SHELL"] == "/bin/sh", "not the daemon's own"
    assert (found["LOGNAME"], found["USER"]) == ("ada", "ada")
    assert not found.keys() & set(OF_SYSTEMD)


def test_what_is_as_true_of_a_job_stays(real: RealStage) -> None:
    kept = "LANG TERM XDG_RUNTIME_DIR LOG_NAMESPACE EXIT_CODE DBUS_SESSION_BUS_ADDRESS".split()
    real.spawner = real.new({"PATH": os.environ["PATH"]} | dict.fromkeys(kept, "1"))
    assert set(kept) <= environment(real).keys()


def test_a_crontab_may_set_what_is_not_inherited(real: RealStage) -> None:
    real.spawner = real.new({"PATH": os.environ["PATH"], "REMOTE_ADDR": "::1"})
    assert environment(real, ("REMOTE_ADDR", "mine"))["REMOTE_ADDR"] == "mine"


def test_assignments_go_on_top_but_logname_is_who_the_job_runs_as(real: RealStage) -> None:
    found = environment(
        real,
        ("PATH", "/usr/bin:/bin"),
        ("LANG", "C"),
        ("LANG", "nb_NO"),
        ("LOGNAME", "root"),
        ("USER", "app"),
        ("SHELL", "/bin/bash"),
        ("EMPTY", ""),
        ("CRON_JOB", "another"),
    )
    assert found["PATH"] == "/usr/bin:/bin"
    assert found["LANG"] == "nb_NO", "the last one counts"
    assert found["LOGNAME"] == "ada"
    assert found["USER"] == "app", "as Debian's cron passes it on"
    assert (found["SHELL"], found["EMPTY"], found["CRON_JOB"]) == ("/bin/bash", "", "job")


def test_each_entry_has_its_own_assignments(real: RealStage) -> None:
    assert environment(real, ("A", "1"))["A"] == "1"
    assert "A" not in environment(real)
    assert environment(real, ("A", "2"))["A"] == "2"


def test_a_job_starts_in_the_home(real: RealStage) -> None:
    home = str(real.folder)
    for entry in (job("/bin/pwd"), job("/bin/pwd; :")):
        assert real.run(entry)[1].decode().strip() == home
    assert environment(real)["PWD"] == home, "not the daemon's own"
    (real.folder / "elsewhere").mkdir()
    elsewhere = f"{home}/elsewhere"
    assert (
        real.run(job("/bin/pwd", assigned=(("HOME", elsewhere),)))[1].decode().strip() == elsewhere
    )
    found = environment(real, ("HOME", elsewhere), ("PWD", "/"))
    assert (found["HOME"], found["PWD"]) == (elsewhere, elsewhere)


def test_the_daemons_own_home_comes_before_the_accounts(real: RealStage) -> None:
    (real.folder / "own").mkdir()
    real.spawner = real.new(real.environ | {"HOME": str(real.folder / "own")})
    assert environment(real)["HOME"] == str(real.folder / "own")


BYTES = "caf\u00e9 \u65e5\u672c \udcff\udc80"  # UTF-8, and two bytes that are none


def test_bytes_that_are_no_text_arrive_as_they_are(real: RealStage) -> None:
    raw = BYTES.encode("utf-8", "surrogateescape")
    assert environment(real, ("ODD", BYTES))["ODD"] == BYTES
    assert real.run(f"echo '{BYTES}'")[1] == raw + b"\n"
    assert real.run(job("cat", stdin=BYTES))[1] == raw
    assert environment(real, ("\u00e9", "x"))["\u00e9"] == "x", "in a name too"


IN_ASCII = """
    import os, sys
    from pathlib import Path
    from zoneinfo import ZoneInfo
    from scheduler.run import Attempt, Run
    from scheduler.entry import Entry, Reboot
    from scheduler.process.own_process import default_signals
    from scheduler.process.spawner import RealSpawner
    from datetime import datetime, UTC
    assert {check}
    default_signals()
    spawner = RealSpawner(os.environ, sys.argv[1], "ada")
    command = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    entry = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), command)
    attempt = Attempt(Run(1, "job", datetime(2027, 1, 1, tzinfo=UTC)), 1)
    launch = spawner.prepare(entry, attempt, Path(sys.argv[1]) / "log")
    pid = spawner.start(launch)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    spawner.ended()
"""


def in_another_daemon(
    folder: Path, command: str, *, check: str, before: tuple[str, ...] = (), **environ: str
) -> bytes:
    """Run a job of a process with another past than this one; return what it wrote."""
    script = textwrap.dedent(IN_ASCII).format(check=check)
    subprocess.run(
        [*before, sys.executable, "-c", script, str(folder)],
        input=command.encode("utf-8", "surrogateescape"),
        env=os.environ | environ,
        check=True,
    )
    return (folder / "log").read_bytes()


def test_the_daemons_locale_changes_no_byte_of_a_job(tmp_path: Path) -> None:
    raw = BYTES.encode("utf-8", "surrogateescape")
    found = in_another_daemon(
        tmp_path,
        f"echo '{BYTES}'; env -0",
        check="sys.getfilesystemencoding() == 'ascii'",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        LC_ALL="C",
        ODD=BYTES,
    )
    assert found.startswith(raw + b"\n")
    assert b"\0ODD=" + raw + b"\0" in b"\0" + found.partition(b"\n")[2]


# --- what a job finds: input, output, descriptors, signals ---------------------------------------


@pytest.mark.parametrize(
    ("stdin", "expected", "why"),
    [
        (None, b"0\n", "without a % there is nothing to read"),
        ("", b"0\n", "a % with nothing behind it"),
        ("a\nb\n", b"4\n", "lines"),
        ("x" * 1_000_000, b"1000000\n", "more than a pipe holds"),
    ],
)
def test_standard_input_is_the_text_behind_the_percent_sign(
    real: RealStage, stdin: str | None, expected: bytes, why: str
) -> None:
    assert real.run(job("wc -c", stdin=stdin))[1] == expected, why


def test_a_megabyte_of_input_that_nobody_reads_holds_nobody_up(real: RealStage) -> None:
    assert real.run(job("exit 5", stdin="x" * 1_000_000))[0].outcome == Exited(5)


def test_a_job_leads_a_session_and_a_group_of_its_own(real: RealStage) -> None:
    pid = begin(real, *FOR_EVER)
    assert (os.getsid(pid), os.getpgid(pid)) == (pid, pid)


@on_linux
def test_a_job_inherits_no_descriptors(real: RealStage) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        for command in ("ls /proc/self/fd", "ls /proc/self/fd; :"):
            assert real.run(job(command, stdin="x"))[1].split() == [b"0", b"1", b"2", b"3"], command
    finally:
        os.close(read)
        os.close(write)


@on_linux
@pytest.mark.parametrize(
    ("before", "why"),
    [
        ((), "Python ignores SIGPIPE, and that is not passed on"),
        (("nohup",), "nohup ignores SIGHUP"),
        (("sh", "-c", "trap '' INT QUIT TERM USR1; exec \"$@\"", "sh"), "as a shell's background"),
    ],
)
def test_a_job_has_default_signals_whatever_the_daemon_was_started_under(
    tmp_path: Path, before: tuple[str, ...], why: str
) -> None:
    found = in_another_daemon(
        tmp_path,
        "grep -E '^Sig(Ign|Blk)' /proc/self/status",
        check="__import__('signal').pthread_sigmask(0, {10, 12}) is not None",
        before=before,
    )
    masks = dict(line.split(":") for line in found.decode().splitlines())
    assert {name: int(mask, 16) & ~LIBCS_OWN for name, mask in masks.items()} == {
        "SigBlk": 0,
        "SigIgn": 0,
    }, why


def test_default_signals_leaves_handlers_and_pythons_own_alone() -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, lambda *_: None)
        handler = signal.getsignal(signal.SIGUSR2)
        default_signals()
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGUSR2) is handler
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def test_output_and_errors_go_to_one_private_file_byte_by_byte(real: RealStage) -> None:
    mask = os.umask(0)
    try:
        ended, output = real.run(r"printf 'a\0\377\r\n'; echo oops >&2; printf '\033[31m'")
    finally:
        os.umask(mask)
    assert ended.outcome == Exited(0)
    assert output == b"a\0\xff\r\noops\n\x1b[31m"
    assert real.output().stat().st_mode & 0o777 == 0o600


@on_linux
@pytest.mark.parametrize("name", ["/proc/self/fd/1", "/proc/self//fd/1"], ids=["pipe", "file"])
def test_two_writers_of_one_file_never_overwrite_each_other(name: str, real: RealStage) -> None:
    loop = "i=0; while [ $i -lt 200 ]; do echo {}; i=$((i+1)); done"
    command = f"({loop.format('one')}) & ({loop.format('two')}) >> {name}; wait"
    lines = real.run(command)[1].split()
    assert (lines.count(b"one"), lines.count(b"two")) == (200, 200)


def test_the_output_of_a_journal_that_was_thrown_away_makes_room(real: RealStage) -> None:
    path = real.folder / "outputs" / "1.log"
    path.parent.mkdir()
    path.write_text("of an earlier life, and longer")
    assert real.run("echo new")[1] == b"new\n"


def test_an_output_is_never_written_through_a_link(real: RealStage) -> None:
    (real.folder / "outputs").mkdir()
    (real.folder / "outputs/1.log").symlink_to(real.folder / "precious")
    assert isinstance(real.prepare(job("echo")), NotStarted)
    assert not (real.folder / "precious").exists()


# --- with and without a shell --------------------------------------------------------------------


def test_a_command_with_shell_syntax_is_the_shells(real: RealStage) -> None:
    command = 'a="x  y"; echo "$a" $((1 + 1)) | tr a-z A-Z; exit 3'
    ended, output = real.run(command)
    assert (ended.outcome, output) == (Exited(3), b"X  Y 2\n")


def test_the_shell_is_the_one_that_the_crontab_says(real: RealStage) -> None:
    shell = real.folder / "shell"
    shell.write_text('#!/bin/sh\nprintf "[%s]" "$0" "$@"\n')
    shell.chmod(0o755)
    found = real.run(job("two  words", assigned=(("SHELL", str(shell)),)))[1]
    assert found.decode() == f"[{shell}][-c][two  words]"


SAME = [  # what happens must not tell whether there was a shell
    ("true", "nothing"),
    ("false", "an exit code"),
    ("env printf %s- a b  c", "blanks part words, however many"),
    ("ls  /nowhere ", "an error message, blanks at the end"),
    ("/bin/pwd", "the folder"),
    ("cat", "the input"),
    ("no-such-program", "127, in the shell's words"),
    ("./plain", "126: not executable"),
    ("/", "126: a folder"),
    ("./script a b", "a script without #! is the shell's to run"),
    ("script a b", "and one on the PATH too"),
    ("./missing-interpreter", "the shell's words for that"),
    ("env -0", "what is exported, apart from a shell's own"),
]
SHELLS_OWN = {b"_", b"SHLVL", b"OLDPWD"}


def without_shells_own(output: bytes) -> list[bytes]:
    parts = output.split(b"\0")
    return sorted(part for part in parts if part.partition(b"=")[0] not in SHELLS_OWN)


@pytest.fixture
def programs(real: RealStage) -> RealStage:
    for name, text, mode in (
        ("plain", "echo no", 0o600),
        ("script", 'echo "$0-$1-$2-$#"\nexit 7\n', 0o700),
        ("missing-interpreter", "#!/no/such/thing\n", 0o700),
        ("suicide", "#!/bin/sh\nkill -9 $$\n", 0o700),
    ):
        (real.folder / name).write_text(text)
        (real.folder / name).chmod(mode)
    return real


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.parametrize(("command", "why"), SAME)
def test_without_a_shell_the_same_happens(
    programs: RealStage, shell: str, command: str, why: str
) -> None:
    assigned = (("SHELL", shell), ("PATH", f"/usr/bin:/bin:{programs.folder}"))
    entry = job(command, assigned=assigned, stdin="in\n")
    launch = programs.prepare(entry)
    assert isinstance(launch, Launch)
    assert launch.direct is not None
    programs.spawner.discard(launch)
    outputs, outcomes = set(), set()
    for in_shell in (False, True):
        programs.number = 100
        ended, output = programs.run(entry, in_shell=in_shell)
        programs.output().unlink()  # its mark may just be taken away: nobody else opens it then
        outcomes.add(ended.outcome)
        outputs.add(tuple(without_shells_own(output)))
    assert (len(outcomes), len(outputs)) == (1, 1), (why, outcomes, outputs)


@pytest.mark.parametrize(
    ("command", "expected", "why"),
    [
        ("./suicide", Signalled(9), "nobody stands between"),
        ("exec ./suicide", Signalled(9), "nor here"),
        ("./suicide; exit $?", Exited(137), "a shell tells of a signal by an exit code"),
    ],
)
def test_a_signal_is_seen_as_one_unless_a_shell_stands_between(
    programs: RealStage, command: str, expected: Exited | Signalled, why: str
) -> None:
    assert programs.run(command)[0].outcome == expected, why


words = st.text("aZ09_@%+=:,./-", min_size=1, max_size=6)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(words, max_size=4), st.sampled_from([" ", "  "]))
def test_without_a_shell_the_same_words_arrive(
    real: RealStage, arguments: list[str], blank: str
) -> None:
    command = blank.join(("env", "printf", "[%s]", *arguments)).replace("[%s]", "%s,")
    launch = real.prepare(job(command))
    assert isinstance(launch, Launch)
    assert launch.direct is not None
    real.spawner.discard(launch)
    assert real.run(command)[1] == real.run(command, in_shell=True)[1]


# --- what can't be started -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "assigned", "expected"),
    [
        ("echo", ("SHELL", "/no/shell"), "its SHELL '/no/shell': No such file or directory"),
        ("echo", ("SHELL", "/"), "its SHELL '/': Permission denied"),
        ("echo", ("SHELL", ""), "its SHELL '': Permission denied"),
        ("echo", ("HOME", "/no/home"), "its HOME '/no/home': No such file or directory"),
        ("true", ("HOME", "/no/home"), "its HOME '/no/home': No such file or directory"),
        ("true", ("HOME", "/dev/null"), "its HOME '/dev/null': Not a directory"),
        ("true", ("HOME", ""), "its HOME '': No such file or directory"),
        ("true", ("HOME", "/\udcff"), r"its HOME '/\xff': No such file or directory"),
        ("echo a\0b", ("A", ""), "its command or environment: embedded null byte"),
        ("true", ("A", "a\0b"), "its command or environment: embedded null byte"),
        (": " + "x" * 3_000_000, ("A", ""), "its command or environment: Argument list too long"),
        ("true", ("A", "x" * 3_000_000), "its command or environment: Argument list too long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_started_says_why(
    real: RealStage, command: str, assigned: tuple[str, str], expected: str
) -> None:
    assert real.refusal(job(command, assigned=(assigned,))) == expected


def test_no_process_for_want_of_descriptors_is_no_fault_of_the_shell(real: RealStage) -> None:
    launch = real.prepare(job("true"))
    assert isinstance(launch, Launch)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        result = real.spawner.start(launch)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert result == NotStarted("no new process: Too many open files")
    assert isinstance(result, NotStarted)
    assert result.by_system


@pytest.mark.parametrize("stdin", [None, "text"])
def test_what_is_prepared_leaves_descriptors_to_start_it_with(
    real: RealStage, stdin: str | None
) -> None:
    """Of a burst that is more than there are, nothing fails: the rest is prepared later."""
    real.start(real.prepare(job("true")))  # whatever is opened once is open
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/dev/fd").iterdir())
    hoard = [os.dup(0)]
    while hoard[-1] < highest:  # what is free stands above all that is not
        hoard.append(os.dup(0))
    free = hoard[-1] + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 8, limits[1]))
    try:
        some = [real.prepare(job("true", stdin=stdin)) for _ in range(12)]
        launches = [each for each in some if isinstance(each, Launch)]
        started = [real.spawner.start(each) for each in launches]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in hoard:
            os.close(descriptor)
    real.pids += [each for each in started if isinstance(each, int)]
    assert len(launches) == 5
    assert len(real.pids) == 6
    refused = next(each for each in some if isinstance(each, NotStarted))
    assert refused.why.endswith("Too many open files")
    assert refused.by_system


def test_input_that_cannot_be_stored_says_so(
    real: RealStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    assert real.refusal(job("cat", stdin="x")) == (
        "its standard input can't be stored: No such file or directory"
    )


# --- what is known of who ended ------------------------------------------------------------------


def python(code: str) -> str:
    return f"{sys.executable} -S -E -c '{code}'"


def test_cpu_time_is_the_jobs(real: RealStage) -> None:
    ended, _ = real.run(python("import time\nwhile time.process_time() < 0.2: pass"))
    assert ended.cpu_s >= 0.2
    assert real.run("true")[0].cpu_s >= 0


def test_memory_is_the_jobs_or_unknown_never_the_daemons(real: RealStage) -> None:
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    size = own + 100_000_000
    ended, _ = real.run(python(f'b"x" * {size}'))
    assert ended.memory_bytes is not None
    assert size <= ended.memory_bytes < 2 * size
    assert real.run("true")[0].memory_bytes is None


def test_a_strangers_zombie_is_buried_without_a_word(real: RealStage) -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 9"], {})
    real.wait(pid)
    assert real.spawner.ended() == []
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)


@on_linux
def test_a_later_process_has_another_start(real: RealStage) -> None:
    first = real.spawner.started_at(begin(real, *FOR_EVER))
    assert first is not None

    def is_later() -> bool:
        started = real.spawner.started_at(begin(real, *FOR_EVER))
        return started is not None and started > first

    eventually(is_later)


@on_linux
def test_a_start_is_read_whatever_the_process_calls_itself(real: RealStage) -> None:
    program = real.folder / "a) Z 1 ("
    program.symlink_to("/bin/sleep")
    pid = real.start(real.prepare(job(f"exec '{program}' 600")))
    eventually(lambda: b"a) Z 1 (" in Path(f"/proc/{pid}/comm").read_bytes())
    ticks = float(Path("/proc/uptime").read_text().split()[0]) * os.sysconf("SC_CLK_TCK")
    started = real.spawner.started_at(pid)
    assert started is not None
    assert 0 < started <= ticks + 2


@on_linux
def test_a_strangers_zombie_is_gone_for_the_next_daemon(real: RealStage) -> None:
    pid = begin(real, "exit 0", Act())
    real.wait(pid)
    assert real.spawner.started_at(pid) is not None
    assert real.new().started_at(pid) is None, "it only waits to be reaped"


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from zoneinfo import ZoneInfo
    from scheduler.run import Attempt, Run
    from scheduler.entry import Entry, Reboot
    from scheduler.process.spawner import RealSpawner
    from datetime import datetime, UTC
    folder, job, *commands = sys.argv[1:]
    spawner = RealSpawner(os.environ, folder, "ada")
    for number, command in enumerate(commands, 1):
        entry = Entry(job, Reboot(), "@reboot", ZoneInfo("Asia/Kolkata"), command)
        attempt = Attempt(Run(number, job, datetime(2027, 3, 28, 0, 30, tzinfo=UTC)), 2)
        print(spawner.start(spawner.prepare(entry, attempt, Path(folder) / f"{number}.log")))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@on_linux
def test_what_a_killed_daemon_started_is_found_and_told_from_what_it_put_aside(
    real: RealStage,
) -> None:
    """With a shell and without; the second one puts a process into a session of its own."""
    name = f"killed-{uuid4().hex}"  # or another one's, whose test runs just now, would count
    commands = ["sleep 600", "setsid sh -c 'echo $$; exec sleep 600' & wait"]
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(real.folder), name, *commands]
    told = subprocess.run(script, stdout=subprocess.PIPE, check=False)
    assert told.returncode == -signal.SIGKILL
    pids = [int(line) for line in told.stdout.split()]
    real.pids += pids
    eventually((real.folder / "2.log").read_bytes)
    real.pids.append(int((real.folder / "2.log").read_text()))
    attempts = [Attempt(Run(n, name, START), 2) for n in (1, 2)]
    found = real.spawner.orphans(
        {each: real.folder / f"{each.run.number}.log" for each in attempts}
    )
    assert [found.get(each) for each in attempts] == pids
    assert all(real.spawner.started_at(pid) for pid in pids)


@on_linux
@pytest.mark.parametrize(
    ("command", "is_open", "why"),
    [
        ("exec env -i sleep 600", True, "nothing is in its environment"),
        (
            "exec env -i CRON_JOB=other CRON_RUN=9 CRON_ATTEMPT=1 sleep 600",
            True,
            "or another job's",
        ),
        (
            "env -i sleep 600 & exec env -i sleep 600 > /dev/null 2>&1",
            True,
            "its child has the file",
        ),
        ("exec env -i sh -c 'echo a > /dev/stderr; exec sleep 600'", True, "its copier has it"),
        ("exec env -i sleep 600 > /dev/null 2>&1", False, "nobody has the file"),
    ],
)
@pytest.mark.parametrize("is_tagged", [True, False])
def test_a_job_is_known_by_its_output_whatever_its_environment_says(
    command: str, why: str, real: RealStage, *, is_open: bool, is_tagged: bool
) -> None:
    """So one that was started in the moment before a kill -9 is not started beside itself.

    What the daemon wrote on the output tells who it is; before it did, whoever has that open.
    """
    launch = real.prepare(job(command))
    pid = real.start(launch)
    assert isinstance(launch, Launch)
    eventually(lambda: b"CRON_RUN=1\0" not in Path(f"/proc/{pid}/environ").read_bytes())
    eventually(lambda: is_open or not is_held(real.output()))
    if not is_tagged:
        os.removexattr(real.output(), TAG)
    outputs = {launch.attempt: real.output()}
    later = real.next()
    with real.output().open("rb"):  # whoever only reads it is nobody's job
        found = later.orphans(outputs).get(launch.attempt)
        assert (found is not None) is (is_open or is_tagged), why
        if is_tagged or (is_open and "/dev/stderr" not in command):
            # Who is just becoming another program may be hidden for a moment: it lives, unnamed.
            eventually(lambda: later.orphans(outputs).get(launch.attempt) == pid)
    real.spawner.signal(pid, signal.SIGKILL)
    real.end(pid)
    eventually(lambda: launch.attempt not in later.orphans(outputs))


@on_linux
@pytest.mark.parametrize(
    ("changed", "is_found", "why"),
    [
        ({}, True, "it is as it was"),
        ({"start": 1}, False, "another process has that number since"),
        ({"pid": 2**22 + 1}, False, "there is none of that number"),
        ({"text": b"\xff" * 20}, True, "nonsense is no tag: who has it open is asked"),
        ({"text": b"9" * 200}, True, "nor is a number that no process has"),
    ],
)
def test_what_an_output_says_of_its_process_has_to_be_true(
    changed: dict[str, Any], is_found: bool, why: str, real: RealStage
) -> None:
    launch = real.prepare(job("exec sleep 600"))
    pid = real.start(launch)
    assert isinstance(launch, Launch)
    tagged, start, instant = os.getxattr(launch.path, TAG).split()
    parts = [
        b"%d" % changed.get("pid", int(tagged)),
        b"%d" % (int(start) + changed.get("start", 0)),
    ]
    os.setxattr(launch.path, TAG, changed.get("text", b" ".join([*parts, instant])))
    found = real.next().orphans({launch.attempt: launch.path})
    assert found == ({launch.attempt: pid} if is_found else {}), why


@on_linux
@pytest.mark.parametrize("is_tagged", [True, False])
def test_without_a_journal_the_outputs_tell_which_attempts_live(
    real: RealStage, *, is_tagged: bool
) -> None:
    """And what a process calls itself counts only if it has that output open."""
    launch = real.prepare(job("exec sleep 600", name="job"))
    assert isinstance(launch, Launch)
    paths = [real.folder / "outputs/job" / name for name in ("1.2.log", "1.2.old.log", "7.1.log")]
    paths[0].parent.mkdir()
    pid = real.start(launch)
    launch.path.rename(paths[0])
    for place in paths[1:]:
        place.touch()
    if not is_tagged:
        os.removexattr(paths[0], TAG)
    other = Attempt(Run(7, "job", START), 1)
    marked = dict(os.environb) | job_environment.attempt_variables(job("", name="job"), other)
    with subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True) as impostor:
        found = real.next().survivors(paths)
        impostor.kill()
    assert found == {launch.attempt: pid}
    assert real.spawner.survivors(paths) == {}, "a child is none"


@on_linux
def test_each_of_many_outputs_is_opened_once(
    real: RealStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be a million, and a start waits for it."""
    launch = real.prepare(job("exec sleep 600", name="job"))
    assert isinstance(launch, Launch)
    pid = real.start(launch)
    folder = real.folder / "outputs/job"
    folder.mkdir()
    paths = [launch.path.rename(folder / "1.2.log")]
    for n in range(2, 40):
        paths.append(folder / f"{n}.1.log")
        paths[-1].touch()
        if n % 2:  # a number that is another process's by now, of this boot or of another one
            start = int(os.getxattr(paths[0], TAG).split()[1]) + (1 if n % 3 else 1 << 44)
            os.setxattr(paths[-1], TAG, b"%d %d 1790000000" % (pid, start))
    looked: list[Path] = []
    opened = state_files.opened

    def told(path: Path, flags: int) -> int:
        looked.append(path)
        return opened(path, flags)

    monkeypatch.setattr(state_files, "opened", told)
    assert real.next().survivors(iter(paths)) == {launch.attempt: pid}
    assert looked == paths


@on_linux
def test_an_output_that_nobody_is_told_to_have_open_has_one_who_is_hidden(
    real: RealStage, tmp_path: Path
) -> None:
    """As a set-uid program's is: the /proc of this test tells of nobody at all."""
    launch = real.prepare(job("exec sleep 600"))
    pid = real.start(launch)
    assert isinstance(launch, Launch)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/stat").touch()
    later = RealSpawner({}, str(tmp_path), "ada", proc=tmp_path / "proc")
    outputs = {launch.attempt: launch.path}
    assert later.orphans(outputs) == {launch.attempt: 0}, "its number is somebody's"
    os.removexattr(launch.path, TAG)
    assert later.orphans(outputs) == {launch.attempt: 0}
    assert later.is_held(launch.path)
    real.spawner.signal(pid, signal.SIGKILL)
    real.end(pid)
    assert later.orphans(outputs) == {}
    assert not later.is_held(launch.path)
    assert not later.is_held(tmp_path / "gone")


def test_without_proc_a_job_is_known_by_its_session(tmp_path: Path, real: RealStage) -> None:
    spawner = RealSpawner(real.environ, str(tmp_path), "ada", proc=Path("/nowhere"))
    real.spawner = spawner
    pid = begin(real, *FOR_EVER)
    started = spawner.started_at(pid)
    later = RealSpawner({}, str(tmp_path), "ada", proc=Path("/nowhere"))
    assert started is not None
    assert later.started_at(pid) == started
    spawner.signal(pid, signal.SIGKILL)
    real.wait(pid)
    assert spawner.started_at(pid) == started, "a zombie still has the pid"
    spawner.ended()
    assert spawner.started_at(pid) is None
