"""What a running daemon does when it is asked: status, trigger, retry, kill, pause, resume, reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes import Act, FakeSpawner
from frail_journal import FrailJournal
from world import Asked, line, when

from scheduler.errors import JournalError
from scheduler.protocol import Kill, Pause, Reload, Resume, Retry, Trigger
from scheduler.run import Exited
from scheduler.runs.lifecycle import Runs
from scheduler.status import Status
from scheduler.wire import Refused

if TYPE_CHECKING:
    from scheduler.journal.rows import RunRow
    from scheduler.peer import Peer
    from scheduler.protocol import Reply, Request
    from scheduler.run import Run

FAILS = Act(outcome=Exited(1))
NOON = "0 12 * * *"
EVERY_MINUTE = "* * * * *"


def asked(text: str, time: str, request: Request, **rest: Any) -> tuple[Asked, Any]:
    """Ask once, in a world that ends at half past twelve; what came of it, and the reply."""
    world = Asked(text, **rest)
    world.ask_at(time, request)
    world.runs_until("12:30")
    (reply,) = world.replies
    return world, reply


def refusal(reply: Reply) -> str:
    assert isinstance(reply, Refused), reply
    return reply.code


# --- trigger ----------------------------------------------------------------------------------------


def test_a_triggered_job_runs_at_once_under_its_second() -> None:
    world, reply = asked(line("job", NOON), "12:10:20.5", Trigger("job"))
    assert reply == {
        "run": 2,
        "job": "job",
        "at": "2027-03-01T12:10:20Z",
        "attempt": 1,
        "state": "running",
        "reason": None,
    }
    assert world.starts("job") == ["12:00:00", "12:10:20.5"]
    assert world.history("job")[1] == "12:10:20 succeeded: exit 0"
    assert [row.by_hand for row in world.journal.queries.history("job")] == [False, True]


def test_a_trigger_takes_no_missed_run_away() -> None:
    text = line("other", "10 12 * * *") + line("job", "10 12 * * *", overlap="queue")
    world = Asked(text, "12:05")
    world.at("12:05:30", lambda: world.clock.set(when("12:30:30")))
    world.ask_at("12:30:31", Trigger("job"))
    world.runs_until("12:40")
    assert [each.split(": ")[0] for each in world.history("job")] == [
        "12:10 succeeded",
        "12:30:31 succeeded",
    ]


def test_of_two_triggers_that_replace_one_another_the_second_runs() -> None:
    """Though the first has no process yet when the second comes."""
    world = Asked(line("job", "0 6 * * *", overlap="replace"), acts={"job": [Act(lasts=1000)]})
    for _ in range(3):
        world.ask_at("12:10:20", Trigger("job"))
    world.runs_until("12:30")
    assert world.starts("job") == ["12:10:20"]
    assert [each.split(" ", 1)[1] for each in world.history("job")] == [
        "skipped (replaced): -",
        "skipped (replaced): -",
        "succeeded: exit 0",
    ]


def test_triggers_that_a_crash_met_before_their_processes_are_started_by_the_next_daemon() -> None:
    """Their instants are seconds to come, and yet no minute will bring them again."""
    world = Asked(line("job", "0 6 * * *", overlap="allow"), acts={"job": [Act(lasts=1)]})
    for _ in range(5):
        world.ask_at("12:10:20", Trigger("job"))
    world.spawner.then = world.kill
    world.crashes()
    world.spawner.then = lambda: None
    world.runs_until("12:30")
    assert len(world.history("job")) == 5
    assert all(each.endswith("exit 0") for each in world.history("job")), world.history("job")


def test_two_triggers_in_one_second_are_two_runs() -> None:
    world = Asked(line("job", "0 6 * * *", overlap="allow"))
    for _ in range(2):
        world.ask_at("12:10:20", Trigger("job"))
    world.runs_until("12:30")
    assert [each["at"] for each in world.replies] == [
        "2027-03-01T12:10:20Z",
        "2027-03-01T12:10:21Z",
    ]
    assert world.starts("job") == ["12:10:20", "12:10:20"]


def test_a_trigger_in_its_minute_takes_no_scheduled_run_away() -> None:
    """Nor does it begin beside one that is prepared already."""
    world, reply = asked(line("job", "10 12 * * *"), "12:09:59.9", Trigger("job"))
    assert (refusal(reply), world.starts("job")) == ("overlap", ["12:10:00"])
    world, _ = asked(line("job", "10 12 * * *"), "12:10:00", Trigger("job"))
    assert world.starts("job") == ["12:10:00", "12:10:00"]


def test_a_trigger_never_has_the_key_of_a_scheduled_instant() -> None:
    """A clock that is set back may bring that instant, and it is not to be taken for done."""
    world = Asked(line("job", "20 12 * * *", catchup="none"), "12:05")
    world.at("12:06", lambda: world.clock.set(when("18:20:00")))
    world.ask_at("18:20:00", Trigger("job"))
    world.set_clock_at("18:20:40", "12:10:40", stop="12:30")
    world.run()
    assert world.replies[0]["at"] == "2027-03-01T18:20:01Z"
    assert world.starts("job")[-1] == "12:20:00"


def test_a_job_that_nobody_knows_is_refused_with_one_that_there_is() -> None:
    _, reply = asked(line("backup", NOON), "12:10", Trigger("bakcup"))
    assert reply == Refused("no-such-job", "There is no job 'bakcup'; did you mean backup?")


@pytest.mark.parametrize(
    ("overlap", "expected", "starts", "why"),
    [
        ("skip", "overlap", ["12:00:00"], "CRON_OVERLAP says one at a time, to its user too"),
        ("queue", "scheduled", ["12:00:00", "12:20:00"], "it waits for the end of the other"),
        ("allow", "running", ["12:00:00", "12:10:00"], "beside it"),
        ("replace", "scheduled", ["12:00:00", "12:10:00"], "in its place"),
    ],
)
def test_a_trigger_while_a_run_goes_on(
    overlap: str, expected: str, starts: list[str], why: str
) -> None:
    text = line("job", NOON, overlap=overlap)
    acts = {"job": [Act(lasts=1200)]}
    world, reply = asked(text, "12:10", Trigger("job"), acts=acts, grace=0)
    got = reply.code if isinstance(reply, Refused) else reply["state"]
    assert (got, world.starts("job")) == (expected, starts), why


def test_a_triggered_run_waits_for_a_place_and_says_why() -> None:
    text = line("a", NOON, pool="db") + line("b", "0 6 * * *", pool="db")
    world, reply = asked(text, "12:01", Trigger("b"), acts={"a": [Act(lasts=300)]})
    assert (reply["state"], reply["reason"]) == ("scheduled", "its pool is full")
    assert world.starts("b") == ["12:05:00"]


def test_a_triggered_run_is_retried_like_any_other() -> None:
    text = line("job", "0 6 * * *", retry_delay="10s")
    world, _ = asked(text, "12:10", Trigger("job"), acts={"job": [FAILS, Act()]})
    assert world.starts("job") == ["12:10:00", "12:10:10"]


def test_a_trigger_takes_the_place_of_a_retry_that_waits() -> None:
    text = line("job", NOON, retry_delay="10m")
    world, _ = asked(text, "12:05", Trigger("job"), acts={"job": [FAILS]})
    assert world.history("job")[0] == "12:00 failed (superseded): exit 1"
    assert world.starts("job")[1] == "12:05:00"


def test_an_interval_does_not_count_from_a_trigger() -> None:
    world, _ = asked(line("job", "@every 10m"), "12:05", Trigger("job"))
    first = world.starts("job")
    world.edit(line("job", "@every 15m"))
    assert first == ["12:05:00", "12:09:00", "12:19:00", "12:29:00"]
    world.runs_until("12:50")
    assert world.starts("job")[4:] == ["12:44:00"]


def test_a_triggered_run_that_waits_outlives_a_clock_that_begins_anew() -> None:
    text = line("x", "0 18 * * *", pool="db") + line("job", "0 6 * * *", pool="db")
    world = Asked(text, "12:05", {"x": [Act(lasts=3600)]})
    world.at("12:06", lambda: world.clock.set(when("17:59:30")))
    world.ask_at("18:01", Trigger("job"))
    world.set_clock_at("18:02", "12:10:30", stop="14:00")
    world.run()
    assert world.history("job") == ["18:01:01 succeeded: exit 0"]


# --- retry ------------------------------------------------------------------------------------------


def test_a_run_that_waits_for_its_retry_is_tried_at_once() -> None:
    text = line("job", NOON, retry_delay="10m")
    world, reply = asked(text, "12:05", Retry(1), acts={"job": [FAILS, Act()]})
    assert (reply["run"], reply["attempt"]) == (1, 2)
    assert world.starts("job") == ["12:00:00", "12:05:00"]
    assert world.history("job") == ["12:00 succeeded: exit 1, exit 0"]


def test_the_hours_of_missed_runs_delay_no_retry_by_hand() -> None:
    text = "START_HOURS_RANGE=13-14\n" + line("job", "10 12 * * *", retry_delay="10m")
    world = Asked(text, "12:05", acts={"job": [FAILS, Act()]})
    world.at("12:08", lambda: world.clock.set(when("13:55")))
    world.ask_at("14:01", Retry(1))
    world.runs_until("14:02")
    assert world.starts("job") == ["13:55:00", "14:01:00"]


def test_a_run_that_failed_for_good_gets_one_more_attempt() -> None:
    text = line("job", NOON, retries=1, retry_delay="5s")
    world, reply = asked(text, "12:10", Retry(1), acts={"job": [FAILS]})
    assert (reply["attempt"], reply["state"]) == (3, "running")
    assert world.starts("job") == ["12:00:00", "12:00:05", "12:10:00"]
    assert world.history("job") == ["12:00 failed (no attempts left): exit 1, exit 1, exit 1"]


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_time_for_retries_counts_from_when_it_was_tried_again(is_killed: bool) -> None:
    settings = {"retries": 9, "retry_delay": "30s", "retry_factor": 1, "retry_within": "45s"}
    acts = {"job": [FAILS, FAILS, Act(lasts=10, outcome=Exited(1)), Act()]}
    world = Asked(line("job", NOON, **settings), acts=acts)
    world.ask_at("12:10", Retry(1))
    if is_killed:
        world.crashes_at("12:10:05")
    world.runs_until("12:20")
    assert world.starts("job") == ["12:00:00", "12:00:30", "12:10:00", "12:10:40"]
    assert world.history("job")[0].startswith("12:00 succeeded")


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_was_before_a_retry_by_hand_counts_no_more_if_the_clock_was_ahead(
    is_killed: bool,
) -> None:
    settings = {"retries": 9, "retry_delay": "30s", "retry_factor": 1, "retry_within": "45s"}
    acts = {"job": [FAILS, FAILS, FAILS, FAILS, Act()]}
    world = Asked(line("job", "0 6 * * *", **settings), acts=acts)
    world.ask_at("12:50:10", Trigger("job"))

    def sets_back() -> None:
        world.clock.set(when("12:30:10"))
        world.ask_at("12:30:20", Retry(1))
        (world.crash_at if is_killed else world.stop_at)("12:30:25")

    world.at("12:51:10", sets_back)
    if is_killed:
        world.crashes()
    else:
        world.run()
    world.runs_until("12:45")
    assert world.starts("job") == ["12:50:10", "12:50:40", "12:30:20", "12:30:50"]
    assert world.history("job")[0].startswith("12:50:10 failed (retry window over)")


def test_a_skipped_run_is_run_after_all() -> None:
    text = line("job", "0-1 12 * * *")
    world, reply = asked(text, "12:10", Retry(2), acts={"job": [Act(lasts=90)]})
    assert (reply["attempt"], reply["at"]) == (1, "2027-03-01T12:01:00Z")
    assert world.history("job")[1] == "12:01 succeeded: exit 0"
    assert world.starts("job") == ["12:00:00", "12:10:00"]


@pytest.mark.parametrize(
    ("run", "time", "code", "why"),
    [
        (99, "12:10", "no-such-run", "there is none"),
        (1, "12:10", "succeeded", "all is well"),
        (2, "12:10:10", "running", "it goes on"),
        (3, "12:10:10", "in-line", "it waits for another run"),
    ],
)
def test_a_retry_that_makes_no_sense_is_refused(run: int, time: str, code: str, why: str) -> None:
    text = line("well", NOON) + line("long", "1,2 12 * * *", overlap="queue")
    _, reply = asked(text, time, Retry(run), acts={"long": [Act(lasts=900)]}, grace=0)
    assert refusal(reply) == code, why


@pytest.mark.parametrize("back", ["11:00:10", "08:00:10"])
def test_a_retry_by_hand_starts_no_run_before_its_instant(back: str) -> None:
    world = Asked(line("job", "0 12 * * *", retry_delay="9m"), acts={"job": [FAILS, Act()]})

    def sets_back() -> None:
        world.clock.set(when(back))
        world.ask_at(back[:-2] + "20", Retry(1))
        world.stop_at(back[:-2] + "40")

    world.at("12:00:10", sets_back)
    world.run()
    assert refusal(world.replies[0]) == "to-come"


def test_a_stretch_of_instants_is_no_run_to_be_tried_again() -> None:
    world = Asked(line("job", EVERY_MINUTE))
    world.at("12:05:30", lambda: world.clock.set(when("12:20:30")))

    def asks() -> None:
        (stretch,) = (row for row in world.journal.queries.history("job") if row.until)
        world.ask_at("12:21:30", Retry(stretch.run.number))

    world.at("12:21:29", asks)
    world.runs_until("12:30")
    assert refusal(world.replies[0]) == "not-one-run"


def test_a_run_whose_job_is_gone_is_not_tried_again() -> None:
    world = Asked(line("job", NOON) + line("other", NOON), acts={"job": [FAILS]})
    world.edit_at("12:05", line("other", NOON))
    world.ask_at("12:10", Retry(1))
    world.runs_until("12:30")
    assert refusal(world.replies[0]) == "no-such-job"


def test_a_retry_by_hand_that_waits_for_a_place_outlives_a_daemon() -> None:
    text = line("job", "0,4 12 * * *", retries=0, pool="db") + line("x", "5 12 * * *", pool="db")
    world = Asked(text, acts={"job": [FAILS, Act()], "x": [Act(lasts=600)]})
    world.ask_at("12:05:10", Retry(1))
    world.crashes_at("12:06:30").runs_until("12:40")
    assert world.replies[0]["reason"] == "its pool is full"
    assert world.history("job")[0] == "12:00 succeeded: exit 1, exit 0"


# --- kill -------------------------------------------------------------------------------------------


def test_a_run_whose_process_is_hidden_is_not_killed_but_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The daemon before died in its burst; only the output tells that the job lives."""
    world = Asked(line("job", NOON), acts={"job": [Act(lasts=999)]})
    world.spawner.then = world.kill
    world.crashes()
    world.spawner.then = lambda: None
    monkeypatch.setattr(FakeSpawner, "orphans", lambda _, outputs: dict.fromkeys(outputs, 0))
    monkeypatch.setattr(FakeSpawner, "is_held", lambda *_: True)
    world.ask_at("12:00:20", Kill(1))
    world.ask_at("12:00:21", Status())
    world.runs_until("12:00:30")
    refused, status = world.replies
    assert refusal(refused) == "hidden"
    assert not isinstance(status, Refused)
    assert [(run["job"], run["pid"]) for run in status["running"]] == [("job", None)]
    assert world.signals() == []


