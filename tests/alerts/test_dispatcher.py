"""Who is told when: together, at a pace, again after a failure, and after a kill at any point."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fakes import Act
from recorded_courier import well
from telling import telling
from world import Killed, World, line, shown

from scheduler.alerts import dispatcher
from scheduler.alerts.courier import Lane, Unanswered
from scheduler.errors import JournalError
from scheduler.journal.rows import NoticeState
from scheduler.notice import Channel, Facts, Kind, Notice, Result
from scheduler.run import Exited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.alerts.courier import Answer
    from scheduler.notice import Delivery

FAILS = [Act(outcome=Exited(1))]
FLAKY = line("flaky", "0 12 1 * *", retries=0)


def world(text: str = FLAKY, *targets: str, acts: Sequence[Act] = FAILS) -> World:
    jobs = ("flaky", "other", "well")
    return World(text, acts=dict.fromkeys(jobs, acts), recorder=telling(*(targets or ("|tell",))))


def told(scene: World) -> list[str]:
    """When who was told of which jobs; a repeat has a star."""
    return [
        f"{shown(at)} {delivery.target}: {' '.join(each.facts.job for each in delivery.notices)}"
        f"{'*' if delivery.is_repeat else ''}"
        for at, delivery in scene.courier.sent
    ]


def states(scene: World) -> Counter[str]:
    return Counter(str(row.state) for row in scene.journal.outbox.notices())


def refuses(delivery: Delivery) -> Answer:
    return Result(delivery.number, "connection refused")


def hangs(delivery: Delivery) -> Answer:
    return Unanswered(delivery.number, "it said nothing")


def script(*answers: Callable[[Delivery], Answer]) -> Callable[[Delivery], Answer]:
    """These answers, one after the other; then all goes well."""
    left = list(answers)

    def answer(delivery: Delivery) -> Answer:
        return (left.pop(0) if left else well)(delivery)

    return answer


def add(scene: World, target: str, job: str = "job", user: str | None = None) -> None:
    facts = Facts(job, "", "", 1, "UTC")
    scene.journal.outbox.add(Notice(target, Kind.FAILURE, scene.clock.now(), facts, user=user))


# --- together, and at a pace ---------------------------------------------------------------------


def test_a_failure_is_told_of_ten_seconds_later() -> None:
    scene = world().runs_until("12:00:30")
    assert told(scene) == ["12:00:10 |tell: flaky"]
    assert states(scene) == {"sent": 1}
    (said,) = scene.said("alert")
    assert (said["level"], said["target"], said["alerts"]) == ("info", "|tell", 1)


@pytest.mark.parametrize("permanent", [False, True])
def test_no_secret_of_a_target_is_in_what_the_log_says_of_its_error(permanent: bool) -> None:
    def echoes(delivery: Delivery) -> Answer:
        return Result(delivery.number, "exit 1: no hunter2x", permanent=permanent)

    scene = world(FLAKY, "|mysql -phunter2x; echo hunter2x")
    scene.courier.answers_to = echoes
    scene.runs_until("12:00:30")
    (said,) = scene.said("alert")
    assert "hunter2x" not in str(said)
    assert said["error"] == "exit 1: no ********"


def test_on_the_desktop_a_second_later_and_a_ping_at_once() -> None:
    scene = world(FLAKY, "desktop", "ping:https://example.com").runs_until("12:00:30")
    assert told(scene) == ["12:00:00 ping:https://example.com: flaky", "12:00:01 desktop: flaky"]
    assert len(scene.said("alert")) == 1, "a ping that was sent is no news"


def test_a_thousand_failures_of_a_minute_are_one_message() -> None:
    jobs = [f"job-{n}" for n in range(1000)]
    text = "".join(line(job, "0 12 * * *", retries=0) for job in jobs)
    scene = World(text, acts=dict.fromkeys(jobs, FAILS), recorder=telling("mail:ops@example.com"))
    scene.runs_until("12:05")
    ((_, delivery),) = scene.courier.sent
    assert sorted(each.facts.job for each in delivery.notices) == sorted(jobs)
    assert states(scene) == {"sent": 1000}


def test_the_next_message_comes_a_minute_after_the_last_with_all_that_is_new() -> None:
    scene = world(line("flaky", "0 12 * * *", retries=0), "|tell")
    for time in ("12:00:15", "12:00:30", "12:01:40"):
        scene.at(time, lambda: add(scene, "|tell"))
    scene.runs_until("12:05")
    assert told(scene) == [
        "12:00:10 |tell: flaky",
        "12:01:10 |tell: job job",
        "12:02:10 |tell: job",
    ]


def test_pings_have_no_pace() -> None:
    scene = world(line("flaky", "* * * * *", retries=0), "ping:x")
    for time in ("12:00:01", "12:00:02"):
        scene.at(time, lambda: add(scene, "ping:x"))
    scene.runs_until("12:00:30")
    assert [entry[:8] for entry in told(scene)][-3:] == ["12:00:00", "12:00:01", "12:00:02"]


def test_no_other_target_waits() -> None:
    scene = world(FLAKY, "|one", "|two", "desktop", "mail:a@b").runs_until("12:00:30")
    assert sorted(told(scene)) == [
        "12:00:01 desktop: flaky",
        *(f"12:00:10 {target}: flaky" for target in ("mail:a@b", "|one", "|two")),
    ]


def test_nothing_is_sent_while_a_minute_is_about_to_start() -> None:
    """An alert waits a little then, the minute does not."""
    scene = world(line("well", "* * * * *"), acts=[Act()])
    scene.at("11:59:49.9", lambda: add(scene, "|tell"))
    scene.runs_until("12:00:30")
    ((at, _),) = scene.courier.sent
    assert shown(at) >= "12:00:00"
    assert scene.starts("well")[-1] == "12:00:00"


# --- trouble -------------------------------------------------------------------------------------


def test_what_is_refused_is_tried_again_for_two_days_and_then_given_up() -> None:
    scene = world()
    scene.courier.answers_to = refuses
    scene.runs_until("03T11:30")
    times = [at for at, _ in scene.courier.sent]
    waits = [round((b - a).total_seconds() / 60) for a, b in pairwise(times)]
    assert waits == [1, 5, 15, 60, 180, 360, 720, 1440]
    assert states(scene) == {"failed": 1}
    levels = [said["level"] for said in scene.said("alert")]
    assert levels == ["warning", "error"], "the trouble once, and that it is given up"
    assert scene.said("alert")[-1]["error"] == "connection refused"


def test_what_is_refused_for_good_is_not_tried_again() -> None:
    scene = world()
    scene.courier.answers_to = lambda each: Result(each.number, "no such user", permanent=True)
    scene.runs_until("12:30")
    assert (len(scene.courier.sent), states(scene)) == (1, {"failed": 1})
    assert [said["level"] for said in scene.said("alert")] == ["error"]


def test_one_target_in_trouble_keeps_no_other_waiting() -> None:
    """Its next try is in a lane of its own, and may hang there."""
    scene = world(FLAKY, "|bad", "|good")
    scene.courier.takes = 50
    scene.courier.answers_to = lambda each: hangs(each) if each.target == "|bad" else Result(each.number)  # fmt: skip
    scene.at("12:01:55", lambda: add(scene, "|good"))
    scene.runs_until("12:03:30")
    assert told(scene) == [
        "12:00:10 |bad: flaky",
        "12:00:10 |good: flaky",
        "12:02:00 |bad: flaky*",  # a minute after the answer, which took 50 s
        "12:02:05 |good: job",
    ]
    assert [lane.is_in_trouble for lane, _ in scene.courier.lanes] == [False, True, False]


def test_one_that_ends_its_sender_starves_no_other() -> None:
    """It goes apart from then on; the others, which were not tried, go a minute later."""
    scene = world(FLAKY, "|a", "|killer", "|z")
    is_killed = False

    def answer(each: Delivery) -> Answer:
        nonlocal is_killed
        if each.target == "|killer":
            is_killed = True
            return Unanswered(each.number, "its sender ended")
        if is_killed and each.target == "|z" and len(scene.courier.sent) == 3:
            return Unanswered(each.number, "its sender ended", is_unsure=False, is_tried=False)
        return Result(each.number)

    scene.courier.answers_to = answer
    scene.runs_until("12:02")
    assert told(scene) == [
        "12:00:10 |a: flaky",
        "12:00:10 |killer: flaky",
        "12:00:10 |z: flaky",
        "12:01:10 |z: flaky",
        "12:01:10.5 |killer: flaky*",
    ]
    assert [lane.is_in_trouble for lane, _ in scene.courier.lanes] == [False, False, True]
    tries = {row.notice.target: row.tries for row in scene.journal.outbox.notices()}
    assert tries == {"|a": 1, "|killer": 2, "|z": 1}


def test_a_target_that_is_well_again_gets_what_waits_in_order_and_the_log_says_so() -> None:
    """Nobody hears of a recovery before the failure: what waits goes along, whatever its time."""
    scene = world()
    scene.courier.answers_to = script(refuses, refuses)
    scene.at("12:03", lambda: add(scene, "|tell", "recovery"))
    scene.runs_until("12:10")
    assert told(scene) == [
        "12:00:10 |tell: flaky",
        "12:01:10.5 |tell: flaky",
        "12:03:10 |tell: flaky",
        "12:03:10 |tell: recovery",
    ]
    assert [said["level"] for said in scene.said("alert")] == ["warning", "info", "info"]


def test_what_goes_along_with_another_counts_no_try() -> None:
    scene = world()
    scene.courier.answers_to = refuses
    for minute in range(10, 30):
        scene.at(f"12:{minute}", lambda: add(scene, "|tell"))
    scene.runs_until("12:31")
    first, *_ = scene.journal.outbox.notices()
    assert (first.tries, shown(first.due)) == (4, "13:22:10.5")


def test_what_was_sent_of_a_delivery_is_not_sent_again() -> None:
    scene = world(FLAKY + line("other", "0 12 * * *", retries=0))
    scene.courier.answers_to = script(lambda each: Result(each.number, "dropped", sent=(0,)))
    scene.runs_until("12:05")
    assert told(scene) == ["12:00:10 |tell: flaky other", "12:01:10.5 |tell: other"]


def test_a_sender_that_can_not_be_started_is_tried_again() -> None:
    scene = world()
    scene.courier.refuses = OSError("no room")
    scene.at("12:00:40", lambda: setattr(scene.courier, "refuses", None))
    scene.stop_at("12:05")
    with pytest.raises(AssertionError, match="no room"):  # the trace of a bug is in the log
        scene.run()
    assert told(scene) == ["12:01:11 |tell: flaky"]
    assert [row.repeated for row in scene.journal.outbox.notices()] == [False]


def test_a_hundred_targets_are_one_senders_and_the_rest_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_TARGETS", 2)
    scene = world(FLAKY, *(f"|tell {n}" for n in range(5))).runs_until("12:00:30")
    assert [len(numbers) for _, numbers in scene.courier.lanes] == [2, 2, 1]


def test_many_notices_of_few_targets_are_split_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "MOST_NOTICES", 3)
    text = FLAKY + line("other", "0 12 * * *", retries=0)
    scene = world(text, *(f"|tell {n}" for n in range(4))).runs_until("12:00:30")
    assert [len(numbers) for _, numbers in scene.courier.lanes] == [2, 2]


def test_a_target_that_fills_more_than_one_delivery_gets_one_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scheduler.journal.outbox.MOST_IN_DELIVERY", 2)
    text = "".join(line(f"job-{n}", "0 12 * * *", retries=0) for n in range(5))
    acts = dict.fromkeys([f"job-{n}" for n in range(5)], FAILS)
    scene = World(text, acts=acts, recorder=telling("|tell")).runs_until("12:05")
    assert [(shown(at), len(each.notices)) for at, each in scene.courier.sent] == [
        ("12:00:10", 2),
        ("12:01:10", 2),
        ("12:02:10", 1),
    ]


def test_nobody_waits_longer_since_the_clock_was_set_back() -> None:
    scene = world()
    scene.courier.answers_to = script(refuses)
    scene.set_clock_at("12:00:05", to="11:00:05", stop="11:30")
    scene.run()
    assert told(scene) == ["11:00:10 |tell: flaky", "11:01:10.5 |tell: flaky"]


def test_nobody_waits_for_a_clock_that_was_wrong() -> None:
    scene = world(line("flaky", "0 12 * * *", retries=0), "|tell")
    far = scene.clock.now() + timedelta(days=3000)
    notice = Notice("|tell", Kind.FAILURE, far, Facts("future", "", "", 1, "UTC"))
    scene.journal.outbox.add(notice)
    scene.runs_until("12:00:30")
    assert told(scene)[0] == "11:59:30 |tell: future"


def test_without_a_courier_nobody_is_told_and_all_waits() -> None:
    scene = world()
    scene.courier = None  # type: ignore[assignment]  # as in a simulation
    scene.new_daemon()
    scene.runs_until("12:05")
    assert states(scene) == {"waiting": 1}


# --- a stop, a kill, a full disk -----------------------------------------------------------------


def test_at_a_stop_what_is_under_way_has_a_moment_and_what_waits_is_for_the_next_daemon() -> None:
    scene = world(FLAKY, "|tell", "desktop")
    scene.last_words = 5.0
    scene.courier.takes = 3
    scene.new_daemon()
    scene.runs_until("12:00:02")
    assert told(scene) == ["12:00:01 desktop: flaky"]
    assert states(scene) == {"sent": 1, "waiting": 1}
    scene.runs_until("12:00:30")
    assert told(scene)[1:] == ["12:00:10 |tell: flaky"]


def test_what_is_not_answered_at_a_stop_is_repeated_with_a_mark() -> None:
    scene = world()
    scene.last_words = 5.0
    scene.courier.takes = 30
    scene.new_daemon()
    scene.runs_until("12:00:12")
    assert states(scene) == {"sending": 1}
    scene.runs_until("12:01:00")
    assert told(scene) == ["12:00:10 |tell: flaky", "12:00:17 |tell: flaky*"]
    assert states(scene) == {"sent": 1}
    assert scene.said("alerts")[0]["repeated"] == 1


def test_a_drain_goes_on_telling() -> None:
    scene = world(FLAKY + line("long", "0 12 * * *"))
    scene.acts = {**scene.acts, "long": [Act(lasts=60)]}
    scene.spawner.acts = scene.acts
    scene.drain_at("12:00:01")
    scene.run()
    assert told(scene) == ["12:00:10 |tell: flaky"]


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("12:00:05", ["12:00:10 |tell: flaky"]),  # it waits
        ("12:00:10.2", ["12:00:10 |tell: flaky", "12:00:10.2 |tell: flaky*"]),  # perhaps sent
        ("12:00:11", ["12:00:10 |tell: flaky"]),  # sent, and on disk
    ],
)
def test_a_killed_daemon_is_followed_by_one_that_tells_what_it_had_to(
    time: str, says: list[str]
) -> None:
    scene = world().crashes_at(time)
    scene.runs_until("12:05")
    assert told(scene) == says
    assert states(scene) == {"sent": 1}


def test_what_is_perhaps_sent_and_stale_is_not_repeated() -> None:
    scene = world(FLAKY, "desktop").crashes_at("12:00:01.2")
    scene.runs_until("12:05")
    assert told(scene) == ["12:00:01 desktop: flaky"]
    (row,) = scene.journal.outbox.notices()
    assert (row.state, row.error) == (
        NoticeState.FAILED,
        "the daemon ended while it was sent, and it is not repeated",
    )


def statements() -> range:
    """The numbers of the journal's statements from shortly before the minute on."""
    scene = world()
    begun: list[int] = []
    scene.at("11:59:40", lambda: begun.append(scene.journal.statements))
    scene.runs_until("12:00:30")
    return range(begun[0] + 1, scene.journal.statements + 1)


