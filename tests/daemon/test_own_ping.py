"""The daemon's own pings: each minute that it lives, whatever becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakes import Act
from frail_journal import FrailJournal
from world import World, line, shown

from scheduler.alerts.courier import Unanswered
from scheduler.notice import Result

if TYPE_CHECKING:
    from scheduler.alerts.courier import Answer
    from scheduler.notice import Delivery

URL = "https://hc-ping.com/s3cret"
JOB = line("job", "* * * * *")


def world(**chosen: object) -> World:
    return World(JOB, ping=URL, acts={"job": [Act(lasts=1)]}, **chosen)  # type: ignore[arg-type]


def pings(scene: World) -> list[str]:
    """When what was pinged, and with which words."""
    found = []
    for at, delivery in scene.own_courier.sent:
        (notice,) = delivery.notices
        assert delivery.target == f"ping:{URL}"
        found.append(f"{shown(at)} {notice.facts.detail} {notice.text}".strip())
    return found


def test_each_minute_that_is_handled_is_pinged_for_once() -> None:
    scene = world()
    scene.runs_until("12:03:30")
    assert [each.partition(" ")[0][:5] for each in pings(scene)] == [
        "11:59",  # in which it started
        "12:00",
        "12:01",
        "12:02",
        "12:03",
    ]
    assert {each.partition(" ")[2] for each in pings(scene)} == {"success"}


def test_without_an_address_nobody_is_pinged() -> None:
    scene = World(JOB)
    scene.runs_until("12:03:30")
    assert scene.own_courier.sent == []


def test_a_daemon_with_nothing_to_do_is_pinged_for_too() -> None:
    scene = World(line("job", "0 3 * * *"), ping=URL)
    scene.runs_until("12:10:30")
    assert len(pings(scene)) >= 10


def test_a_server_that_hangs_has_one_ping_and_no_more() -> None:
    scene = world()
    scene.own_courier.takes = 150.0
    scene.runs_until("12:06:30")
    times = [each[:5] for each in pings(scene)]
    assert times == ["11:59", "12:02", "12:04"]  # each as soon as the one before it has ended
    assert len(scene.said("started")) == 8  # and the jobs start on


def test_a_ping_that_fails_is_told_once_and_so_is_one_that_is_taken_again() -> None:
    scene = world()
    answers = ["refused", "refused", "dead"]

    def answer(delivery: Delivery) -> Answer:
        why = answers.pop(0) if answers else ""
        if why == "dead":
            return Unanswered(delivery.number, why)
        return Result(delivery.number, why)

    scene.own_courier.answers_to = answer
    scene.runs_until("12:04:30")
    assert [(each["level"], each.get("error")) for each in scene.said("ping")] == [
        ("warning", "refused"),
        ("info", None),
    ]


def test_while_the_journal_is_in_trouble_it_fails_each_minute() -> None:
    scene = world()
    assert isinstance(scene.journal, FrailJournal)
    scene.at("12:01:30", lambda: setattr(scene.journal, "is_full", True))
    scene.at("12:04:30", lambda: setattr(scene.journal, "is_full", False))
    scene.runs_until("12:07:30")
    said = [each.partition(" ") for each in pings(scene)]
    fails = [(at[:5], what) for at, _, what in said if what != "success"]
    why = "fail the journal is in trouble: the disk is full"
    assert fails == [("12:02", why), ("12:03", why), ("12:04", why)]
    assert [what for _, _, what in said][-2:] == ["success", "success"]


def test_a_clock_that_was_set_back_is_pinged_for_too_while_it_is_waited_out() -> None:
    scene = world()
    scene.set_clock_at("12:02:20", "11:02:20", "11:07:30")
    scene.run()
    minutes = [each[:5] for each in pings(scene)]
    assert minutes[3:] == ["12:02", "11:02", "11:03", "11:04", "11:05", "11:06", "11:07"]
    assert {each.partition(" ")[2] for each in pings(scene)} == {"success"}


def test_nothing_of_it_is_in_the_journal_or_in_the_log() -> None:
    scene = world()
    scene.own_courier.answers_to = lambda delivery: Result(delivery.number, "refused")
    scene.runs_until("12:03:30")
    assert scene.journal.outbox.notices() == []
    assert "s3cret" not in scene.log.getvalue()