def test_a_killed_run_ends_and_is_not_retried() -> None:
    text = line("job", NOON, kill_after="7s")
    world, reply = asked(text, "12:05", Kill(1), acts={"job": [Act(lasts=9999, on_term=None)]})
    assert (reply["run"], reply["state"]) == (1, "running")
    assert world.signals() == [("12:05:00", 15), ("12:05:07", 9)]
    assert world.history("job") == ["12:00 failed (killed by hand): signal 9"]


def test_killed_again_it_is_ended_at_once() -> None:
    world = Asked(line("job", NOON, kill_after="1m"), acts={"job": [Act(lasts=9999, on_term=None)]})
    world.ask_at("12:05", Kill(1))
    world.ask_at("12:05:03", Kill(1))
    world.runs_until("12:30")
    assert world.signals() == [("12:05:00", 15), ("12:05:03", 9)]


@pytest.mark.parametrize(
    ("text", "run", "time", "outcome", "why"),
    [
        (line("job", NOON, retry_delay="10m"), 1, "12:05", "12:00 failed (killed by hand): exit 1", "it waited for a retry"),
        (line("job", NOON, spread="20m"), 1, "12:00:01", "12:00 skipped (killed by hand): -", "it waited for its start"),
        (line("x", "59 11 * * *", pool="db") + line("job", NOON, pool="db"), 2, "12:00:30", "12:00 skipped (killed by hand): -", "it waited for a place"),
    ],
)  # fmt: skip
def test_a_run_that_waits_is_let_go_of(
    text: str, run: int, time: str, outcome: str, why: str
) -> None:
    acts = {"x": [Act(lasts=300)], "job": [FAILS]}
    world, reply = asked(text, time, Kill(run), acts=acts, now="11:58:30")
    assert reply["state"] in ("failed", "skipped")
    assert world.history("job") == [outcome], why