def test_a_kill_at_any_statement_loses_nothing_and_what_may_be_twice_says_so() -> None:
    for number in statements():
        scene = world()
        scene.journal.accidents[number] = scene.kill
        scene.stop_at("12:00:30")
        with suppress(Killed):
            scene.run()
        scene.spawner.crash()
        scene.clock._at.clear()  # the stop that it did not live to see
        scene.new_daemon()
        scene.runs_until("12:10")
        sent = told(scene)
        assert [entry.endswith("*") for entry in sent] in ([False], [False, True]), (number, sent)
        assert states(scene) == {"sent": 1}, number


def test_a_full_disk_at_any_statement_loses_nothing_and_sends_nothing_twice() -> None:
    def refuse() -> None:
        raise JournalError("the disk is full")

    for number in statements():
        scene = world()
        scene.journal.accidents[number] = refuse
        scene.runs_until("12:02")
        assert [entry[9:] for entry in told(scene)][:1], number
        assert len(told(scene)) == 1, (number, told(scene))
        assert states(scene) == {"sent": 1}, number


def test_while_the_disk_is_full_nothing_is_sent_that_could_not_be_journalled() -> None:
    scene = world()
    scene.at("12:00:05", lambda: setattr(scene.journal, "is_full", True))
    scene.at("12:03:00", lambda: setattr(scene.journal, "is_full", False))
    scene.runs_until("12:05")
    ((at, _),) = scene.courier.sent
    assert shown(at) >= "12:03:00"
    assert states(scene) == {"sent": 1}


