"""What a running daemon tells of itself: each fact from the part that knows it, none without a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes import Act
from world import FILE, Asked, line, when

from scheduler.daemon import snapshot
from scheduler.protocol import Pause
from scheduler.run import Exited
from scheduler.status import Status

if TYPE_CHECKING:
    from pathlib import Path

FAILS = Act(outcome=Exited(1))
NOON = "0 12 * * *"
EVERY_MINUTE = "* * * * *"


def test_a_snapshot_says_which_daemon_it_is_of_and_how_it_reads_its_crontabs() -> None:
    world = Asked(line("job", NOON))
    for time in ("12:05", "12:10"):
        world.ask_at(time, Status(("job", "gone")))
    world.runs_until("12:30")
    for status in world.replies:
        assert status["started"] == "2027-03-01T11:59:30Z", "it is the daemon's, not the request's"
        assert (status["state"], status["in_force"]) == ("/state", ["job"])
        assert status["reads"] == {
            "named": True,
            "system_format": False,
            "zone": "UTC",
            "system": False,
            "without_cron": None,
            "most_entries": None,
        }
        assert [each["file"].startswith("/") for each in status["files"]] == [True]


def test_a_crontab_is_named_in_full_while_its_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for is_there, named in ((True, f"{folder}/{FILE}"), (False, FILE)):
        world = Asked(line("job", NOON))
        if not is_there:
            folder.rmdir()
        world.ask_at("12:05", Status())
        world.runs_until("12:30")
        (status,) = world.replies
        assert [each["file"] for each in status["files"]] == [named]
        assert world.starts("job") == ["12:00:00"]


def test_taking_a_snapshot_changes_nothing() -> None:
    world = Asked(line("job", NOON), acts={"job": [Act(lasts=900)]}, grace=0)
    for _ in range(2):
        world.ask_at("12:05", Status())
    world.runs_until("12:30")
    first, second = world.replies
    assert first == second


def test_a_status_tells_what_runs_what_waits_and_what_comes() -> None:
    text = (
        line("long", NOON, tz="UTC")
        + line("again", NOON, retry_delay="20m")
        + line("second", NOON, pool="db")
        + line("third", NOON, pool="db")
        + "0 61 * * * nonsense\n"
    )
    acts = {"long": [Act(lasts=900)], "again": [FAILS], "second": [Act(lasts=900)]}
    world = Asked(text, acts=acts, grace=0)
    world.ask_at("12:05:10", Pause(("again",), when("13:00"), "why"))
    world.ask_at("12:05:20", Status())
    world.runs_until("12:30")
    status = world.replies[1]
    assert [(row["job"], row["attempt"], row["started"]) for row in status["running"]] == [
        ("long", 1, "2027-03-01T12:00:00Z"),
        ("second", 1, "2027-03-01T12:00:00Z"),
    ]
    assert [(row["job"], row["reason"]) for row in status["waiting"]] == [
        ("third", "its pool is full")
    ]
    assert status["paused"] == [
        {
            "job": "again",
            "since": "2027-03-01T12:05:10Z",
            "until": "2027-03-01T13:00:00Z",
            "note": "why",
        }
    ]
    assert (status["entries"], status["zones"], status["problems"]) == (4, 1, 1)
    (file,) = status["files"]
    assert (file["refused"], file["reasons"]) == (1, ["out-of-range"])
    assert (status["last_tick"], status["now"]) == ("2027-03-01T12:05:00Z", "2027-03-01T12:05:20Z")
    assert (status["journal"], status["stopping"], status["max_running"]) == (None, False, None)
    assert status["counts"] == {"running": 2, "waiting": 1, "paused": 1, "catching_up": 0}
    assert {row["at"] for row in status["next"]} == {"2027-03-02T12:00:00Z"}


def test_of_many_rows_a_hundred_are_told_and_all_are_counted() -> None:
    jobs = tuple(f"job{n:03}" for n in range(101))
    acts = {job: [Act(lasts=900)] for job in jobs}
    world = Asked("".join(line(job, NOON) for job in jobs), acts=acts, grace=0)
    world.ask_at("12:05", Pause(jobs))
    world.ask_at("12:06", Status())
    world.runs_until("12:30")
    status = world.replies[1]
    assert status["counts"] == {
        "running": 101,
        "waiting": 0,
        "paused": 101,
        "catching_up": 0,
    }
    assert [row["job"] for row in status["paused"]] == list(jobs[:100])
    assert len(status["running"]) == 100


@pytest.mark.parametrize(
    ("text", "coming", "why"),
    [
        (line("much", EVERY_MINUTE) + line("soon", "0 17 * * *"), ["soon"], "the 300th minute"),
        (line("much", EVERY_MINUTE) + line("late", "1 17 * * *"), [], "one more"),
        (
            line("much", NOON) + line("late", "0 11 * * *"),
            ["late"],
            "minutes without runs are none",
        ),
        (
            line("much", EVERY_MINUTE) + line("late", "20 0 * * *", tz="Asia/Tokyo"),
            [],
            "of two zones half as many are looked at",
        ),
    ],
)
def test_what_comes_is_looked_for_a_bounded_while(text: str, coming: list[str], why: str) -> None:
    world = Asked(text, now="12:00:30")
    world.ask_at("12:00:40", Pause(("much",)))
    world.ask_at("12:00:50", Status())
    world.runs_until("12:01:30")
    assert [row["job"] for row in world.replies[1]["next"]] == coming, why


def test_nor_are_all_of_very_many_paused_jobs_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_PASSED", 10)
    for many, coming in ((9, ["last"]), (10, [])):
        jobs = tuple(f"job{n}" for n in range(many))
        world = Asked("".join(line(job, NOON) for job in (*jobs, "last")))
        world.ask_at("11:59:40", Pause(jobs))
        world.ask_at("11:59:45", Status())
        world.runs_until("12:30")
        assert [row["job"] for row in world.replies[1]["next"]] == coming
