"""Cron's pid file: one daemon runs cron's tables at a time, whichever way it locks the file."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scheduler.system import crons_record
from scheduler.system.boot import boot_id
from scheduler.system.cron_lock import CronHolder, CronLock, holder
from scheduler.system.crons_record import CronUntil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a cron daemon does with its pid file. It gives up where another has the lock.
CRON = """
import fcntl, os, sys
way, path = sys.argv[1:]
descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
try:
    getattr(fcntl, way)(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(f"can't lock, otherpid may be {os.read(descriptor, 20).split()[0].decode()}")
os.ftruncate(descriptor, os.write(descriptor, f"{os.getpid()}\\n".encode()))
print("started", flush=True)
sys.stdin.read()
"""
WAYS = [
    pytest.param("flock", id="as Debian's cron 3.0 locks"),
    pytest.param("lockf", id="as cronie locks"),
]


@contextmanager
def cron(way: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    command, pipe = [sys.executable, "-c", CRON, way, str(path)], subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        yield process
        process.communicate("")


@pytest.mark.parametrize("way", WAYS)
def test_a_cron_daemon_keeps_this_one_out(way: str, tmp_path: Path) -> None:
    lock = CronLock(tmp_path / "crond.pid")
    with cron(way, tmp_path / "crond.pid") as other:
        assert other.stdout
        assert other.stdout.readline() == "started\n"
        assert not lock.take()
        assert f"pid {other.pid}) has {tmp_path}/crond.pid" in lock.refusal
        assert (tmp_path / "crond.pid").read_text() == f"{other.pid}\n"  # it is still theirs
    assert lock.take()
    assert lock.refusal == ""


@pytest.mark.parametrize("way", WAYS)
def test_this_daemon_keeps_a_cron_out_until_it_ends(way: str, tmp_path: Path) -> None:
    lock = CronLock(tmp_path / "crond.pid")
    assert lock.take()
    assert lock.take()  # again before each minute
    with cron(way, tmp_path / "crond.pid") as other:
        _, said = other.communicate("")
    assert (other.returncode, said) == (1, f"can't lock, otherpid may be {os.getpid()}\n")
    lock.release()
    assert (tmp_path / "crond.pid").read_text() == ""
    with cron(way, tmp_path / "crond.pid") as other:
        assert other.communicate("") == ("started\n", "")


@pytest.mark.parametrize("way", WAYS)
def test_who_has_it_can_be_told_without_taking_it(way: str, tmp_path: Path) -> None:
    path = tmp_path / "crond.pid"
    assert holder(path) is None
    with cron(way, path) as other:
        assert other.stdout
        assert other.stdout.readline() == "started\n"
        found = holder(path)
        assert found is not None
        assert (found.pid, found.is_meridian) == (other.pid, False)
    assert holder(path) is None  # its pid is still there
    lock = CronLock(path)
    assert lock.take()
    found = holder(path)
    lock.release()
    assert found == CronHolder(os.getpid(), found.name if found else "", is_meridian=True)


def test_a_lock_whose_file_is_gone_is_taken_anew(tmp_path: Path) -> None:
    lock = CronLock(tmp_path / "crond.pid")
    assert lock.take()
    (tmp_path / "crond.pid").unlink()  # as a cron that ends may do
    with cron("flock", tmp_path / "crond.pid") as other:
        assert other.stdout
        assert other.stdout.readline() == "started\n"
        assert not lock.take()
    assert lock.take()
    assert (tmp_path / "crond.pid").read_text() == f"{os.getpid()}\nmeridian\n"


@pytest.mark.parametrize(("times", "is_taken"), [(1, True), (99, False)])
def test_a_file_that_goes_before_it_is_locked_is_not_taken_for_the_lock(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool
) -> None:
    path, lock, left = tmp_path / "crond.pid", fcntl.flock, [None] * times

    def late(descriptor: int, way: int) -> None:
        if left:
            left.pop()
            path.unlink()  # a cron ends
            path.touch()  # and the next one starts
        lock(descriptor, way)

    monkeypatch.setattr(fcntl, "flock", late)
    taker = CronLock(path)
    assert taker.take() is is_taken
    assert bool(taker.refusal) is not is_taken
    assert (holder(path) is not None) is is_taken
    assert path.read_text() == (f"{os.getpid()}\nmeridian\n" if is_taken else "")


def test_a_job_does_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = CronLock(tmp_path / "crond.pid")
    assert lock.take()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as job:
        lock.release()
        is_free = CronLock(tmp_path / "crond.pid").take()
        job.kill()
    assert is_free


def test_a_pid_file_left_by_the_dead_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "crond.pid").write_text("99999999\n")
    assert CronLock(tmp_path / "crond.pid").take()


OLD = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "boot", "marker", "is_ours"),
    [
        pytest.param(None, "this", "", False, id="cronie, which takes its pid file away"),
        pytest.param(None, "other", "", True, id="nobody, since the machine has booted"),
        pytest.param(None, "other", "cron.reboot", False, id="cronie, since it has booted"),
        pytest.param("", "this", "crond.reboot", True, id="a system daemon that ended"),
        pytest.param("4711\nmeridian\n", "this", "crond.reboot", True, id="one that was killed"),
        pytest.param("", "other", "crond.reboot", True, id="one of a container with a /run kept"),
        pytest.param("4711\n", "this", "", False, id="Debian's cron, which leaves its pid"),
        pytest.param("4711\n", "other", "", False, id="Debian's cron, since it has booted"),
        pytest.param("", "none", "", False, id="who knows? nothing was kept"),
        pytest.param(None, "none", "", False, id="nobody, or a cron: it has them the first time"),
        pytest.param("", "damaged", "", False, id="who knows? what was kept makes no sense"),
    ],
)
def test_who_had_the_tables_last(
    text: str | None, boot: str, marker: str, tmp_path: Path, *, is_ours: bool
) -> None:
    record = tmp_path / "cron-until"
    if text is not None:
        (tmp_path / "crond.pid").write_text(text)
    if marker:
        (tmp_path / marker).touch()
    if boot == "damaged":
        record.write_text('{"until": 1e99, "boot": null}')
    elif boot != "none":
        crons_record.write(record, CronUntil(OLD, boot_id() if boot == "this" else "other"))
    now = datetime.now(UTC)
    lock = CronLock(tmp_path / "crond.pid", record)
    assert lock.take()
    assert lock.until is not None
    assert (lock.until == OLD) if is_ours else (lock.until >= now)
    lock.release()
    first, lock = lock.until, CronLock(tmp_path / "crond.pid", record)
    assert lock.take()
    assert lock.until == first.replace(microsecond=0)  # nobody else had it meanwhile


def test_a_crash_just_after_the_lock_is_taken_forgets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tells of cron is the pid that was there: it is written over after all is kept."""
    path, record = tmp_path / "crond.pid", tmp_path / "cron-until"
    crons_record.write(record, CronUntil(OLD, boot_id()))
    path.write_text("4711\n")

    def crashes(*_: object) -> None:
        kept = crons_record.read(record)
        assert kept is not None
        assert kept.until > OLD
        raise MemoryError

    with monkeypatch.context() as crash:
        crash.setattr(os, "fchmod", crashes)
        with pytest.raises(MemoryError):
            CronLock(path, record).take()


def test_a_clock_that_was_ahead_when_they_were_taken_delays_nothing(tmp_path: Path) -> None:
    record, now = tmp_path / "cron-until", datetime.now(UTC)
    crons_record.write(record, CronUntil(now + timedelta(days=900), boot_id()))
    (tmp_path / "crond.pid").touch()
    lock = CronLock(tmp_path / "crond.pid", record)
    assert lock.take()
    assert lock.until is not None
    assert lock.until - now < timedelta(minutes=1)


def test_a_cron_daemon_that_had_it_meanwhile_is_known(tmp_path: Path) -> None:
    record = tmp_path / "cron-until"
    crons_record.write(record, CronUntil(OLD, boot_id()))
    (tmp_path / "crond.pid").touch()
    lock = CronLock(tmp_path / "crond.pid", record)
    assert lock.take()
    assert lock.until == OLD
    lock.release()
    with cron("flock", tmp_path / "crond.pid") as other:
        other.communicate("")
    assert lock.take()
    assert lock.until != OLD


@pytest.mark.parametrize("marker", ["crond.reboot", "cron.reboot"])
def test_reboot_jobs_that_a_cron_has_run_are_known(marker: str, tmp_path: Path) -> None:
    lock = CronLock(tmp_path / "crond.pid")
    assert lock.take()
    assert not lock.has_rebooted
    lock.release()
    (tmp_path / marker).touch()
    assert lock.take()
    assert lock.has_rebooted


def test_a_cron_that_takes_over_knows_of_reboot_jobs(tmp_path: Path) -> None:
    lock = CronLock(tmp_path / "crond.pid")
    assert lock.take()
    lock.rebooted()
    assert (tmp_path / "crond.reboot").exists()  # Debian's cron skips them for this file
    assert (tmp_path / "cron.reboot").exists()  # and cronie for this one


def test_who_may_not_read_the_file_can_not_lock_it(tmp_path: Path) -> None:
    (tmp_path / "crond.pid").touch(0o644)
    assert CronLock(tmp_path / "crond.pid").take()
    assert (tmp_path / "crond.pid").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        pytest.param("link", "can't open", id="a link would lead root to another file"),
        pytest.param("folder", "can't open", id="a folder is no pid file"),
        pytest.param("missing", "can't open", id="there is no /run"),
    ],
)
def test_what_is_no_pid_file_is_refused(kind: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "crond.pid"
    if kind == "link":
        path.symlink_to(tmp_path / "shadow")
    elif kind == "folder":
        path.mkdir()
    else:
        path = tmp_path / "run" / "crond.pid"
    lock = CronLock(path)
    assert not lock.take()
    assert lock.refusal.startswith(f"{why} {path}: ")
    assert not (tmp_path / "shadow").exists()
