"""The real daemon beside others that have stopped for good: it goes on, or says once why not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faketime import MINUTE, Warped

from scheduler import wire
from scheduler.daemon.watchdog import Watchdog
from scheduler.process.survivors import TAG
from scheduler.protocol import Reload, Reply, Request, Trigger
from scheduler.status import Status
from scheduler.system import control_client, control_server
from scheduler.system.waiting import Alarm
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOON = 30.0
START = datetime(2027, 3, 1, 12, tzinfo=UTC)
real = pytest.mark.e2e
by_root = pytest.mark.privileged


def until(what: Callable[[], object], seconds: float = SOON) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.02)


@dataclass
class Running:
    """A daemon with its crontab and state; its log is JSON in a file."""

    popen: subprocess.Popen[bytes]
    folder: Path
    state: Path

    @property
    def socket(self) -> Path:
        return self.state / "control.sock"

    def ask(self, request: Request, timeout: float = 5.0) -> Reply:
        return control_client.call(self.socket, request, timeout)

    def answers(self) -> bool:
        with suppress(Exception):
            return not isinstance(self.ask(Status()), Refused)
        return False

    def runs(self, job: str) -> None:
        """Trigger a job, and wait until it has run; runs by hand are a second apart."""
        done = len(self.said("succeeded"))
        until(lambda: not isinstance(self.ask(Trigger(job)), Refused))
        until(lambda: len(self.said("succeeded")) > done)

    def said(self, *messages: str) -> list[dict[str, Any]]:
        whole = (self.folder / "log").read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if line["message"] in messages]

    def stop(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=SOON)


@contextmanager
def daemon(
    folder: Path,
    text: str = "CRON_NAME=a @daily true\n",
    state: Path | None = None,
    whose: tuple[str, ...] = (),
    **env: str,
) -> Iterator[Running]:
    crontab, state = folder / "crontab", state or folder / "state"
    crontab.write_text(text)
    crontab.chmod(0o600)
    words = ("run", str(crontab), "--state", str(state), "--log-format", "json", "--grace", "0")
    with (folder / "log").open("ab") as log:
        popen = subprocess.Popen(
            (*whose, sys.executable, "-m", "scheduler", *words),
            stderr=log,
            env={**os.environ, **env},
        )
    found = Running(popen, folder, state)
    try:
        until(found.answers)
        yield found
    finally:
        popen.kill()
        popen.wait()


# --- clients and systemd -------------------------------------------------------------------------


@real
def test_clients_that_never_read_their_replies_delay_nobody(tmp_path: Path) -> None:
    text = "".join(f"CRON_NAME=job-{n} @daily true\n" for n in range(500))
    with daemon(tmp_path, text) as running:
        deaf = []
        for _ in range(control_server.MOST_AT_ONCE - 2):
            one = socket.socket(socket.AF_UNIX)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            one.connect(str(running.socket))
            one.sendall(wire.write(Status()) * 100)
            deaf.append(one)
        running.runs("job-7")
        assert running.answers()
        until(lambda: running.said("bug", "journal") == [] and running.answers())
        assert running.stop() == 0
        for one in deaf:
            one.close()


@real
def test_a_systemd_that_does_not_listen_holds_up_nobody_and_hears_in_the_end(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(SOON)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as chatter:
            chatter.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    chatter.sendto(b"busy", manager.getsockname())
        with daemon(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
            for _ in range(20):
                running.ask(Reload())
            running.runs("a")
            until(lambda: manager.recv(1000).startswith(b"READY=1\n"))
            assert running.stop() == 0


# --- the journal ---------------------------------------------------------------------------------


@real
def test_a_journal_that_another_program_locks_is_told_once_and_no_reply_waits_for_it(
    tmp_path: Path,
) -> None:
    with daemon(tmp_path) as running:
        running.runs("a")
        with closing(sqlite3.connect(running.state / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = running.ask(Trigger("a"), timeout=3.0)
            assert isinstance(refused, Refused)
            assert "locked" in refused.message
            until(lambda: running.said("journal"), 90)  # at the next minute
            for _ in range(30):
                begun = time.monotonic()
                assert running.answers()
                assert time.monotonic() - begun < 2
                time.sleep(0.1)
            other.execute("ROLLBACK")
        running.runs("a")
        until(lambda: running.said("recovered"))
        (told,) = running.said("journal")
        assert "database is locked" in told["error"]
        assert running.stop() == 0


@real
@by_root
def test_the_minutes_of_a_locked_journal_run_when_it_is_free(tmp_path: Path) -> None:
    warped = Warped(tmp_path, "CRON_NAME=beat * * * * *", at_once=False)
    try:
        warped.start(START)
        warped.run(START + 2 * MINUTE)
        with closing(sqlite3.connect(warped.state / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            warped.endure(START + 5 * MINUTE)
            assert len(warped.ran()) == 3
            other.execute("ROLLBACK")
        warped.run(START + 8 * MINUTE)
        warped.stop()
    finally:
        warped.close()
    assert [ran.at for ran in warped.ran()] == [START + n * MINUTE for n in range(9)]
    assert len(warped.said("journal")) == 1


# --- the disk ------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, whose writes can be made to hang."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(("mkfs.ext4", "-q", str(image)), check=True)
    subprocess.run(("mount", "-o", "loop", str(image), str(place)), check=True)
    try:
        yield place
    finally:
        subprocess.run(("fsfreeze", "-u", str(place)), check=False, capture_output=True)
        until(lambda: subprocess.run(("umount", str(place)), check=False).returncode == 0)


@real
@by_root
def test_a_disk_that_hangs_is_told_once_with_the_step_that_waits_for_it(
    tmp_path: Path, disk: Path
) -> None:
    """A claim must be on the disk before its process exists, so the loop has to wait."""
    with daemon(tmp_path, state=disk / "state") as running:
        running.runs("a")
        subprocess.run(("fsfreeze", "-f", str(disk)), check=True)
        asked = threading.Thread(target=lambda: suppress_all(running.ask, Trigger("a")))
        asked.start()
        until(lambda: running.said("held up"), 40)
        time.sleep(12)  # longer than it took to be told
        (told,) = running.said("held up")
        assert (told["level"], told["step"]) == ("error", "answer a command")
        subprocess.run(("fsfreeze", "-u", str(disk)), check=True)
        until(lambda: running.said("recovered"))
        asked.join()
        running.runs("a")
        assert running.stop() == 0


@real
@by_root
def test_a_log_on_a_disk_that_hangs_holds_up_nobody(tmp_path: Path, disk: Path) -> None:
    """The state is on another one. Only its end has to wait: the kernel ends no such write."""
    log = disk / "log"
    (tmp_path / "log").symlink_to(log)
    log.touch()
    with daemon(tmp_path) as running:
        subprocess.run(("fsfreeze", "-f", str(disk)), check=True)
        for _ in range(3):
            assert not isinstance(running.ask(Reload()), Refused)
        until(lambda: not isinstance(running.ask(Trigger("a")), Refused))
        history = (sys.executable, "-m", "scheduler", "history", "--json", "--state")
        words = (*history, str(running.state))
        until(
            lambda: b'"succeeded"' in subprocess.run(words, check=True, capture_output=True).stdout
        )
        before = len(running.said("crontabs"))
        subprocess.run(("fsfreeze", "-u", str(disk)), check=True)
        until(lambda: len(running.said("crontabs")) == before + 3)
        until(lambda: running.said("succeeded"))
        assert running.stop() == 0


def suppress_all(call: Callable[..., object], *words: object) -> None:
    with suppress(Exception):
        call(*words)


@real
@by_root
def test_old_outputs_however_many_make_no_minute_late(tmp_path: Path) -> None:
    """50,000, most of which are too old and nobody's: they go bit by bit."""
    warped = Warped(tmp_path, "CRON_NAME=beat * * * * *", at_once=True, speed=30)
    old = (START - timedelta(days=365)).timestamp()
    for job in range(5):
        folder = warped.state / "outputs" / f"job-{job}"
        folder.mkdir(parents=True)
        for run in range(1, 10_001):
            path = folder / f"{job * 10_000 + run}.1.log"
            path.touch()
            os.utime(path, (old, old))
    for folder in (warped.state, warped.state / "outputs"):
        folder.chmod(0o700)
    try:
        warped.start(START)
        warped.run(START + 10 * MINUTE)
        warped.stop()
    finally:
        warped.close()
    # With outputs and no journal the present minute counts as handled.
    assert [ran.at for ran in warped.ran()] == [START + n * MINUTE for n in range(1, 11)]
    assert warped.said("bug") == []
    left = sum(1 for _ in (warped.state / "outputs").rglob("*.log"))
    assert left < 50_000


