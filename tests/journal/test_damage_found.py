"""A daemon that finds its journal damaged: it ends at once and leaves its jobs alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import Act, FakeSpawner
from frail_journal import FrailJournal
from lost_journal import (
    NOON,
)
from world import World, line

from scheduler.errors import JournalDamaged
from scheduler.process.launch import Launch
from scheduler.run import Attempt, Run


def finds_damage(world: World) -> None:
    """Let the next statement find it."""

    def found() -> None:
        raise JournalDamaged("a page of it")

    assert isinstance(world.journal, FrailJournal)
    world.journal.accidents[world.journal.statements + 1] = found


def test_a_daemon_that_finds_a_damage_ends_at_once_and_leaves_its_jobs_alone() -> None:
    world = World(
        line("long", "0 12 * * *") + line("next", "1 12 * * *"), acts={"long": [Act(lasts=600)]}
    )
    world.at(
        "12:00:30",
        lambda: finds_damage(world),
    )
    with pytest.raises(JournalDamaged):
        world.run()
    assert world.starts("long") == ["12:00:00"]
    assert world.signals() == []
    assert world.spawner.descriptors == set()
    assert world.said("journal")
    assert [attempt.run.job for attempt in world.spawner.living()] == ["long"]


def test_one_that_is_asked_to_stop_stops() -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(lasts=600)]})
    world.stop_at("12:00:30")
    world.at(
        "12:00:30",
        lambda: finds_damage(world),
    )
    world.run()
    assert world.said("stopped")


def test_a_process_that_the_new_journal_does_not_know_ends_unseen() -> None:
    world = World(line("job", "0 12 * * *"))
    attempt = Attempt(Run(99, "unknown", NOON), 1)
    entry = replace(world.library.load().entries[0], job="unknown")
    launch = world.spawner.prepare(entry, attempt, Path("log"))
    assert isinstance(launch, Launch)
    FakeSpawner.start(world.spawner, launch)
    assert world.runs_until("12:00:30").starts("job") == ["12:00:00"]
