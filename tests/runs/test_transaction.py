"""A commit and what goes with it: memory at once, effects when it holds, nothing when it does not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.entry import Entry, Reboot
from scheduler.errors import JournalError
from scheduler.journal.journal import Journal
from scheduler.run import Reason, Run
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
        self.transaction = Transaction(self.journal, self.table, self.told.append, lambda: NOON)

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
        stage.transaction.emit(RunSkipped(NOON, live(1).run, Reason.OVERLAP))
        assert (stage.table.get(1), stage.done) == (live(1), [])
    assert stage.done == ["first", "second"], "in the order in which they were left"
    assert stage.told == [RunSkipped(NOON, live(1).run, Reason.OVERLAP)]


def test_what_is_refused_has_not_happened(stage: Stage) -> None:
    stage.table.put(live(1))
    stage.table.put(live(2, Phase.STARTING), planned=True)
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
            lambda: transaction.emit(RunSkipped(NOON, live(1).run, Reason.OVERLAP)),
            refuse,
        )
    assert (stage.table.get(1), stage.table.get(2), stage.table.get(3)) == (live(1), live(2, Phase.STARTING), None)  # fmt: skip
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
