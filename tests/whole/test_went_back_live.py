"""The real daemon whose journal went back: its log was lost, or part of it, or an old copy is there.

All that a daemon has done in a minute is in the journal's log (`-wal`), and the database by itself
knows nothing of it. Each daemon runs its first minute; then it is killed, stopped, or goes on, and
its files are damaged. What it does in the next minute is looked at. They all do it side by side.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest
from real_daemon import (
    by_rename,
    clear_of_the_minute,
    is_alive,
    meridian,
    moment,
    no_job_left,
    running,
    until,
)

from scheduler.cli.commands.status import _checked as checked
from scheduler.journal.high_water import HIGH_WATER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from real_daemon import Process

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ONE_AT_A_TIME = Lock()
CRONTAB = """
HOME={folder}
CRON_RETRIES=0
CRON_NAME=long-{folder.name}  * * * * *  echo $$ >> pids; echo begun; exec sleep 300
CRON_NAME=tick                * * * * *  echo tick
CRON_NAME=boot                @reboot    echo boot
"""


# --- what happens to the files --------------------------------------------------------------------


def log(state: Path) -> Path:
    return state / "journal.db-wal"


def log_is_removed(state: Path) -> None:
    log(state).unlink()


def log_is_emptied(state: Path) -> None:
    os.truncate(log(state), 0)


def log_is_cut(state: Path) -> None:
    os.truncate(log(state), log(state).stat().st_size // 2)


def log_is_overwritten(state: Path) -> None:
    log(state).write_bytes(b"\xff" * log(state).stat().st_size)


def log_has_a_bit_flipped(state: Path) -> None:
    text = bytearray(log(state).read_bytes())
    text[len(text) // 2] ^= 1
    log(state).write_bytes(text)


def log_is_replaced(state: Path) -> None:
    whole = log(state).read_bytes()
    log(state).unlink()
    log(state).write_bytes(whole)


def index_is_removed(state: Path) -> None:
    (state / "journal.db-shm").unlink()


def database_is_emptied(state: Path) -> None:
    """Left is the header of a database in which there is nothing."""
    log_is_removed(state)
    (state / "journal.db").unlink()
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def all_but_the_outputs_is_old(state: Path) -> None:
    """Whatever the daemon itself has told beside its journal is gone, too."""
    log_is_removed(state)
    (state / HIGH_WATER_NAME).unlink()


def database_is_an_old_copy(state: Path) -> None:
    log_is_removed(state)
    shutil.copy(state.with_name("copy"), state / "journal.db")


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens, and whether the journal has lost anything by it, and the daemon jobs."""

    damage: Callable[[Path], None]
    ends_by: int | None = None  # the signal; None: it goes on
    keeps_all: bool = False


KILLED = (log_is_removed, log_is_emptied, log_is_cut, log_is_overwritten, log_has_a_bit_flipped, database_is_emptied, all_but_the_outputs_is_old)  # fmt: skip
ACCIDENTS = {
    **{f"killed: {each.__name__}": Accident(each, signal.SIGKILL) for each in KILLED},
    "stopped: log_is_removed": Accident(log_is_removed, signal.SIGTERM),
    "stopped: database_is_an_old_copy": Accident(database_is_an_old_copy, signal.SIGTERM),
    "alive: log_is_removed": Accident(log_is_removed, keeps_all=True),
    "alive: log_is_replaced": Accident(log_is_replaced, keeps_all=True),
    "alive: log_is_emptied": Accident(log_is_emptied),
    "alive: log_is_cut": Accident(log_is_cut),
    "alive: index_is_removed": Accident(index_is_removed, keeps_all=True),
}


