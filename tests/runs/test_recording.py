"""What somebody is to hear is on disk with what it tells of, and a recorder's bug loses no run."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fakes import Act
from world import Killed, World, line

from scheduler.errors import JournalError
from scheduler.notice import Facts, Kind, Notice
from scheduler.run import Exited
from scheduler.runs.events import RunFailed

if TYPE_CHECKING:
    from scheduler.journal.journal import Journal
    from scheduler.runs.events import Event

LINES = line("flaky", "0 12 * * *", retries=0) + line("well", "0,1 12 * * *")
ACTS = {"flaky": [Act(outcome=Exited(1))]}


@dataclass
class Tiny:
    """A recorder that has somebody told of each failure, and may have a bug."""

    journal: Journal
    bugs: list[Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def concerns(self, event: Event) -> bool:
        self.asked.append(type(event).__name__)
        return isinstance(event, RunFailed)

    def record(self, event: Event) -> None:
        assert isinstance(event, RunFailed)
        facts = Facts(event.run.job, "", "", 1, "UTC", run=event.run.number)
        self.journal.outbox.set_state(event.run.job, "announced")
        for target in ("|tell", "desktop"):
            self.journal.outbox.add(Notice(target, Kind.FAILURE, event.at, facts))
            if self.bugs:
                raise self.bugs.pop(0)


def world(*bugs: Exception, lines: str = LINES) -> tuple[World, list[Tiny]]:
    """A world whose recorder has these bugs, one after the other; and its recorders."""
    made: list[Tiny] = []

    def recorder(journal: Journal) -> Tiny:
        made.append(Tiny(journal, list(bugs)))
        return made[-1]

    return World(lines, acts=ACTS, recorder=recorder), made


def lives(world: World, until: str) -> None:
    """Let a daemon live whose recorder has a bug, of which the log has the trace."""
    world.stop_at(until)
    asyncio.run(world.daemon.run())


def told(world: World) -> list[tuple[str, int | None]]:
    return [(row.notice.target, row.notice.facts.run) for row in world.journal.outbox.notices()]


def statements() -> range:
    """The numbers of the journal's statements from shortly before the minute on."""
    scene, _ = world()
    begun: list[int] = []
    scene.at("11:59:40", lambda: begun.append(scene.journal.statements))
    scene.runs_until("12:00:30")
    return range(begun[0] + 1, scene.journal.statements + 1)


def test_what_is_recorded_is_there_with_the_run() -> None:
    scene, made = world()
    scene.runs_until("12:00:30")
    assert scene.history("flaky") == ["12:00 failed (no attempts left): exit 1"]
    assert told(scene) == [("|tell", 1), ("desktop", 1)]
    assert {"RunStarted", "RunSucceeded", "RunFailed"} <= {*made[0].asked}


def test_what_the_journal_refuses_is_recorded_once_with_the_whole() -> None:
    """A full disk at any statement, also at those of the recorder itself."""

    def refuse() -> None:
        raise JournalError("the disk is full")

    for number in statements():
        scene, _ = world()
        scene.journal.accidents[number] = refuse
        scene.runs_until("12:00:30")
        assert scene.history("flaky") == ["12:00 failed (no attempts left): exit 1"], number
        assert told(scene) == [("|tell", 1), ("desktop", 1)], number


def test_a_kill_at_any_statement_leaves_both_or_neither() -> None:
    for number in statements():
        scene, _ = world()
        scene.journal.accidents[number] = scene.kill
        scene.stop_at("12:00:30")
        with suppress(Killed):
            scene.run()
        failed = [row for row in scene.journal.queries.history("flaky") if row.state == "failed"]
        assert bool(failed) == bool(told(scene)), number


def test_a_bug_takes_back_its_own_rows_and_nothing_else() -> None:
    scene, _ = world(ValueError("it is broken"))
    lives(scene, "12:00:30")
    assert scene.history("flaky") == ["12:00 failed (no attempts left): exit 1"]
    assert scene.history("well") == ["12:00 succeeded: exit 0"]
    assert (told(scene), scene.journal.outbox.jobs()) == ([], [])
    (said,) = scene.said("recorder")
    assert (said["recorder"], said["event"]) == ("Tiny", "RunFailed")
    assert "it is broken" in said["trace"]


def test_a_bug_is_told_once_until_the_recorder_is_well_again() -> None:
    lines = line("flaky", "* * * * *", retries=0)
    scene, _ = world(*(ValueError("a bug"),) * 3, lines=lines)
    lives(scene, "12:02:30")
    assert (len(scene.said("recorder")), len(told(scene))) == (1, 2)


class Forgetful(Tiny):
    """A recorder that does not even know what it is asked for."""

    def concerns(self, event: Event) -> bool:
        raise ValueError(event)


def test_a_bug_in_the_first_look_is_one_too() -> None:
    scene = World(LINES, acts=ACTS, recorder=Forgetful)
    lives(scene, "12:00:30")
    assert scene.history("flaky") == ["12:00 failed (no attempts left): exit 1"]
    assert len(scene.said("recorder")) == 1