def test_a_run_is_killed_that_is_claimed_for_the_coming_minute() -> None:
    world, reply = asked(line("job", NOON), "11:59:59.9", Kill(1))
    assert (reply["state"], reply["reason"]) == ("skipped", "killed by hand")
    assert (world.starts("job"), world.history("job")) == (
        [],
        ["12:00 skipped (killed by hand): -"],
    )
    assert world.spawner.descriptors == set(), "what was prepared of it is let go"


def test_a_run_is_killed_between_its_claim_and_its_process() -> None:
    world = Asked(line("job", "0 6 * * *", overlap="queue"), acts={"job": [Act(lasts=5)]})
    world.ask_at("12:10:20", Trigger("job"))
    world.ask_at("12:10:20", Kill(1))
    world.ask_at("12:10:21", Trigger("job"))
    world.runs_until("12:30")
    assert world.starts("job") == ["12:10:21"]
    assert [each.split(" ", 1)[1] for each in world.history("job")] == [
        "skipped (killed by hand): -",
        "succeeded: exit 0",
    ]


def test_what_is_over_can_not_be_killed() -> None:
    assert refusal(asked(line("job", NOON), "12:10", Kill(1))[1]) == "over"
    assert refusal(asked(line("job", NOON), "12:10", Kill(9))[1]) == "no-such-run"


