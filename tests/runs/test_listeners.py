"""Who listens to what happens: told in order, after the commit, and never in the loop's way."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass, field
from queue import Queue
from threading import Event as Gate
from typing import TYPE_CHECKING, Any

import pytest
from fakes import Act
from world import FILE, Asked, World, line, shown, when

from scheduler.errors import JournalError
from scheduler.protocol import Kill
from scheduler.run import Exited
from scheduler.runs import events
from scheduler.runs.listeners import Apart, Events, Unheard
from scheduler.runs.messages import crontab_facts
from scheduler.system.log import open_log

if TYPE_CHECKING:
    from scheduler.runs.events import Event

SOON = 30.0
NOT_OF_RUNS = (events.CrontabLoaded, events.JournalTrouble, events.JournalRecovered)
BETWEEN = (events.RunQueued, events.RunStopping)
FAILS = Act(outcome=Exited(1))
LINES = (
    line("well", "0-9 12 * * *")
    + line("flaky", "0 12 * * *", retry_delay="5s", retries=2)
    + line("hopeless", "0 12 * * *", retries=0)
    + line("long", "0-1 12 * * *")
)
ACTS = {"flaky": [FAILS, Act()], "hopeless": [FAILS], "long": [Act(lasts=90)]}


@dataclass
class Counting:
    """A listener that keeps what it hears."""

    heard: list[Event] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        self.heard.append(event)

    def kinds(self) -> Counter[str]:
        return Counter(type(each).__name__ for each in self.heard)


class Failing:
    """A listener that is broken, until it is mended."""

    is_broken = True

    def hear(self, event: Event) -> None:
        if self.is_broken:
            raise OSError(f"no route to host, {type(event).__name__}")


@dataclass
class Led:
    """A listener that hears one event each time that a test lets it, or fails at it."""

    lead: Queue[bool] = field(default_factory=Queue)

    def hear(self, event: Event) -> None:
        if not self.lead.get(timeout=SOON):
            raise OSError(f"no route to host, {type(event).__name__}")


@dataclass
class Slow(Counting):
    """A listener that waits for somebody."""

    gate: Gate = field(default_factory=Gate)

    def hear(self, event: Event) -> None:
        assert self.gate.wait(SOON)
        super().hear(event)


def lived(*in_loop: Counting | Failing, apart: tuple[Apart, ...] = ()) -> World:
    world = World(LINES, acts=ACTS, in_loop=in_loop, apart=apart)
    return world.runs_until("12:20")


def test_a_listener_hears_of_everything_once_and_in_order() -> None:
    listener = Counting()
    world = lived(listener)
    assert listener.kinds() == {
        "RunStarted": 10 + 2 + 1 + 1,
        "RunSucceeded": 10 + 1 + 1,
        "RetryScheduled": 1,
        "RunFailed": 1,
        "RunSkipped": 1,
        "CrontabLoaded": 1,
    }
    with_entry = (events.RunStarted, events.RetryScheduled, events.RunSucceeded)
    heard = [each for each in listener.heard if isinstance(each, with_entry)]
    of_flaky = [type(each) for each in heard if each.entry and each.entry.job == "flaky"]
    assert of_flaky == [
        events.RunStarted,
        events.RetryScheduled,
        events.RunStarted,
        events.RunSucceeded,
    ]
    times = [each.at for each in listener.heard]
    assert times == sorted(times)
    assert world.history("long")[1].startswith("12:01 skipped")


def test_a_run_that_fails_or_is_skipped_is_told_with_its_entry_as_it_was() -> None:
    listener = Counting()
    acts = {**ACTS, "hopeless": [Act(outcome=Exited(1), lasts=300)]}
    world = World(LINES, acts=acts, in_loop=(listener,))
    world.edit_at("12:02:30", line("other", "0 12 * * *"))
    world.runs_until("12:20")
    kinds = (events.RunFailed, events.RunSkipped)
    ends = [each for each in listener.heard if isinstance(each, kinds)]
    told = [(type(each), shown(each.at), each.entry and each.entry.job) for each in ends]
    assert told == [
        (events.RunSkipped, "12:01:00", "long"),
        (events.RunFailed, "12:05:00", "hopeless"),
    ], "of one that no crontab has any more, too"
    assert world.said("crontabs")[1]["gone"] == 4


def test_what_ends_after_its_job_has_gone_meanwhile_has_no_entry() -> None:
    """A daemon that starts anew knows of the job by its name alone."""
    listener = Counting()
    text = line("waits", "0 12 * * *", retry_delay="5m") + line("runs", "0 12 * * *")
    acts = {"waits": [FAILS], "runs": [Act(lasts=600)]}
    world = World(text, acts=acts, in_loop=(listener,))
    world.crash_at("12:01")
    world.crashes()
    world.edit(line("other", "0 12 * * *"))
    world.new_daemon()
    world.at("12:11", world.daemon.stop)
    world.run()
    kinds = (events.RunFailed, events.RunSucceeded, events.RunSkipped)
    ends = [each for each in listener.heard if isinstance(each, kinds)]
    assert [(type(each), each.entry) for each in ends] == [
        (events.RunFailed, None),
        (events.RunFailed, None),
    ], "of the other one nobody sees how it ended"


OVERLAPS = [
    ("skip", [], "what is skipped is told as that"),
    ("queue", ["12:01:00 RunQueued"], "it waits"),
    (
        "replace",
        ["12:01:00 RunStopping of 12:00:00, replaced", "12:01:00 RunQueued"],
        "the earlier one ends first",
    ),
]


@pytest.mark.parametrize(("overlap", "wanted", "why"), OVERLAPS)
def test_a_run_that_is_due_beside_an_earlier_one_is_told_of(
    overlap: str, wanted: list[str], why: str
) -> None:
    listener = Counting()
    text = line("job", "0-1 12 * * *", overlap=overlap)
    World(text, acts={"job": [Act(lasts=90)]}, in_loop=(listener,)).runs_until("12:05")
    assert [_told(each) for each in listener.heard if isinstance(each, BETWEEN)] == wanted, why


def test_a_run_that_is_killed_is_told_of_before_its_end() -> None:
    listener = Counting()
    world = Asked(line("job", "0 12 * * *"), acts={"job": [Act(lasts=90)]}, in_loop=(listener,))
    world.ask_at("12:00:30", Kill(1))
    world.runs_until("12:05")
    told = [_told(each) for each in listener.heard if isinstance(each, BETWEEN)]
    assert told == ["12:00:30 RunStopping of 12:00:00, killed by hand"]
    kinds = [type(each) for each in listener.heard]
    assert kinds.index(events.RunStopping) < kinds.index(events.RunFailed)
    assert [each["message"] for each in world.lines()].count("failed") == 1, "the log: one line"


def _told(event: Event) -> str:
    assert isinstance(event, BETWEEN)
    assert event.entry is not None
    assert event.entry.job == "job"
    words = f"{shown(event.at)} {type(event).__name__}"
    if isinstance(event, events.RunQueued):
        return words
    return f"{words} of {shown(event.attempt.run.instant)}, {event.reason.value}"


def test_what_is_tried_again_is_no_failure_in_the_log() -> None:
    world = lived()
    assert [said["job"] for said in world.said("failed")] == ["hopeless"]
    assert [said["job"] for said in world.said("retry")] == ["flaky"]


def test_what_the_journal_refuses_nobody_hears_of() -> None:
    listener = Counting()
    world = World(LINES, acts=ACTS, in_loop=(listener,))
    world.at("11:59:50", lambda: setattr(world.journal, "is_full", True))
    world.at("12:05", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("12:20")
    of_runs = [each for each in listener.heard if not isinstance(each, NOT_OF_RUNS)]
    assert min(each.at for each in of_runs) >= when("12:05")


def test_the_journals_trouble_and_its_end_are_told_after_they_have_come() -> None:
    listener = Counting()
    world = World(LINES, acts=ACTS, in_loop=(listener,))
    world.at("11:59:50", lambda: setattr(world.journal, "is_full", True))
    world.at("12:05", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("12:20")
    kinds = (events.JournalTrouble, events.JournalRecovered)
    trouble, recovered = (each for each in listener.heard if isinstance(each, kinds))
    assert isinstance(trouble, events.JournalTrouble)
    assert trouble.why == "the disk is full"
    assert when("11:59:59") < trouble.at < when("12:00"), "when the minute is prepared"
    assert isinstance(recovered, events.JournalRecovered)
    assert when("12:05") <= recovered.at < when("12:06")
    assert [said["error"] for said in world.said("journal")] == ["the disk is full"]
    assert len(world.said("recovered")) == 1, "the log hears the same"


def test_a_listener_hears_what_the_crontabs_say_each_time_they_are_loaded() -> None:
    listener = Counting()
    world = World(line("a", "0 12 * * *"), in_loop=(listener,))
    text = line("b", "0 12 * * *").replace("0 12", "61 12") + line("c", "0 13 * * *")
    world.edit_at("12:00:30", text)
    world.at("12:01:30", lambda: setattr(world.library, "files", {FILE: None}))
    world.runs_until("12:05")
    loaded = [each for each in listener.heard if isinstance(each, events.CrontabLoaded)]
    first, edited, vanished = loaded[0], loaded[1], loaded[-1]
    assert (first.entries, first.zones, first.problems, first.is_first) == (1, 1, (), True)
    assert (edited.entries, edited.new, edited.gone, edited.is_first) == (2, 1, 0, False)
    assert [each.line for each in edited.problems] == [1]
    assert [each.job for each in edited.kept] == ["a"], "its line may be the one with the mistake"
    assert {each.job for each in vanished.kept} == {"a", "c"}, "the file can't be read"
    assert [each["entries"] for each in world.said("crontabs")] == [each.entries for each in loaded]


def test_only_the_first_reading_is_the_first_though_it_found_nothing() -> None:
    listener = Counting()
    world = World("", in_loop=(listener,))
    world.edit_at("12:00:30", line("a", "0 13 * * *"))
    world.runs_until("12:05")
    loaded = [each for each in listener.heard if isinstance(each, events.CrontabLoaded)]
    assert [(each.is_first, each.new) for each in loaded] == [(True, 0), (False, 1)]
    assert str(crontab_facts(loaded[1])["say"]).endswith("; 1 new, 0 gone")


def test_an_edit_is_told_once_when_everything_goes_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal takes the new jobs, but refuses at first what the edit closes."""
    listener = Counting()
    retried = line("b", "0 12 * * *", retry_delay="30m")
    world = World(line("a", "0 13 * * *") + retried, acts={"b": [FAILS]}, in_loop=(listener,))
    world.edit_at("12:05:30", line("a", "0 13 * * *") + "0 0 31 2 * never\n")
    finish, refusals = world.journal.finish, iter(range(5))

    def refuse(*given: Any, **named: Any) -> None:
        if next(refusals, None) is not None:
            raise JournalError("the disk is full")
        finish(*given, **named)

    monkeypatch.setattr(world.journal, "finish", refuse)
    world.runs_until("12:10")
    assert next(refusals, None) is None
    _, edited = [each for each in listener.heard if isinstance(each, events.CrontabLoaded)]
    assert (edited.entries, edited.new, edited.gone) == (2, 1, 1)
    assert edited.at > when("12:06:03"), "a second later each time"
    assert len(world.said("problem")) == 1, "as the log, which listens too"


