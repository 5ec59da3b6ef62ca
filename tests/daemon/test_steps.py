"""Steps of the loop that go wrong: the others are done, and it is tried again a moment later."""

from __future__ import annotations

import io
import json
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fakes import FakeClock
from world import when

from scheduler.daemon.log_once import LogOnce
from scheduler.daemon.steps import Step, StepRunner
from scheduler.errors import JournalDamaged, JournalError
from scheduler.journal.journal import Journal
from scheduler.runs.log_listener import LogListener
from scheduler.system.log import open_log

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = when("12:00")
SECOND = timedelta(seconds=1)


@dataclass
class Scene:
    """Three steps, of which the second raises `error` as long as there is one."""

    journal: Journal
    error: Exception | None = None
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = io.StringIO()
        log = open_log("json", self.text)
        self.clock = FakeClock(NOON)
        log_once = LogOnce(self.clock, LogListener(log).hear)
        self.runner = StepRunner(self.clock, self.journal, log, log_once, None)

    def turn(self) -> list[str]:
        """The steps that were done, each to its end."""
        self.done.clear()
        steps = (Step(name, lambda name=name: self._do(name)) for name in ("a", "b", "c"))  # type: ignore[misc]  # bound now
        self.runner.run(*steps)
        return self.done

    def _do(self, name: str) -> None:
        if name == "b" and self.error is not None:
            raise self.error
        self.done.append(name)

    def said(self) -> list[str]:
        return [json.loads(line)["message"] for line in self.text.getvalue().splitlines()]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with closing(Journal.in_memory()) as journal:
        yield Scene(journal)


WRONG = [
    # the error, what the log says, whether the journal is damaged; why
    (JournalError("the disk is full"), ["journal"], False, "it may be emptied"),
    (JournalDamaged("malformed"), ["journal"], True, "it takes nothing any more"),
    (MemoryError(), ["memory"], False, "others may end and give some back"),
    (ZeroDivisionError(), ["bug"], False, "one run's bug must not stop every other job"),
]


@pytest.mark.parametrize(("error", "said", "is_damaged", "why"), WRONG)
def test_a_step_that_fails_ends_no_other(
    scene: Scene, error: Exception, said: list[str], is_damaged: bool, why: str
) -> None:
    scene.error = error
    assert scene.turn() == ["a", "c"], why
    assert scene.said() == said, why
    assert (scene.runner.damage is error) == is_damaged, why
    assert scene.runner.pause_end(NOON, NOON) == NOON + SECOND, "it is left alone for a second"


def test_what_goes_well_is_followed_at_once(scene: Scene) -> None:
    assert scene.turn() == ["a", "b", "c"]
    assert (scene.said(), scene.runner.pause_end(NOON, NOON)) == ([], NOON)


def test_no_minute_waits_for_the_pause_after_an_error(scene: Scene) -> None:
    scene.error = MemoryError()
    scene.turn()
    assert scene.runner.pause_end(NOON, NOON + SECOND / 4) == NOON + SECOND / 4


def test_a_shortage_of_memory_is_told_once_a_minute(scene: Scene) -> None:
    scene.error = MemoryError()
    for _ in range(121):
        scene.turn()
        scene.clock.advance(1)
    assert scene.said() == ["memory"] * 3
