"""A commit and what goes with it: memory at once, effects when it holds, nothing when it does not."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.entry import Entry, Reboot
from scheduler.errors import JournalError
from scheduler.journal.journal import Journal
from scheduler.run import Reason, Run
from scheduler.runs import table
from scheduler.runs.events import RunSkipped
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.runs.table import RunTable
from scheduler.runs.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.runs.events import Event

NOON = utc(2027, 1, 1, 12)


class Stage:
    """A transaction over a journal in memory, and what its effects did."""

    def __init__(self) -> None:
        self.journal = Journal.in_memory()
        self.table = RunTable()
        self.done: list[str] = []
        self.told: list[Event] = []
        self.recorded: list[Event] = []
        self.transaction = Transaction(
            self.journal, self.table, self.told.append, lambda: NOON, self.recorded.append
        )

    def note(self, text: str) -> None:
        self.done.append(text)

    def fail(self, text: str) -> None:
        self.done.append(text)
        raise ValueError(text)

    def commit(self, *steps: Callable[[], object]) -> None:
        """Do all of this in one commit."""
        with self.transaction.commit():
            for step in steps:
                step()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.journal.close()


def live(number: int, phase: Phase = Phase.WAIT_TIME) -> LiveRun:
    entry = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), "true")
    return LiveRun(Run(number, "job", NOON), entry, phase, NOON)


def refuse() -> None:
    raise JournalError("the disk is full")


def test_memory_changes_at_once_and_effects_wait_until_it_holds(stage: Stage) -> None:
    with stage.transaction.commit():
        stage.transaction.put(live(1))
        stage.transaction.effect(stage.note, "first")
        stage.transaction.effect(stage.note, "second")
        stage.transaction.emit(RunSkipped(NOON, None, live(1).run, Reason.OVERLAP))
        assert (stage.table.get(1), stage.done) == (live(1), [])
        assert (len(stage.recorded), stage.told) == (1, [])
    assert stage.done == ["first", "second"], "in the order in which they were left"
    assert stage.told == [RunSkipped(NOON, None, live(1).run, Reason.OVERLAP)]


def test_what_is_refused_has_not_happened(stage: Stage) -> None:
    stage.table.put(live(1))
    stage.table.put(live(2, Phase.PLANNED))
    holder = {"a": 1}
    transaction = stage.transaction
    with pytest.raises(JournalError):
        stage.commit(
            lambda: transaction.put(live(1, Phase.WAIT_RUN)),
            lambda: transaction.put(live(1, Phase.STARTING)),
            lambda: transaction.drop(2),
            lambda: transaction.put(live(3)),
            lambda: transaction.assign_item(holder, "a", 2),
            lambda: transaction.assign_item(holder, "b", 3),
            lambda: transaction.assign(stage.table, "last_handled", NOON),
            lambda: transaction.effect(stage.note, "never"),
            lambda: transaction.emit(RunSkipped(NOON, None, live(1).run, Reason.OVERLAP)),
            refuse,
        )
    assert (stage.table.get(1), stage.table.get(2), stage.table.get(3)) == (live(1), live(2, Phase.PLANNED), None)  # fmt: skip
    assert stage.table.plans("job")
    assert (holder, stage.table.last_handled, stage.done) == ({"a": 1}, None, [])
    assert stage.told == [], "no listener hears of what has not happened"


def test_whatever_goes_wrong_inside_takes_it_back(stage: Stage) -> None:
    with pytest.raises(ZeroDivisionError):
        stage.commit(lambda: stage.transaction.put(live(1)), lambda: 1 // 0)
    assert stage.table.get(1) is None


def test_nothing_changes_and_no_effect_is_lost_outside_of_a_commit(stage: Stage) -> None:
    transaction = stage.transaction
    for step, arguments in (
        (transaction.effect, (stage.note, "lost")),
        (transaction.undo, (stage.note, "lost")),
        (transaction.put, (live(1),)),
        (transaction.assign, (stage.table, "last_handled", NOON)),
    ):
        with pytest.raises(RuntimeError):
            step(*arguments)
    assert (stage.table.last_handled, stage.done) == (None, [])
    assert len(stage.table) == 0


def test_a_commit_inside_of_another_refuses_both(stage: Stage) -> None:
    with pytest.raises(RuntimeError, match="inside"):
        stage.commit(lambda: stage.transaction.put(live(1)), stage.commit)
    assert len(stage.table) == 0
    stage.commit(lambda: stage.transaction.put(live(1)))
    assert stage.table.get(1) == live(1), "and the next one is as any"


@pytest.mark.parametrize("was", [None, *Phase])
@pytest.mark.parametrize(
    ("short", "phase"),
    [
        ("insort", Phase.WAIT_TIME),
        ("insort", Phase.WAIT_RUN),
        ("insort", Phase.WAIT_SLOT),
        ("pool_of", Phase.RUNNING),
        ("pool_of", Phase.WAIT_SLOT),
    ],
)
def test_a_change_that_fails_half_way_is_taken_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, short: str, phase: Phase, was: Phase | None
) -> None:
    before = [live(1, was)] if was else []
    for each in (*before, live(2, phase)):
        stage.table.put(each)

    def fails(*_: object) -> None:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(table, short, fails)
    with pytest.raises(MemoryError):
        stage.commit(lambda: stage.transaction.put(live(1, phase)))
    of_each = (stage.table.timed, stage.table.queued, stage.table.in_line)
    found = [*chain.from_iterable(some("job") for some in of_each)]
    found += [each for each in stage.table.all() if not each.is_waiting]
    assert sorted(found, key=lambda each: each.run.number) == [*before, live(2, phase)]
    assert stage.table.begun() == sum(not each.is_waiting for each in found)
    for number in (1, 2):
        stage.table.remove(number)
    assert (stage.table.waiting(), stage.table.begun(), stage.table.has_line()) == ([], 0, False)


def test_what_cannot_be_taken_back_keeps_no_other_change(stage: Stage) -> None:
    transaction = stage.transaction
    with pytest.raises(ValueError, match="bug") as told:
        stage.commit(
            lambda: transaction.put(live(1)), lambda: transaction.undo(stage.fail, "bug"), refuse
        )
    assert len(stage.table) == 0
    assert isinstance(told.value.__cause__, JournalError)


@pytest.mark.parametrize("phase", [Phase.PLANNED, Phase.STARTING])
def test_what_is_refused_changes_no_order(stage: Stage, phase: Phase) -> None:
    for number in (3, 1, 2, 4):
        stage.table.put(live(number, phase))
    waits = [partial(stage.transaction.put, live(number)) for number in (1, 3)]
    drops = [partial(stage.transaction.drop, number) for number in (1, 2, 3)]
    with pytest.raises(JournalError):
        stage.commit(*waits, *drops, refuse)
    stage.table.take_planned()
    assert [each.run.number for each in stage.table.starting()] == [3, 1, 2, 4]


def test_an_effect_that_fails_keeps_no_other_one_from_its_work(stage: Stage) -> None:
    effect = stage.transaction.effect
    with pytest.raises(ValueError, match="second"):
        stage.commit(
            lambda: effect(stage.note, "first"),
            lambda: effect(stage.fail, "second"),
            lambda: effect(stage.note, "third"),
            lambda: stage.transaction.put(live(1)),
        )
    assert stage.done == ["first", "second", "third"]
    assert stage.table.get(1) == live(1), "what is on disk holds"


def test_of_two_effects_that_fail_none_is_lost(stage: Stage) -> None:
    effect = stage.transaction.effect
    with pytest.raises(ExceptionGroup) as told:
        stage.commit(*(partial(effect, stage.fail, text) for text in ("first", "second")))
    assert [str(each) for each in told.value.exceptions] == ["first", "second"]