@dataclass
class Told:
    """What was seen."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, bytes] = field(default_factory=dict)  # the outputs when it happened
    after: dict[str, bytes] = field(default_factory=dict)  # and in the end
    check: str = ""
    status: int = -1
    aside: list[str] = field(default_factory=list)
    survivors: list[int] = field(default_factory=list)  # pids of long jobs

    def said(self, message: str, **facts: object) -> list[dict[str, Any]]:
        wanted = {"message": message, **facts}.items()
        return [line for line in self.lines if wanted <= line.items()]


def ended(folder: Path, accident: Accident) -> Told:
    folder.mkdir()
    with no_job_left(folder / "pids"):
        return happens(folder, accident)


def happens(folder: Path, accident: Accident) -> Told:
    told, state, file = Told(), folder / "state", folder / "crontab"
    by_rename(file, CRONTAB.format(folder=folder))
    words = (str(file), "--state", str(state), "--log-format", "json", "--grace", "0")
    with running(*words, log=folder / "first.log") as daemon:
        until(lambda: {"tick", "boot"} <= {line["job"] for line in daemon.said("succeeded")})
        until(lambda: any("long" in line["job"] for line in daemon.said("started")))
        shutil.copy(state / "journal.db", folder / "copy")
        if accident.ends_by is None:
            told.before = outputs(state)
            accident.damage(state)
            goes_on(told, daemon, state)
            return told
        ends(daemon, accident.ends_by, state)
        told.lines = daemon.lines()
    told.before = outputs(state)
    accident.damage(state)
    with running(*words, log=folder / "second.log") as daemon:
        goes_on(told, daemon, state)
    return told


def ends(daemon: Process, by: int, state: Path) -> None:
    """Let it end while somebody else reads the journal, so that its log stays."""
    uri = f"{(state / 'journal.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM run").fetchall()
        assert daemon.ends(by) == (0 if by == signal.SIGTERM else -by)


def goes_on(told: Told, daemon: Process, state: Path) -> None:
    """See what the daemon does from the damage to the next minute."""
    ticks = len(daemon.said("succeeded", job="tick"))
    until(lambda: daemon.said("renewed"))
    until(lambda: len(daemon.said("succeeded", job="tick")) > ticks, 130)
    with ONE_AT_A_TIME:  # as a program, all at once, they would take a small machine's time away
        found = checked(state)
    told.check, told.status = str(found), found.level
    told.after = outputs(state)
    started = [line for line in told.lines if line["message"] == "started"]
    started += daemon.said("started")
    long = [line["pid"] for line in started if "long" in line["job"]]
    told.survivors = [pid for pid in long if is_alive(pid)]
    assert daemon.ends(signal.SIGTERM) == 0
    told.lines += daemon.lines()
    told.aside = [each.name for each in state.glob("journal.db.damaged-*[!lm]")]


def outputs(state: Path) -> dict[str, bytes]:
    found = (state / "outputs").glob("*/*.log")
    return {str(each.relative_to(state)): each.read_bytes() for each in found}


@pytest.fixture(scope="module")
def all_told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Told]]]:
    folder = tmp_path_factory.mktemp("back")
    clear_of_the_minute()
    with ThreadPoolExecutor(len(ACCIDENTS)) as pool:
        yield {
            name: pool.submit(ended, folder / str(n), each)
            for n, (name, each) in enumerate(ACCIDENTS.items())
        }


@pytest.fixture(params=ACCIDENTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def told(all_told: dict[str, Future[Told]], name: str) -> Told:
    return all_told[name].result()


# --- what the daemon makes of it ------------------------------------------------------------------


def test_nothing_runs_twice(told: Told) -> None:
    starts = [(line["job"], line["instant"]) for line in told.said("started")]
    assert len(starts) == len(set(starts))
    assert [job for job, _ in starts].count("boot") == 1


def test_a_job_that_lives_is_found_and_gets_no_second_copy(told: Told, name: str) -> None:
    starts = [line for line in told.said("started") if "long" in line["job"]]
    assert told.survivors == [starts[-1]["pid"]]
    if "stopped" in name:  # it was ended then, and runs again in its next minute
        assert len(starts) == 2
        return
    assert len(starts) == 1
    (adopted,) = told.said("adopted")
    assert (adopted["run"], adopted["pid"]) == (starts[0]["run"], starts[0]["pid"])


def test_the_next_minute_runs(told: Told) -> None:
    instants = [moment(line["instant"]) for line in told.said("succeeded", job="tick")]
    assert len(instants) >= 2
    assert instants == sorted(instants)


def test_no_run_gets_a_number_that_another_had(told: Told) -> None:
    runs = [line["run"] for line in told.said("started")]
    assert len(runs) == len(set(runs))
    assert runs == sorted(runs)


def test_every_output_is_kept(told: Told) -> None:
    assert told.before == {name: told.after.get(name) for name in told.before}
    assert len(told.before) >= 3


def test_the_log_says_in_plain_words_what_happened(told: Told, name: str) -> None:
    (line,) = told.said("renewed")
    assert line["level"] == "error"
    assert line["taken_over"] == int(ACCIDENTS[name].keeps_all)
    assert line["went_back"] == int("alive" not in name)


def test_so_does_whoever_watches_over_it(told: Told) -> None:
    assert told.status == 1
    assert told.check.startswith("WARNING: a damaged journal was moved aside: look at ")
    assert [name for name in told.aside if name in told.check] == told.aside
    assert len(told.aside) == 1


# --- what no program can go on from ---------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="what the kernel does about it is Linux's")
def test_an_index_that_is_cut_ends_the_daemon_and_the_next_one_goes_on(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "crontab"
    by_rename(file, CRONTAB.format(folder=tmp_path).replace("* * * * *", "@reboot"))
    words = (str(file), "--state", str(state), "--log-format", "json", "--grace", "0")
    with no_job_left(tmp_path / "pids"):
        with running(*words, log=tmp_path / "first.log") as daemon:
            until(lambda: len(daemon.said("succeeded")) == 2 and len(daemon.said("started")) == 3)
            os.truncate(state / "journal.db-shm", 0)
            with suppress(subprocess.CalledProcessError):
                meridian("pause", "tick", "--state", str(state))
            assert daemon.popen.wait(timeout=100) == -signal.SIGBUS
            (long,) = [line for line in daemon.said("started") if "long" in line["job"]]
        assert is_alive(long["pid"])
        with running(*words, log=tmp_path / "second.log") as daemon:
            until(lambda: daemon.said("adopted", run=long["run"], pid=long["pid"]))
            assert daemon.ends(signal.SIGTERM) == 0
            assert not daemon.said("renewed")
            assert not daemon.said("started")
