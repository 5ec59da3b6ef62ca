"""Ends that the journal would not take: the next daemon hears of them, and no run is lost by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from fakes import Act
from real_daemon import by_rename, meridian, running, until
from world import World, line

from scheduler.errors import JournalDamaged
from scheduler.journal.unjournalled import ENDINGS_NAME, Unjournalled
from scheduler.run import Attempt, Ending, Exited, Limit, NotStarted, Run, Signalled, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


def attempt(number: int, job: str = "backup") -> Attempt:
    return Attempt(Run(number, job, NOON, 1), 2)


ENDINGS = {
    attempt(1): Ending(Exited(0), NOON, 0.25, 4096, took=3.5),
    attempt(2): Ending(Signalled(9), NOON + timedelta(microseconds=1), limit=Limit.MEMORY),
    attempt(3, "jo\udce9b"): Ending(TimedOut(), NOON, emptied=True),
    attempt(4): Ending(NotStarted("its HOME '/\udcff': No such file"), NOON),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ENDINGS_NAME


# --- the file ------------------------------------------------------------------------------------


def test_what_was_kept_last_is_found_by_the_next_daemon(path: Path) -> None:
    ends = Unjournalled(path)
    assert ends.open() == {}
    ends.keep([(attempt(1), ENDINGS[attempt(1)])])
    ends.keep(ENDINGS.items())
    found = Unjournalled(path).open()
    assert list(found) == list(ENDINGS)
    assert [str(each.outcome) for each in found.values()] == ["exit 0", "signal 9", "timed out", "not started: its HOME '/\\xff': No such file"]  # fmt: skip
    assert {k: v for k, v in found.items() if k.run.number < 4} == {k: v for k, v in ENDINGS.items() if k.run.number < 4}  # fmt: skip


def test_a_mac_has_no_fdatasync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fdatasync", raising=False)
    ends = Unjournalled(path)
    ends.open()
    ends.keep(ENDINGS.items())
    assert list(Unjournalled(path).open()) == list(ENDINGS)


def test_nothing_is_there_once_the_journal_has_it(path: Path) -> None:
    ends = Unjournalled(path)
    ends.open()
    ends.keep(ENDINGS.items())
    ends.clear()
    assert Unjournalled(path).open() == {}


def test_its_room_is_taken_beforehand_and_it_never_grows(path: Path) -> None:
    ends = Unjournalled(path)
    ends.open()
    before = path.stat()
    assert before.st_blocks * 512 >= 65536
    assert before.st_mode & 0o777 == 0o600
    ends.keep((attempt(n), Ending(Exited(0), NOON)) for n in range(1, 2000))
    assert path.stat().st_size == before.st_size
    found = Unjournalled(path).open()
    assert 100 < len(found) < 2000
    assert list(found) == [attempt(n) for n in range(1, len(found) + 1)]


def test_of_thousands_each_is_written_once_and_nothing_when_it_is_full(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that fails, each write may take long: nobody's minute waits for it."""
    syncs: list[int] = []
    encoded: list[object] = []
    dumps = json.dumps

    def encodes(row: object) -> str:
        encoded.append(row)
        return dumps(row)

    monkeypatch.setattr(os, "fdatasync", syncs.append)
    monkeypatch.setattr(json, "dumps", encodes)
    ends = Unjournalled(path)
    ends.open()
    all_of_them = [(attempt(n), Ending(Exited(0), NOON)) for n in range(1, 3001)]
    for n in range(30, 3001, 30):
        ends.keep(all_of_them[:n])
    found = Unjournalled(path).open()
    assert 200 < len(found) < 400
    assert len(encoded) == len(found) + 1
    assert len(syncs) == -(-len(found) // 30)
    ends.clear()
    ends.keep(all_of_them[-1:])
    assert list(Unjournalled(path).open()) == [attempt(3000)]


def is_cut(path: Path) -> None:
    os.truncate(path, 100)


def has_a_byte_changed(path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[60] ^= 1
    path.write_bytes(text)


def is_another_text(path: Path) -> None:
    path.write_text("30 7 * * *  report\n" * 9999)


def is_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [is_cut, has_a_byte_changed, is_another_text, is_a_fifo])
def test_what_makes_no_sense_says_nothing(path: Path, damage: Callable[[Path], None]) -> None:
    ends = Unjournalled(path)
    ends.open()
    ends.keep(ENDINGS.items())
    damage(path)
    again = Unjournalled(path)
    assert again.open() == {}
    again.keep(ENDINGS.items())  # which raises nothing


# --- within a daemon -----------------------------------------------------------------------------


def is_full(world: World) -> None:
    world.journal.is_full = True


def is_damaged(world: World) -> None:
    """Let every statement find it, until the next daemon."""

    def found() -> None:
        raise JournalDamaged("a page of it")

    for n in range(1, 100):
        world.journal.accidents[world.journal.statements + n] = found


@pytest.mark.parametrize(
    ("act", "states"),
    [
        (Act(lasts=40), ["succeeded"]),
        (Act(lasts=40, outcome=Exited(1)), ["failed", "succeeded"]),  # as it would have been then
    ],
)
def test_a_run_that_ended_while_the_disk_was_full_is_not_lost(
    path: Path, act: Act, states: list[str]
) -> None:
    text = line("job", "0 12 * * *", retries=1, retry_delay="10m")
    world = World(text, acts={"job": [act, Act()]}, unjournalled=path)
    world.at("12:00:30", lambda: is_full(world))
    world.stop_at("12:00:35")
    world.run()
    assert not world.said("succeeded")
    world.journal.is_full = False
    world.new_daemon()
    world.runs_until("12:30:00")
    (run,) = world.journal.queries.history()
    assert run.state.value == "succeeded"
    assert [str(each.outcome) for each in run.attempts] == [str(act.outcome), "exit 0"][: len(states)]  # fmt: skip
    assert len(world.starts("job")) == len(states)


def test_a_run_whose_end_met_a_damage_is_not_lost(path: Path) -> None:
    text = line("job", "0 12 * * *", retries=1)
    world = World(text, acts={"job": [Act(lasts=40)]}, unjournalled=path)
    world.at("12:00:39", lambda: is_damaged(world))
    with pytest.raises(JournalDamaged):
        world.run()
    world.journal.accidents.clear()
    world.spawner.crash()
    world.new_daemon()
    world.runs_until("12:30:00")
    (run,) = world.journal.queries.history()
    assert (run.state.value, len(run.attempts)) == ("succeeded", 1)
    assert world.starts("job") == ["12:00:00"]


def test_what_is_kept_of_a_run_that_the_journal_has_heard_of_counts_no_more(path: Path) -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(lasts=40)]}, unjournalled=path)
    world.at("12:00:30", lambda: is_full(world))
    world.at("12:00:50", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("12:02:00")
    assert world.said("succeeded")
    assert Unjournalled(path).open() == {}


# --- the real one --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(folder)], check=True)  # fmt: skip
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.e2e
@pytest.mark.privileged
@pytest.mark.timeout(120)
def test_a_stop_on_a_full_disk_tells_the_next_daemon_how_its_jobs_ended(
    small_disk: Path, tmp_path: Path
) -> None:
    file = tmp_path / "crontab"
    by_rename(file, f"HOME={tmp_path}\nCRON_RETRIES=2\nCRON_NAME=job @reboot test -e went || {{ while ! test -e go; do sleep 0.1; done; touch went; }}\n")  # fmt: skip
    words = (str(file), "--state", str(small_disk), "--log-format", "json")
    by_rename(tmp_path / "none", "")
    with running(str(tmp_path / "none"), *words[1:], log=tmp_path / "new.log") as daemon:
        until(lambda: daemon.said("crontabs"))
        daemon.ends(signal.SIGTERM)  # what a new journal has room for in its log is gone with that
    with running(*words, log=tmp_path / "first.log") as daemon:
        until(lambda: daemon.said("started", job="job"))
        with suppress(OSError), (small_disk / "hog").open("wb", buffering=0) as hog:
            while True:
                hog.write(b"x" * 4096)
        daemon.popen.send_signal(signal.SIGTERM)
        until(lambda: daemon.said("stopping"))
        (tmp_path / "go").touch()
        assert daemon.popen.wait(timeout=30) == 0
        assert daemon.said("journal")
        assert not daemon.said("succeeded")
    (small_disk / "hog").unlink()
    with running(*words, log=tmp_path / "second.log") as daemon:
        until(lambda: daemon.said("succeeded", job="job"))
        assert not daemon.said("started")
        daemon.ends(signal.SIGTERM)
    (row,) = map(json.loads, meridian("history", "--json", "--state", str(small_disk)).splitlines())
    assert (row["state"], [each["outcome"] for each in row["attempts"]]) == ("succeeded", ["exit 0"])  # fmt: skip