# --- jobs of a daemon that was killed ------------------------------------------------------------

UNREADABLE = {
    "cleaned": "exec env -i sleep 100",
    "renamed": "exec env -i CRON_JOB=other CRON_RUN=x sleep 100",
    "setuid": "exec ./sleeper 100",
    "mute": "exec env -i sleep 100 >/dev/null 2>&1",
}
OWNER, OTHER, THIRD = 60124, 60125, 60126  # users that nothing else belongs to


def as_user(uid: int) -> tuple[str, ...]:
    """Run something as this user, who may read this checkout wherever that is."""
    user = (f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    return ("setpriv", *user, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def set_uid(folder: Path, program: str, owner: int, name: str) -> Path:
    """A copy of a program that runs as its owner, whoever starts it."""
    copy = folder / name
    copy.unlink(missing_ok=True)  # a busy one can't be written
    shutil.copy(f"/usr/bin/{program}", copy)
    os.chown(copy, owner, owner)
    copy.chmod(0o4755)
    return copy


def forget_start(running: Running, *, is_tagged: bool) -> None:
    """Let it be as if the daemon had been killed just after it had started its one job."""
    running.popen.kill()
    running.popen.wait()
    with closing(sqlite3.connect(running.state / "journal.db")) as journal, journal:
        journal.execute("UPDATE attempt SET started = NULL, pid = NULL, pid_started = NULL")
    for path in (running.state / "outputs").rglob("*.log"):
        if not is_tagged:
            os.removexattr(path, TAG)


def started(running: Running, number: int = 1) -> list[dict[str, Any]]:
    until(lambda: len(running.said("started")) == number)
    return running.said("started")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can look into."""
    folder = Path(tempfile.mkdtemp(prefix="meridian-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@real
@by_root
@pytest.mark.parametrize("user", [0, OWNER], ids=["root", "user"])
@pytest.mark.parametrize("journalled", ["started", "tagged", "untagged"])
def test_a_job_whose_environment_says_nothing_never_runs_twice(
    journalled: str, user: int, public: Path
) -> None:
    """Whoever started it was killed: after its start was journalled; in the burst, so that its
    output alone tells of it; or in the moment before that, so that only who has it open does.
    """
    set_uid(public, "sleep", THIRD, "sleeper")
    os.chown(public, user, user)
    jobs = {
        name: UNREADABLE[name] for name in UNREADABLE if (name, journalled) != ("mute", "untagged")
    }
    text = f"HOME={public}\nCRON_RETRY_DELAY=1s\nCRON_NAME=a @daily true\n"
    text += "".join(f"CRON_NAME={name} @reboot {command}\n" for name, command in jobs.items())
    whose = as_user(user) if user else ()
    with daemon(public, text, whose=whose) as first:
        pids = {line["job"]: line["pid"] for line in started(first, len(jobs))}
        names = [Path(f"/proc/{pid}/comm") for pid in pids.values()]
        until(lambda: all("sleep" in name.read_text() for name in names))
        if journalled == "started":
            first.popen.kill()
            first.popen.wait()
        else:
            forget_start(first, is_tagged=journalled == "tagged")
    with daemon(public, text, whose=whose) as second:
        until(lambda: len(second.said("adopted")) == len(jobs))
        found = {line["job"]: line.get("pid") for line in second.said("adopted")}
        is_hidden = (user, journalled) == (OWNER, "untagged")
        assert found == pids | ({"setuid": None} if is_hidden else {})
        time.sleep(1.5)  # a retry would have come
        second.runs("a")
        assert {line["pid"] for line in second.said("started") if line["job"] in jobs} == {
            *pids.values()
        }
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        until(
            lambda: (
                len(
                    {
                        line["job"]
                        for line in second.said("started")
                        if line["pid"] not in pids.values()
                    }
                )
                > len(jobs)
            )
        )
    for line in second.said("started"):
        with suppress(ProcessLookupError):
            os.killpg(line["pid"], signal.SIGKILL)


@contextmanager
def impostors(folder: Path, environment: dict[str, bytes]) -> Iterator[None]:
    """Programs of root's that another user has started, with this in their environments.

    One runs with root's rights, and one has become root altogether, as su does.
    """
    sleeper, becomer = set_uid(folder, "sleep", 0, "sleeper"), set_uid(folder, "setpriv", 0, "su")
    altogether = (str(becomer), "--reuid=0", "--regid=0", "--clear-groups", "sleep", "100")
    some = []
    try:
        for words in ((str(sleeper), "100"), altogether):
            command = (*as_user(OTHER), *words)
            some.append(subprocess.Popen(command, env=environment, start_new_session=True))
            until(
                lambda: Path(f"/proc/{some[-1].pid}/comm").read_text() in ("sleeper\n", "sleep\n")
            )
        yield
    finally:
        for each in some:
            each.kill()
            each.wait()


HOSTILE: tuple[dict[str, bytes], ...] = (
    {},  # exactly that attempt
    {"CRON_JOB": b"../../x"},
    {"CRON_RUN": b"9" * 400},
    {"CRON_RUN": b"2"},
    {"CRON_JOB": b"back\xffup"},
)


@real
@by_root
@pytest.mark.parametrize("is_lost", [False, True], ids=["in its burst", "journal lost"])
def test_no_program_that_another_user_starts_is_taken_for_a_job(
    public: Path, *, is_lost: bool
) -> None:
    """Whatever it says that it is: the job runs, and nothing of it is in the journal."""
    text = "CRON_NAME=backup CRON_RETRY_DELAY=1s @reboot exec sleep 100\n"
    with daemon(public, text) as first, ExitStack() as stack:
        pid = started(first)[0]["pid"]
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        known = dict(each.decode().split("=", 1) for each in environment if b"CRON_" in each)
        forget_start(first, is_tagged=False)
        os.kill(pid, signal.SIGKILL)
        if is_lost:
            for path in first.state.glob("journal.db*"):
                path.unlink()
        for hostile in HOSTILE:
            stack.enter_context(
                impostors(public, {k: v.encode() for k, v in known.items()} | hostile)
            )
        second = stack.enter_context(daemon(public, text))
        if is_lost:
            until(lambda: not isinstance(second.ask(Trigger("backup")), Refused))
        until(lambda: len(second.said("started")) > 1)
        assert second.said("adopted") == []
        os.kill(second.said("started")[-1]["pid"], signal.SIGKILL)
        with closing(sqlite3.connect(second.state / "journal.db")) as journal:
            assert set(journal.execute("SELECT job FROM run")) == {("backup",)}


# In a namespace of pids whose /proc tells each user of that user's processes alone. As number 1 it
# inherits, and reaps, what a daemon leaves behind.
HIDDEN = """
    import json, os, signal, subprocess, sys, time
    from pathlib import Path
    case, folder, *whose = sys.argv[1:]
    folder = Path(folder)
    def said(*messages):
        whole = (folder / "log").read_text().rpartition("\\n")[0]
        return [line for line in map(json.loads, whole.splitlines()) if line["message"] in messages]
    def until(what):
        end = time.monotonic() + 40
        while not what():
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.02)
    def daemon():
        words = ("run", str(folder / "crontab"), "--state", str(folder / "state"))
        words = (*whose, sys.executable, "-m", "scheduler", *words, "--log-format", "json")
        return subprocess.Popen(words, stderr=(folder / "log").open("ab"))
    def take_number():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if case != "own":
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
            other = [each.replace("60124", "60125") for each in whose]
            assert subprocess.Popen((*other, "sleep", "300"), start_new_session=True).pid == pid
    first = daemon()
    until(lambda: said("started"))
    pid = said("started")[0]["pid"]
    time.sleep(0.3)
    first.kill()
    first.wait()
    if case == "down":
        take_number()
    second = daemon()
    if case != "down":
        until(lambda: said("adopted"))
        take_number()
    until(lambda: said("failed"))
    print(json.dumps([said("adopted", "failed"), pid]))
"""


@real
@by_root
@pytest.mark.parametrize(
    ("case", "messages", "why"),
    [
        ("down", ["failed"], "it got the number while no daemon ran"),
        ("live", ["adopted", "failed"], "it got the number of an attempt that was watched"),
        ("own", ["adopted", "failed"], "a set-uid job is hidden from its own user, and lives"),
    ],
)
def test_who_has_an_attempts_number_and_is_hidden_does_not_count_as_the_job(
    case: str, messages: list[str], why: str, public: Path
) -> None:
    os.chown(public, OWNER, OWNER)
    set_uid(public, "sleep", THIRD, "sleeper")
    command = "exec ./sleeper 300" if case == "own" else "exec sleep 300"
    crontab = public / "crontab"
    crontab.write_text(f"HOME={public}\nCRON_RETRIES=0\nCRON_NAME=job @reboot {command}\n")
    inner = (sys.executable, "-c", textwrap.dedent(HIDDEN), case, str(public), *as_user(OWNER))
    hides = ("sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh")
    words = ("unshare", "--pid", "--fork", "--kill-child", "--mount", *hides, *inner)
    told = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    lines, pid = json.loads(told.stdout)
    assert [line["message"] for line in lines] == messages, why
    known = [line.get("pid") for line in lines if line["message"] == "adopted"]
    # A set-uid program may be hidden before its daemon has seen who it is.
    assert known in {"down": ([],), "live": ([pid],), "own": ([pid], [None])}[case]


# --- the watchdog --------------------------------------------------------------------------------


class Bell:
    """An alarm that a test rings."""

    def __init__(self) -> None:
        self.armed: list[float | None] = []
        self._rings = threading.Semaphore(0)

    def arm(self, seconds: float) -> None:
        self.armed.append(seconds)

    def disarm(self) -> None:
        self.armed.append(None)

    def wait(self) -> None:
        self._rings.acquire()

    def ring(self) -> None:
        self._rings.release()


class Ear:
    """A log that a test listens at."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, message: str, **facts: object) -> None:
        self.lines.append((message, str(facts["say"])))

    error = info


def test_a_turn_that_does_not_end_is_told_once_and_when_it_has_ended() -> None:
    bell, ear = Bell(), Ear()
    watchdog = Watchdog(ear, bell, 10.0)  # type: ignore[arg-type]  # stand-ins
    with watchdog.turn():
        watchdog.step = "see to jobs that ended"
    assert (bell.armed, ear.lines) == ([10.0, None], [])
    with watchdog.turn():
        watchdog.step = "start the minute's jobs"
        bell.ring()
        until(lambda: ear.lines)
    with watchdog.turn():
        pass
    held = "the loop has been held up for 10 s while it was to start the minute's jobs"
    why = "nothing starts until the system answers; does the state's disk hang?"
    assert ear.lines == [("held up", f"{held}: {why}"), ("recovered", "the loop goes on")]


def test_an_alarm_rings_once_unless_it_is_disarmed() -> None:
    alarm = Alarm()
    rung: list[float] = []

    def wait() -> None:
        while True:
            alarm.wait()
            rung.append(time.monotonic())

    threading.Thread(target=wait, daemon=True).start()
    alarm.arm(0.05)
    alarm.disarm()
    time.sleep(0.2)
    assert rung == []
    alarm.arm(0.05)
    until(lambda: rung)
    time.sleep(0.2)
    assert len(rung) == 1