def test_an_answer_that_the_journal_refuses_is_kept_until_it_takes_it() -> None:
    scene = world()
    scene.at("12:00:10.2", lambda: setattr(scene.journal, "is_full", True))
    scene.at("12:03:00", lambda: setattr(scene.journal, "is_full", False))
    scene.runs_until("12:05")
    assert told(scene) == ["12:00:10 |tell: flaky"]
    assert states(scene) == {"sent": 1}


def test_a_lane_is_a_channels_and_of_those_in_trouble_another() -> None:
    scene = world(FLAKY, "|a", "|b", "mail:a@b").runs_until("12:00:30")
    lanes = {lane for lane, _ in scene.courier.lanes}
    assert lanes == {Lane(Channel.COMMAND, False), Lane(Channel.MAIL, False)}


# --- users ---------------------------------------------------------------------------------------


def test_each_user_has_lanes_of_their_own_and_no_two_share_a_delivery() -> None:
    scene = world("# nothing")
    for user in (None, "bob", "ann", "bob"):
        scene.at("12:00", lambda user=user: add(scene, "desktop", user=user))  # type: ignore[misc]
    scene.runs_until("12:01")
    users = [[each.user for each in delivery.notices] for _, delivery in scene.courier.sent]
    assert sorted(users, key=str) == [["ann"], ["bob", "bob"], [None]]
    assert {lane.user for lane, _ in scene.courier.lanes} == {None, "ann", "bob"}


