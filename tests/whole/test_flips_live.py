"""The real daemon upon a journal with a few flipped bytes: it starts, says so and doubles nothing.

What a killed daemon left is restored each time, other bytes of it are flipped, and the next daemon
starts beside the job that lives on. A thousand such starts, in a world of their own, are those of
`test_flips`.
"""

from __future__ import annotations

import random
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from flipped_journal import flipped
from real_daemon import by_rename, clear_of_the_minute, is_alive, no_job_left, running, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

TRIALS = 12
NAMES = ("journal.db", "journal.db-wal")
CRONTAB = """
CRON_RETRIES=0
CRON_NAME=lives  * * * * *  echo $$ >> pids; exec sleep 600
CRON_NAME=tick   * * * * *  true
CRON_NAME=fails  * * * * *  exit 3
CRON_NAME=boot   @reboot    true
"""


@dataclass(frozen=True)
class Left:
    """What a killed daemon has left."""

    folder: Path
    words: tuple[str, ...]
    started: list[tuple[str, str]]  # job and instant
    pid: int  # of the job that lives

    @property
    def state(self) -> Path:
        return self.folder / "state"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    folder = tmp_path_factory.mktemp("flips")
    with no_job_left(folder / "pids"):
        yield leaves(folder)


def leaves(folder: Path) -> Left:
    by_rename(folder / "crontab", f"HOME={folder}\n{CRONTAB}")
    words = (str(folder / "crontab"), "--state", str(folder / "state"), "--log-format", "json")
    clear_of_the_minute()
    with running(*words, log=folder / "first.log") as daemon:
        until(lambda: len(daemon.said("started")) == 4 and len(daemon.said("succeeded")) == 2)
        assert daemon.ends(signal.SIGKILL) == -9
        lines = daemon.lines()
    (folder / "kept").mkdir()
    for name in (*NAMES, "high-water"):
        shutil.copy(folder / "state" / name, folder / "kept" / name)
    pid = next(line["pid"] for line in lines if (line["message"], line.get("job")) == ("started", "lives"))  # fmt: skip
    return Left(folder, words, starts(lines), pid)


def starts(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["job"], line["instant"]) for line in lines if line["message"] == "started"]


def requeue(left: Left, files: dict[str, bytes]) -> None:
    """The outputs stay where they are: the job that lives has its own open."""
    for path in left.state.glob("journal.db*"):
        path.unlink()
    shutil.copy(left.folder / "kept/high-water", left.state / "high-water")
    for name, data in files.items():
        (left.state / name).write_bytes(data)
        (left.state / name).chmod(0o600)


def test_it_starts_and_doubles_nothing(left: Left) -> None:
    kept = {name: (left.folder / "kept" / name).read_bytes() for name in NAMES}
    told = 0
    for number in range(TRIALS):
        requeue(left, flipped(kept, random.Random(number)))
        with running(*left.words, log=left.folder / f"{number}.log") as daemon:
            until(lambda: daemon.said("crontabs"))
            until(lambda: daemon.said("adopted", job="lives"))
            assert daemon.ends(signal.SIGKILL) == -9
            lines = daemon.lines()
        assert set(starts(lines)) & set(left.started) == set(), number
        assert {"lives", "boot"} & {job for job, _ in starts(lines)} == set(), number
        told += any(line["message"] == "renewed" for line in lines)
    assert is_alive(left.pid)
    assert told > 0  # else the bytes are not those that anybody reads