def test_a_kill_is_remembered_by_the_next_daemon() -> None:
    """It goes on ending the job, and does not try it again."""
    text = line("job", NOON, kill_after="1m", retry_delay="1s")
    world = Asked(text, acts={"job": [Act(lasts=9999, on_term=None)]})
    world.ask_at("12:05", Kill(1))
    world.crashes_at("12:05:30")
    world.runs_until("12:20")
    assert world.signals() == [("12:05:00", 15), ("12:05:30", 15), ("12:06:30", 9)]
    assert world.history("job") == ["12:00 failed (killed by hand): lost"]
    assert world.starts("job") == ["12:00:00"]


def test_a_replaced_run_is_not_tried_again_by_the_next_daemon() -> None:
    text = line("job", "0-1 12 * * *", overlap="replace", retry_delay="1s")
    world = Asked(text, acts={"job": [Act(lasts=9999, on_term=None)]})
    world.crashes_at("12:01:05").runs_until("12:20")
    assert world.history("job")[0] == "12:00 failed (replaced): lost"
    assert len(world.starts("job")) == 2


def test_a_job_that_fills_the_disk_can_be_killed_though_the_journal_refuses() -> None:
    world = Asked(line("job", NOON), acts={"job": [Act(lasts=9999)]})
    journal = world.journal
    assert isinstance(journal, FrailJournal)

    def fills(*, is_full: bool) -> None:
        journal.is_full = is_full

    world.at("12:05", lambda: fills(is_full=True))
    world.ask_at("12:05:01", Kill(1))
    world.at("12:06", lambda: fills(is_full=False))
    world.runs_until("12:20")
    assert world.signals() == [("12:05:01", 15)]
    assert world.history("job") == ["12:00 failed (killed by hand): signal 15"]


