"""The daemon's replies: records with their types, or no answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from standin import STATUS

from scheduler.codec import decode
from scheduler.errors import NoAnswer
from scheduler.pause import Paused
from scheduler.protocol import RunReply
from scheduler.status import (
    Coming,
    Counts,
    CrontabFile,
    Identity,
    Reads,
    RunningNow,
    Snapshot,
    WaitingNow,
    ZoneData,
)

ONE = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
NEWER = ("catching_up", "files", "reads", "zone_data")  # members that an older daemon lacks


def read(reply: dict[str, Any]) -> Snapshot:
    return decode(Snapshot, reply)


def test_a_status_is_read_whole() -> None:
    found = read(STATUS)
    quarter = datetime(2027, 3, 28, 0, 45, tzinfo=UTC)
    half = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
    assert found.daemon == Identity("0.1.0", 4242, half, "/var/lib/meridian")
    assert found.running == (
        RunningNow(7, "backup", quarter, "Europe/Berlin", 1, 123, quarter, 990.0),
    )
    due = datetime(2027, 3, 28, 1, 2, tzinfo=UTC)
    assert found.waiting == (WaitingNow(8, "report", ONE, "Asia/Tokyo", 2, due, "retry"),)
    noon = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)
    assert found.paused == (Paused("mirror", noon, None, "disk is full"),)
    five = datetime(2027, 3, 28, 1, 5, tzinfo=UTC)
    assert found.coming == (Coming("mail", five, "Europe/Berlin"),)
    assert (found.counts, found.in_force) == (Counts(1, 1, 1, 1), None)
    assert (found.last_tick, found.journal, found.max_running) == (ONE, None, 50)
    assert found.zone_data == (ZoneData("/usr/share/zoneinfo", "2027a", 3),)


def test_members_of_a_newer_daemon_are_no_trouble() -> None:
    assert read(STATUS | {"mood": "good"}) == read(STATUS)


def test_the_crontabs_and_how_they_are_read() -> None:
    row = STATUS["files"][0] | {"refused": 3, "lines": [2, 9], "kept": 1, "readable": False}
    row |= {"reasons": ["unknown-zone on line 1", "reversed-range"]}
    found = read(STATUS | {"files": [row]})
    assert found.reads == Reads(is_named=False, is_system_format=True, zone="Europe/Berlin")
    file = "/etc/meridian/crontabs/crontab"
    reasons = ("unknown-zone on line 1", "reversed-range")
    assert found.files == (
        CrontabFile(file, 12, 3, (2, 9), reasons=reasons, kept=1, is_readable=False),
    )


def test_what_an_older_daemon_does_not_say_is_not_there() -> None:
    older = {name: STATUS[name] for name in STATUS if name not in NEWER}
    counts = {name: STATUS["counts"][name] for name in ("running", "waiting", "paused")}
    found = read(older | {"counts": counts})
    assert (found.files, found.zone_data, found.catching_up) == ((), (), ())
    assert found.counts.catching_up == 0
    assert found.reads is None
    row = {name: value for name, value in STATUS["running"][0].items() if name != "for_s"}
    assert read(STATUS | {"running": [row]}).running[0].for_s is None
    row = {name: value for name, value in STATUS["files"][0].items() if name != "reasons"}
    assert read(STATUS | {"files": [row]}).files[0].reasons == ()


def test_which_of_the_jobs_asked_about_there_are() -> None:
    assert read(STATUS | {"in_force": ["a"]}).in_force == ("a",)
    assert read(STATUS | {"in_force": []}).in_force == ()


def test_what_became_of_a_run() -> None:
    reply = {"run": 9, "job": "b", "state": "scheduled", "reason": "its pool is full"}
    found = decode(RunReply, reply)
    assert found == RunReply(9, "b", None, None, "scheduled", "its pool is full")
    reply = {"run": 9, "job": "b", "state": "running", "attempt": 2}
    assert decode(RunReply, reply) == RunReply(9, "b", None, 2, "running", None)


@pytest.mark.parametrize("name", [name for name, value in STATUS.items() if value is not None])
def test_a_status_that_lacks_a_member_is_no_answer(name: str) -> None:
    lacking = {key: value for key, value in STATUS.items() if key != name}
    if name in ("last_tick", "max_running", *NEWER):
        read(lacking)
    else:
        with pytest.raises(NoAnswer, match=r"no .* that makes sense"):
            read(lacking)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"pid": True}, "a truth is no number"),
        ({"pid": "4242"}, "nor is a text"),
        ({"now": "now"}, "not a time"),
        ({"last_tick": 0}, "nor is a number"),
        ({"started": "0001-01-01T00:00:00Z"}, "no zone west of UTC could show it"),
        ({"paused": [STATUS["paused"][0] | {"until": "9999-12-31T23:59:59Z"}]}, "nor one east"),
        ({"running": {}}, "not a list"),
        ({"running": [1]}, "not of objects"),
        ({"running": [{}]}, "not of rows"),
        ({"running": [STATUS["running"][0] | {"for_s": 10**400}]}, "more than a number may be"),
        ({"running": [STATUS["running"][0] | {"for_s": float("nan")}]}, "which is no number"),
        ({"counts": None}, "not an object"),
        ({"in_force": [1]}, "not of texts"),
        ({"in_force": "a"}, "not a list"),
        ({"reads": []}, "not an object"),
        ({"files": [STATUS["files"][0] | {"lines": [True]}]}, "not of numbers"),
    ],
)
def test_a_member_of_another_type_is_no_answer(members: dict[str, Any], why: str) -> None:
    with pytest.raises(NoAnswer, match=r"no .* that makes sense"):
        read(STATUS | members)
    assert why
