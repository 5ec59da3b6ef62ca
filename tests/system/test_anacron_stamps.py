"""anacron's stamps: dates of last runs, and locks that keep anacron and the daemon apart."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import pytest

from scheduler.system.anacron_stamps import STAMPS, AnacronStamps, last_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What anacron does with the stamp of a job that is due.
ANACRON = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("locked by another anacron - skipping")
print("runs", flush=True)
sys.stdin.read()
"""


@contextmanager
def anacron(path: Path) -> Iterator[subprocess.Popen[str]]:
    command, pipe = [sys.executable, "-c", ANACRON, str(path)], subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        yield process
        process.communicate("")


def stamp(root: Path, name: str, text: str) -> Path:
    path = root / STAMPS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "day"),
    [
        pytest.param("20270310\n", date(2027, 3, 10), id="as anacron writes it"),
        pytest.param("20270310", date(2027, 3, 10), id="without an end"),
        pytest.param("", None, id="empty: it never ran"),
        pytest.param("20271310\n", None, id="no date"),
        pytest.param("2027", None, id="cut short"),
        pytest.param("\u00e4\u00e4\u00e4\u00e4", None, id="no text of its own"),
    ],
)
def test_the_date_in_a_stamp(text: str, day: date | None, tmp_path: Path) -> None:
    stamp(tmp_path, "job", text)
    assert last_run(tmp_path / STAMPS, "job") == day
    stamps = AnacronStamps(tmp_path)
    assert stamps.last_run("job") == day
    assert stamps.lock("job")
    assert stamps.last_run("job") == day


def test_a_job_without_a_stamp_never_ran(tmp_path: Path) -> None:
    stamps = AnacronStamps(tmp_path)
    assert stamps.last_run("job") is None
    assert stamps.lock("job")  # in a folder that is made for it
    assert stamps.last_run("job") is None


def test_a_stamp_is_written_as_anacron_writes_it(tmp_path: Path) -> None:
    path = stamp(tmp_path, "job", "20270310 and more\n")
    stamps = AnacronStamps(tmp_path)
    assert stamps.lock("job")
    stamps.write("job", date(2027, 3, 17))
    assert path.read_text() == "20270317\n"
    assert stamps.last_run("job") == date(2027, 3, 17)


def test_anacron_leaves_out_what_the_daemon_has_locked(tmp_path: Path) -> None:
    stamps = AnacronStamps(tmp_path)
    assert stamps.lock("job")
    stamps.write("job", date(2027, 3, 17))  # no reading or writing ends the lock
    stamps.last_run("job")
    with anacron(tmp_path / STAMPS / "job") as other:
        _, said = other.communicate("")
    assert said == "locked by another anacron - skipping\n"
    stamps.release()
    with anacron(tmp_path / STAMPS / "job") as other:
        assert other.communicate("") == ("runs\n", "")


def test_the_daemon_leaves_out_what_anacron_runs(tmp_path: Path) -> None:
    stamps = AnacronStamps(tmp_path)
    path = stamp(tmp_path, "job", "")
    with anacron(path) as other:
        assert other.stdout
        assert other.stdout.readline() == "runs\n"
        assert not stamps.lock("job")
        assert stamps.refused == {"job": "anacron runs it now"}
        assert stamps.lock("other")
    assert stamps.lock("job")
    assert stamps.refused == {}


def test_jobs_that_are_gone_are_let_go(tmp_path: Path) -> None:
    stamps = AnacronStamps(tmp_path)
    assert stamps.lock("old")
    assert stamps.lock("new")
    stamps.keep({"new"})
    with anacron(tmp_path / STAMPS / "old") as other:
        assert other.communicate("") == ("runs\n", "")


def test_a_stamp_that_was_replaced_is_held_anew(tmp_path: Path) -> None:
    stamps = AnacronStamps(tmp_path)
    assert stamps.lock("job")
    (tmp_path / STAMPS / "job").unlink()
    assert stamps.lock("job")
    stamps.write("job", date(2027, 3, 17))
    assert (tmp_path / STAMPS / "job").read_text() == "20270317\n"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("link", id="a link would have root write elsewhere"),
        pytest.param("..", id="a folder is no stamp"),
    ],
)
def test_what_is_no_stamp_is_refused(name: str, tmp_path: Path) -> None:
    stamp(tmp_path, "job", "")
    (tmp_path / STAMPS / "link").symlink_to(tmp_path / "shadow")
    stamps = AnacronStamps(tmp_path)
    assert not stamps.lock(name)
    assert stamps.refused[name].startswith("can't open ")
    assert not (tmp_path / "shadow").exists()
