"""The real daemon while its journal is damaged beneath it: what runs goes on, what is due starts.

Most of the file is overwritten under a daemon that runs, and a job is added that was journalled
there: so it is met at once. In the end the daemon is killed, and the whole file is overwritten.
"""

from __future__ import annotations

import signal
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from real_daemon import (
    by_rename,
    clear_of_the_minute,
    is_alive,
    meridian,
    no_job_left,
    running,
    until,
)

from scheduler.journal.journal import Journal
from scheduler.run import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from real_daemon import Process

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

# The first waits for one to come, then exits with 3, which tells it from one that is lost.
CRONTAB = r"""
CRON_RETRIES=0
CRON_NAME=long   * * * * *  echo $$ >> pids; echo begun; while ! test -e go; do sleep 0.1; done; exit 3
CRON_NAME=other  * * * * *  echo $$ >> pids; exec sleep 300
CRON_NAME=tick   * * * * *  true
CRON_NAME=boot   @reboot    true
"""
OLD = "CRON_NAME=old-b @every 2d true\n"


@dataclass
class Told:
    """What was seen."""

    first: list[dict[str, Any]] = field(default_factory=list)  # the lines of the first daemon
    second: list[dict[str, Any]] = field(default_factory=list)
    status: int = -1  # of the second
    aside: list[str] = field(default_factory=list)
    output: bytes = b""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("damage")
    with no_job_left(folder / "pids"):
        yield happens(folder)


def happens(folder: Path) -> Told:
    told, file, path = Told(), folder / "crontab", folder / "state/journal.db"
    path.parent.mkdir(mode=0o700)
    remember(path)
    by_rename(file, f"HOME={folder}\n{CRONTAB}")
    words = (str(file), "--state", str(folder / "state"), "--log-format", "json", "--grace", "0")
    clear_of_the_minute()
    with running(*words, log=folder / "first.log") as daemon:
        until(lambda: len(daemon.said("succeeded")) == 2 and len(daemon.said("started")) == 4)
        damage(path, keep=16 * 4096)
        by_rename(file, f"HOME={folder}\n{CRONTAB}{OLD}")
        daemon.popen.send_signal(signal.SIGHUP)
        until(lambda: len(daemon.said("adopted")) == 2)
        (folder / "go").touch()
        until(lambda: daemon.said("failed", job="long"))
        number = str(daemon.said("failed", job="long")[0]["run"])
        told.output = meridian("logs", number, "--state", str(folder / "state"))
        assert daemon.ends(signal.SIGKILL) == -9
        told.first = daemon.lines()
    pids = pids_of(told.first)
    damage(path, keep=0)
    clear_of_the_minute()
    with running(*words, log=folder / "second.log") as daemon:
        until(lambda: daemon.said("adopted"))
        assert is_alive(pids["other"])
        told.status = ends(daemon)
        told.second = daemon.lines()
    told.aside = [each.name for each in path.parent.glob("journal.db.damaged-*[!lm]")]
    return told


def remember(path: Path) -> None:
    """Let jobs have a history that is too long to be in anybody's cache, when it was looked through.

    What the daemon writes lies in the journal's log, and is whole: it is the second of them that
    has no neighbour there.
    """
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with closing(Journal.open(path)) as journal, journal.transaction():
        for job in ("old-a", "old-b", "old-c"):
            for n in range(20_000):
                run = journal.claim(job, noon + n * timedelta(minutes=1), "UTC")
                assert run is not None
                journal.finish(run, State.SUCCEEDED)
        journal.daemon_state.set_last_tick(noon)


def damage(path: Path, keep: int) -> None:
    with path.open("r+b") as file:
        file.seek(keep)
        file.write(b"\xff" * (path.stat().st_size - keep))


def ends(daemon: Process) -> int:
    return daemon.ends(signal.SIGTERM)


def pids_of(lines: list[dict[str, Any]]) -> dict[str, int]:
    return {line["job"]: line["pid"] for line in lines if line["message"] == "started"}


def said(lines: list[dict[str, Any]], message: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["message"] == message]


def test_the_damage_is_said_loudly_and_the_file_is_kept(told: Told) -> None:
    (first,), (second,) = said(told.first, "renewed"), said(told.second, "renewed")
    assert first["level"] == second["level"] == "error"
    assert sorted(line["moved_to"].rpartition("/")[2] for line in (first, second)) == sorted(
        told.aside
    )
    assert len(set(told.aside)) == 2


def test_what_ran_goes_on_and_its_own_daemon_tells_its_exit_code(told: Told) -> None:
    (line,) = [line for line in said(told.first, "failed") if line["job"] == "long"]
    assert line["outcome"] == "exit 3"
    assert told.output == b"begun\n"


def test_it_keeps_its_number(told: Told) -> None:
    begun = {line["run"] for line in said(told.first, "started") if line["job"] == "long"}
    adopted = {line["run"] for line in said(told.first, "adopted") if line["job"] == "long"}
    assert adopted <= begun


def test_nothing_is_started_twice(told: Told) -> None:
    starts = [(line["job"], line["instant"]) for line in said(told.first, "started") + said(told.second, "started")]  # fmt: skip
    assert len(starts) == len(set(starts))
    assert [job for job, _ in starts].count("boot") == 1


def test_the_next_daemon_finds_what_still_runs_by_its_environment(told: Told) -> None:
    (adopted,) = said(told.second, "adopted")
    (started,) = [line for line in said(told.first, "started") if line["job"] == "other"]
    assert (adopted["run"], adopted["pid"]) == (started["run"], started["pid"])
    assert told.status == 0