def test_a_waiting_run_is_killed_once_though_its_place_is_free() -> None:
    """Its place fell free in a commit that was refused, so nobody has admitted it yet."""
    text = line("x", NOON, pool="db") + line("job", NOON, pool="db")
    world = Asked(text, acts={"x": [Act(lasts=300)], "job": [Act(lasts=5)]})
    journal = world.journal
    assert isinstance(journal, FrailJournal)

    def refuses() -> None:
        for more in range(1, 6):
            journal.accidents[journal.statements + more] = refuse

    world.at("12:04:59.9", refuses)
    world.ask_at("12:05:00.1", Kill(2))
    world.runs_until("12:20")
    assert world.history("job")[0].startswith("12:00 ")
    assert not world.said("bug")


def test_an_end_that_is_not_on_disk_is_not_called_over() -> None:
    """What follows it is not decided yet, and may be another attempt."""
    acts = {"job": [Act(lasts=10, outcome=Exited(1)), Act()]}
    world = Asked(line("job", NOON, retries=3, retry_delay="30s"), acts=acts)
    world.at("12:00:05", lambda: setattr(world.journal, "is_full", True))
    world.ask_at("12:00:20", Kill(1))
    world.at("12:00:30", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("12:02")
    assert world.replies == [Refused("journal", "the disk is full")]
    assert world.history("job") == ["12:00 succeeded: exit 1, exit 0"]


def test_a_kill_puts_an_end_on_disk_that_was_refused_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk has room again just as it comes."""
    acts = {"job": [Act(lasts=10, outcome=Exited(1)), Act()]}
    world = Asked(line("job", NOON, retries=3, retry_delay="30s"), acts=acts)
    answer = world.daemon.requests.answer

    def with_room(request: Request, peer: Peer) -> Reply:
        monkeypatch.setattr(world.journal, "is_full", False)
        reply = answer(request, peer)
        assert reply is not None
        return reply

    monkeypatch.setattr(world.daemon.requests, "answer", with_room)
    world.at("12:00:05", lambda: setattr(world.journal, "is_full", True))
    world.ask_at("12:00:20", Kill(1))
    world.runs_until("12:02")
    (reply,) = world.replies
    assert (reply["state"], reply["reason"]) == ("failed", "killed by hand")
    assert world.history("job") == ["12:00 failed (killed by hand): exit 1"]


@pytest.mark.parametrize(
    ("job", "run", "lasts", "outcome", "why"),
    [
        (line("job", NOON, retry_delay="10m"), 1, 1, "failed (killed by hand): exit 1", "it waited for a retry"),
        (line("job", NOON, retry_delay="10m"), 1, 61, "failed (killed by hand): exit 1", "it failed during the drain"),
        (line("job", NOON, spread="20m"), 2, 1, "skipped (killed by hand): -", "it waited for its start"),
    ],
)  # fmt: skip
def test_what_waits_for_the_next_daemon_is_killed_in_this_one(
    job: str, run: int, lasts: float, outcome: str, why: str
) -> None:
    acts = {"job": [Act(lasts=lasts, outcome=Exited(1)), Act()], "long": [Act(lasts=300)]}
    world = Asked(job + line("long", NOON), acts=acts)
    world.drain_at("12:01")
    world.ask_at("12:02", Kill(run))
    world.run()
    world.runs_until("12:50")
    (reply,) = world.replies
    assert outcome.startswith(f"{reply['state']} ({reply['reason']})"), why
    assert world.history("job") == [f"12:00 {outcome}"], why


def test_a_hidden_run_that_the_end_leaves_alone_is_still_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Asked(line("job", NOON), acts={"job": [Act(lasts=999)]})
    world.spawner.then = world.kill
    world.crashes()
    world.spawner.then = lambda: None
    monkeypatch.setattr(FakeSpawner, "orphans", lambda _, outputs: dict.fromkeys(outputs, 0))
    monkeypatch.setattr(FakeSpawner, "is_held", lambda *_: True)
    world.edit(line("job", NOON) + line("long", "1 12 * * *", kill_after="1m"))
    world.spawner.acts = {"long": [Act(lasts=999, on_term=None)]}
    world.stop_at("12:02", "12:02:01")
    world.ask_at("12:02:10", Kill(1))
    world.run()
    (reply,) = world.replies
    assert refusal(reply) == "hidden"


# --- pause and resume -------------------------------------------------------------------------------


def test_a_paused_job_starts_nothing_and_its_instants_are_one_row() -> None:
    world = Asked(line("job", EVERY_MINUTE), "12:00:10")
    world.ask_at("12:01:30", Pause(("job",), None, "disk is swapped"))
    world.ask_at("12:05:30", Resume(("job",)))
    world.runs_until("12:07:30")
    done: dict[str, object] = {"jobs": ["job"], "until": None}
    assert world.replies == [done | {"replaced": []}, done]
    assert world.starts("job") == ["12:00:10", "12:01:00", "12:06:00", "12:07:00"]
    assert world.history("job")[2] == "12:02-12:05 skipped (paused): -"


def test_a_pause_says_which_pauses_it_replaces() -> None:
    world = Asked(line("job", "5 12 * * *") + line("other", "5 12 * * *"), grace=0)
    world.ask_at("12:01:30", Pause(("job",), when("12:03"), "disk is full"))
    world.ask_at("12:02", Pause(("job", "other")))
    world.ask_at("12:04", Pause(("other",), when("12:30")))
    world.runs_until("12:05")
    first, second, third = (reply["replaced"] for reply in world.replies)
    assert first == []
    (job,) = second
    assert (job["job"], job["note"], job["until"]) == (
        "job",
        "disk is full",
        "2027-03-01T12:03:00Z",
    )
    assert [(each["job"], each["until"]) for each in third] == [("other", None)]


def test_a_pause_that_is_over_is_not_replaced() -> None:
    world = Asked(line("job", "5 12 * * *"), grace=0)
    world.ask_at("12:01:30", Pause(("job",), when("12:03")))
    world.ask_at("12:04", Pause(("job",)))
    world.runs_until("12:05")
    assert world.replies[-1]["replaced"] == []


def test_a_pause_ends_by_itself_at_its_time() -> None:
    request = Pause(("job",), when("12:03"))
    world, reply = asked(line("job", "1-4 12 * * *"), "12:00:30", request)
    assert reply["until"] == "2027-03-01T12:03:00Z"
    assert world.starts("job") == ["12:03:00", "12:04:00"]


def test_a_pause_counts_for_the_minute_that_is_prepared_already() -> None:
    world, _ = asked(line("job", "5 12 * * *"), "12:04:59.9", Pause(("job",)))
    assert world.starts("job") == []
    assert world.history("job") == ["12:05 skipped (paused): -"]


def test_a_pause_outlives_a_daemon_and_the_time_without_one() -> None:
    world = Asked(line("job", "*/10 * * * *", catchup="all"), "12:01")
    world.ask_at("12:05", Pause(("job",)))
    world.crashes_at("12:15")
    world.clock.set(when("12:45"))
    world.runs_until("13:01")
    assert world.starts("job") == []
    assert world.history("job") == [
        "12:10 skipped (paused): -",
        "12:20-13:00 skipped (paused): -",
    ]


def test_a_boot_that_a_paused_job_saw_counts_as_had() -> None:
    world = Asked(line("job", "@reboot"), "12:00:30", boot="one")
    world.ask_at("12:01", Pause(("job",)))
    world.runs_until("12:02")
    world.boot = "two"
    world.new_daemon()
    world.ask_at("12:03", Resume(("job",)))
    world.runs_until("12:10").runs_until("12:20")
    assert world.starts("job") == ["12:00:30"]
    world.boot = "three"
    world.new_daemon()
    assert len(world.runs_until("12:30").starts("job")) == 2


def test_instants_that_were_paused_in_a_wrong_future_are_still_to_come() -> None:
    world = Asked(line("job", "*/10 * * * *"), "12:05")
    world.ask_at("12:06", Pause(("job",)))
    world.at("12:15", lambda: world.clock.set(when("18:25")))

    def sets_back() -> None:
        world.clock.set(when("12:25:30"))
        world.ask_at("12:35", Resume(("job",)))
        world.stop_at("12:55")

    world.at("18:26", sets_back)
    world.run()
    assert world.starts("job") == ["12:40:00", "12:50:00"]
    assert world.history("job")[:2] == [
        "12:10 skipped (paused): -",
        "12:20-18:20 skipped (paused): -",
    ]
    assert world.history("job")[2].startswith("12:30 skipped (paused)")


def test_what_waits_of_a_paused_job_is_let_go_of_and_what_runs_goes_on() -> None:
    text = line("fails", NOON, retry_delay="20m") + line("long", NOON)
    acts = {"fails": [FAILS], "long": [Act(lasts=600)]}
    world, _ = asked(text, "12:05", Pause(("fails", "long")), acts=acts)
    assert world.history("fails") == ["12:00 failed (paused): exit 1"]
    assert world.history("long") == ["12:00 succeeded: exit 0"]


def test_a_pause_that_ended_while_no_daemon_ran_still_says_what_was_paused() -> None:
    world = Asked(line("job", "20 12 * * *"), "12:01")
    world.ask_at("12:02", Pause(("job",), when("12:45")))
    world.crashes_at("12:05")
    world.clock.set(when("13:00"))
    world.runs_until("13:10")
    assert (world.starts("job"), world.history("job")) == ([], ["12:20 skipped (paused): -"])


def test_what_a_sleep_missed_is_made_up_for_from_the_end_of_a_pause_on() -> None:
    world = Asked(line("job", "*/10 * * * *", catchup="all"), "12:01")
    world.ask_at("12:02", Pause(("job",), when("12:35")))
    world.sleep_at("12:05", until="13:05")
    world.at("13:05", lambda: world.stop_at("13:09"))
    world.run()
    assert world.history("job") == [
        "12:10-12:30 skipped (paused): -",
        "12:40 succeeded: exit 0",
        "12:50 succeeded: exit 0",
        "13:00 succeeded: exit 0",
    ]


def test_a_pause_takes_back_what_is_prepared_of_its_job_and_of_no_other() -> None:
    text = line("job", "5 12 * * *") + line("other", "5 12 * * *")
    world = Asked(text)
    world.ask_at("12:04:59.8", Pause(("job",)))
    prepared: list[int] = []
    for time in ("12:04:59.79", "12:04:59.95"):
        world.at(time, lambda: prepared.append(len(world.spawner.descriptors)))
    world.runs_until("12:30")
    assert prepared == [2, 1]
    assert (world.starts("job"), world.starts("other")) == ([], ["12:05:00"])


@pytest.mark.parametrize("number", range(1, 8))
def test_a_pause_is_done_whole_or_not_at_all(number: int) -> None:
    """Whichever of its statements is refused."""
    world = Asked(line("job", "5 12 * * *"))

    def refused() -> None:
        assert isinstance(world.journal, FrailJournal)
        world.journal.accidents[world.journal.statements + number] = refuse

    world.at("12:04:59.8", refused)
    world.ask_at("12:04:59.8", Pause(("job",)))
    world.runs_until("12:30")
    is_done = not isinstance(world.replies[0], Refused)
    assert world.history("job") == (
        ["12:05 skipped (paused): -"] if is_done else ["12:05 succeeded: exit 0"]
    )


def refuse() -> None:
    raise JournalError("the disk is full")


def test_one_job_named_twice_is_paused_once_and_no_other_loses_its_retry() -> None:
    text = line("a", NOON, retry_delay="10m") + line("b", NOON, retry_delay="10m")
    world, _ = asked(text, "12:05", Pause(("a", "a")), acts={"a": [FAILS], "b": [FAILS, Act()]})
    assert world.history("a") == ["12:00 failed (paused): exit 1"]
    assert world.history("b") == ["12:00 succeeded: exit 1, exit 0"]


def test_by_hand_a_paused_job_runs_all_the_same() -> None:
    world = Asked(line("job", NOON))
    world.ask_at("11:59:40", Pause(("job",)))
    world.ask_at("12:10", Trigger("job"))
    world.ask_at("12:20", Retry(1))
    world.runs_until("12:30")
    assert world.starts("job") == ["12:10:00", "12:20:00"]


@pytest.mark.parametrize(
    ("request_", "code", "why"),
    [
        (Pause(("job", "nobody")), "no-such-job", "all of them or none"),
        (Pause(("job",), when("12:04")), "past", "it would be over at once"),
        (Resume(("job",)), "not-paused", "it goes by its schedule"),
        (Resume(("nobody",)), "no-such-job", "there is none"),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(request_: Request, code: str, why: str) -> None:
    world, reply = asked(line("job", "10 12 * * *"), "12:05", request_)
    assert refusal(reply) == code, why
    assert world.starts("job") == ["12:10:00"]


def test_a_paused_job_that_left_the_crontab_can_be_resumed() -> None:
    world = Asked(line("job", NOON) + line("other", NOON))
    world.ask_at("11:59:40", Pause(("job",)))
    world.edit_at("12:05", line("other", NOON))
    world.ask_at("12:10", Resume(("job",)))
    world.runs_until("12:30")
    assert world.replies[1] == {"jobs": ["job"], "until": None}


# --- reload, and when nothing can be done -------------------------------------------------------------


def test_a_reload_that_is_asked_for_reads_the_crontabs_at_once() -> None:
    world = Asked(line("job", NOON), "12:01:00")
    world.at("12:05:10", lambda: world.edit(line("job", "7 12 * * *") + "bad line\n"))
    world.ask_at("12:05:11", Reload())
    world.runs_until("12:30")
    assert world.replies == [{"entries": 1, "zones": 1, "problems": 1, "kept": 0}]
    assert world.starts("job") == ["12:07:00"]


def test_a_reload_that_waits_for_a_calendar_is_answered_when_it_is_done() -> None:
    world = Asked(line("job", "* * * * *"), "12:01:00")

    def is_read() -> None:
        assert [each.code for each in world.replies] == ["not-paused"], (
            "nobody else is kept waiting"
        )
        world.library.hanging = ""
        world.daemon.wake()

    world.at("12:05:10", lambda: setattr(world.library, "hanging", "slow.ics"))
    world.edit_at("12:05:10", "# slow.ics\n" + line("job", "7 12 * * *"))
    for second in (11, 12):
        world.ask_at(f"12:05:{second}", Reload())
    world.ask_at("12:05:20", Resume(("job",)))
    world.at("12:06:30", is_read)
    world.runs_until("12:30")
    assert world.replies[1:] == [{"entries": 1, "zones": 1, "problems": 0, "kept": 0}] * 2
    assert world.starts("job")[-2:] == ["12:06:00", "12:07:00"]
    assert world.library.loads == 3, "one reload for both"


def test_who_waits_for_a_calendar_is_told_of_the_end_of_the_daemon() -> None:
    world = Asked(line("job", NOON))
    world.at("12:05:10", lambda: setattr(world.library, "hanging", "slow.ics"))
    world.edit_at("12:05:10", "# slow.ics\n" + line("job", NOON))
    world.ask_at("12:05:11", Reload())
    world.runs_until("12:06")
    assert [refusal(reply) for reply in world.replies] == ["stopping"]


def test_a_daemon_that_stops_begins_nothing_but_answers() -> None:
    world = Asked(line("job", NOON), acts={"job": [Act(lasts=60, on_term=None)]}, grace=20)
    world.stop_at("12:00:05")
    for request in (Trigger("job"), Status(), Kill(1)):
        world.ask_at("12:00:10", request)
    world.run()
    refused, status, killed = world.replies
    assert (refusal(refused), status["stopping"], killed["run"]) == ("stopping", True, 1)
    assert status["next"] == []


def test_a_reload_that_the_journal_refuses_is_tried_again_unasked() -> None:
    world = Asked(line("job", NOON), "12:01:00")
    world.at("12:05:10", lambda: world.edit(line("job", "7 12 * * *") + line("new", "@every 1h")))
    world.at("12:05:10", lambda: setattr(world.journal, "is_full", True))
    world.ask_at("12:05:11", Reload())
    world.at("12:05:30", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("12:30")
    assert world.replies == [Refused("journal", "the disk is full")]
    assert world.starts("job") == ["12:07:00"]


def test_a_kill_whose_reply_can_not_be_read_is_one_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(_: Runs, run: Run) -> RunRow:
        raise JournalError(f"disk I/O error at run {run.number}")

    monkeypatch.setattr(Runs, "journalled", refuses)
    world, reply = asked(line("job", NOON), "12:05", Kill(1), acts={"job": [Act(lasts=9999)]})
    assert refusal(reply) == "journal"
    assert world.signals() == [("12:05:00", 15)]


def test_what_the_journal_refuses_is_not_done_and_said_so() -> None:
    for request in (Trigger("job"), Pause(("job",)), Retry(1)):
        world = Asked(line("job", NOON, retry_delay="10m"), acts={"job": [FAILS]})
        assert isinstance(world.journal, FrailJournal)
        journal = world.journal

        def fills(journal: FrailJournal = journal) -> None:
            journal.is_full = True

        def empties(journal: FrailJournal = journal) -> None:
            journal.is_full = False

        world.at("12:05", fills)
        world.ask_at("12:05:01", request)
        world.at("12:05:30", empties)
        world.runs_until("12:09")
        assert world.replies == [Refused("journal", "the disk is full")]
        assert world.starts("job") == ["12:00:00"]