def test_a_listener_that_fails_at_the_crontabs_or_the_journal_ends_nothing() -> None:
    failing = Failing()
    world = World(LINES, acts=ACTS, in_loop=(failing,))
    world.at("12:01:50", lambda: setattr(world.journal, "is_full", True))
    world.at("12:02:30", lambda: setattr(world.journal, "is_full", False))
    world.reload_at("12:03:30")
    world.runs_until("12:20")
    assert len(world.starts("well")) == 10
    assert len(world.said("crontabs")) == 2
    assert [said["listener"] for said in world.said("listener")] == ["Failing"]


def test_a_slow_listener_hears_of_the_crontabs_and_the_journal_when_it_can() -> None:
    slow = Slow()
    world = World(LINES, acts=ACTS, apart=(Apart(slow),))
    world.at("12:01:50", lambda: setattr(world.journal, "is_full", True))
    world.at("12:02:30", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("12:20")
    assert world.said("recovered"), "the log does not wait for it"
    slow.gate.set()
    wanted = {"CrontabLoaded", "JournalTrouble", "JournalRecovered"}
    for _ in range(3000):
        if wanted <= slow.kinds().keys():
            break
        Gate().wait(0.01)
    assert wanted <= slow.kinds().keys()


def test_a_listener_that_fails_is_told_of_once_and_keeps_nobody_from_anything() -> None:
    failing, listener = Failing(), Counting()
    world = World(LINES, acts=ACTS, in_loop=(failing, listener))
    world.at("12:02:30", lambda: setattr(failing, "is_broken", False))
    world.at("12:04:30", lambda: setattr(failing, "is_broken", True))
    world.runs_until("12:20")
    assert listener.kinds()["RunStarted"] == 14
    assert [said["listener"] for said in world.said("listener")] == ["Failing", "Failing"]
    assert "no route to host" in str(world.said("listener")[0]["error"])


def test_a_slow_listener_does_not_delay_the_loop() -> None:
    """It is blocked for good, and each minute is on time; then it hears of all that it could keep."""
    slow = Slow()
    world = lived(apart=(Apart(slow, most=20),))
    assert world.starts("well") == [f"12:0{minute}:00" for minute in range(10)]
    assert [said["listener"] for said in world.said("listener")] == ["Slow", "Slow"], (
        "once, and at the end"
    )
    assert slow.heard == []
    slow.gate.set()
    for _ in range(3000):
        if len(slow.heard) == 20:
            break
        Gate().wait(0.01)
    assert slow.kinds()["RunStarted"] > 0
    assert len(slow.heard) == 20


@pytest.mark.parametrize("most", [1, 2])
def test_what_a_listener_apart_raises_is_told_by_the_loop(most: int) -> None:
    gate = Gate()

    class Broken:
        def hear(self, event: Event) -> None:
            gate.set()
            raise OSError(f"no route to host, {type(event).__name__}")

    apart = Apart(Broken(), most)
    listener = Counting()
    world = World(LINES, acts=ACTS, in_loop=(listener,)).runs_until("12:01:30")
    assert world.starts("well")
    apart.hear(listener.heard[0])
    assert gate.wait(SOON)

    def told_again() -> None:
        for _ in range(3000):
            Gate().wait(0.01)
            apart.hear(listener.heard[0])

    with pytest.raises(Unheard, match="no route to host"):
        told_again()


# --- once: t tells it of an event, h lets it hear one, f lets it fail at one ---------------------

ONCE = [
    ("th" * 9, 0, "it hears everything in time"),
    ("tt" + "th" * 9, 0, "two behind is no trouble where three have room"),
    ("tttt" + "htt" * 9, 1, "always slow: room for one now and then does not make it well"),
    ("tttt" + "ht" * 9, 1, "always slow: taking what comes does not, either"),
    ("tttt" + "hhh" + "ttt", 1, "it has caught up, and is not behind again"),
    ("tttt" + "hhh" + "tttt", 2, "it has caught up, and is behind again"),
    ("tf" * 9 + "t", 1, "always failing, with a pause after each"),
    ("ttff" * 9 + "t", 1, "always failing, by twos"),
    ("tttt" + "ft" * 9, 1, "always failing, and behind"),
    ("tf" + "th" + "th" + "tf" + "t", 2, "well again, and fails again"),
    ("ttt" + "ft" + "hh" + "ht", 1, "well again in the end"),
    ("ttt" + "ft" + "hhh" + "tft", 2, "it heard all that there was, and then it fails again"),
    ("ttt" + "ft" + "hh" + "ft", 1, "it heard some, but not all: not yet well"),
    ("ttf" + "ht", 1, "well again before it could be told: told all the same"),
    ("ttf" + "ht" + "ht" + "ft", 2, "and so is the next time"),
]


@pytest.mark.parametrize(("course", "lines", "why"), ONCE)
def test_the_log_says_once_that_a_listener_apart_is_in_trouble(
    course: str, lines: int, why: str
) -> None:
    led, out = Led(), io.StringIO()
    apart = Apart(led, most=3)
    teller = Events(open_log("json", out), (), (apart,))
    for step in course:
        if step == "t":
            teller.tell(events.JournalRecovered(when("12:00")))
            continue
        behind = apart.waiting
        led.lead.put(step == "h")
        for _ in range(30000):
            if apart.waiting < behind:
                break
            Gate().wait(0.001)
        assert apart.waiting == behind - 1
    said = [json.loads(each)["listener"] for each in out.getvalue().splitlines()]
    assert said == ["Led"] * lines, why


# --- the end -------------------------------------------------------------------------------------

LAST = line("last", "0 12 * * *", retries=0)


def test_what_happened_last_is_heard_before_the_daemon_ends() -> None:
    class Careful(Counting):
        """It takes a moment for each."""

        def hear(self, event: Event) -> None:
            Gate().wait(0.05)
            super().hear(event)

    careful = Careful()
    acts = {"last": [FAILS]}
    world = World(LAST, acts=acts, apart=(Apart(careful),), last_words=SOON)
    world.runs_until("12:00:30")
    assert careful.kinds() == {"CrontabLoaded": 1, "RunStarted": 1, "RunFailed": 1}
    assert world.said("listener") == []


def test_a_listener_that_hears_nothing_any_more_delays_the_end_by_no_more_than_that() -> None:
    slow = Slow()
    world = World(LAST, acts={"last": [FAILS]}, apart=(Apart(slow),), last_words=0.05)
    world.runs_until("12:00:30")
    last, stopped = world.lines()[-2:]
    assert (last["listener"], last["unheard"], last["level"]) == ("Slow", 3, "error")
    assert stopped["message"] == "stopped"
    slow.gate.set()


def test_a_failure_at_the_last_event_is_told_though_nothing_comes_after_it() -> None:
    class Strict:
        """It is broken where it is needed."""

        def hear(self, event: Event) -> None:
            if isinstance(event, events.RunFailed):
                raise OSError("no route to host")

    world = World(LAST, acts={"last": [FAILS]}, apart=(Apart(Strict()),), last_words=SOON)
    world.runs_until("12:00:30")
    told = [(each["listener"], each["unheard"], each["error"]) for each in world.said("listener")]
    assert told == [("Strict", 1, "no route to host")]