def test_a_user_who_fills_all_senders_starves_nobody() -> None:
    """Bob's commands take their minute each; ann's is told with the next turn, root's at once."""
    scene = world("# nothing")
    scene.courier.takes = 50.0
    for number in range(40):
        scene.at("12:00", lambda number=number: add(scene, f"|bob {number}", user="bob"))  # type: ignore[misc]
    scene.at("12:00:05", lambda: add(scene, "|ann", user="ann"))
    scene.at("12:00:05", lambda: add(scene, "|root"))
    scene.runs_until("12:10")
    at = {delivery.target: shown(at) for at, delivery in scene.courier.sent}
    assert (at["|root"], at["|ann"]) == ("12:00:15", "12:00:15")
    firsts = [len(numbers) for lane, numbers in scene.courier.lanes if lane.user == "bob"]
    assert firsts[:8] == [dispatcher.MOST_USER_TARGETS] * 8  # a few each time


def test_whose_alerts_are_dropped_is_told_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.journal.outbox.MOST_USER_WAITING", 1)
    scene = world("# nothing")
    for minute in range(0, 50, 7):
        for _ in range(3):
            scene.at(f"12:{minute:02}", lambda: add(scene, "|bob", user="bob"))
    scene.runs_until("12:59")
    said = [line for line in scene.log.getvalue().splitlines() if '"dropped"' in line]
    assert len(said) == 1
    assert '"user": "bob"' in said[0]


def test_the_log_says_whose_target_could_not_be_told() -> None:
    scene = world("# nothing")
    scene.courier.answers_to = refuses
    scene.at("12:00", lambda: add(scene, "@team", user="bob"))
    scene.runs_until("12:01")
    assert '"target": "@team of bob", "error": "connection refused"' in scene.log.getvalue()
