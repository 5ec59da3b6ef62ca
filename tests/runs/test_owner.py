"""Whose a run is: the user of its entry when it was claimed, and nobody's who did not run all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes import Act
from world import Asked, World, line

from scheduler.protocol import Pause
from scheduler.run import Exited, State

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = "0 12 * * *"


def owners(world: World, job: str = "job") -> list[str | None]:
    return [row.run.user for row in world.journal.queries.history(job)]


@pytest.mark.parametrize(
    ("file", "owner", "why"),
    [("@alice", "alice", "a user's table"), ("crontab", None, "the daemon's own")],
)
def test_a_run_is_its_entrys_users(file: str, owner: str | None, why: str) -> None:
    world = World()
    world.edit(line("job", NOON), file=file)
    world.runs_until("12:05")
    assert owners(world) == [owner], why


def test_instants_that_are_left_out_are_a_users_too() -> None:
    world = World()
    world.edit(line("job", "* * * * *", overlap="skip"), file="@alice")
    world.spawner.acts = {"job": [Act(lasts=600)]}
    world.runs_until("12:05")
    assert owners(world) == ["alice"] * 6


def moved(to: str | None) -> Callable[[World], None]:
    """Have the job in another table, and the daemon read it."""

    def move(world: World) -> None:
        world.edit(None, file="@alice")
        if to is not None:
            world.edit(line("job", NOON, retry_delay="5m"), file=to)

    return move


@pytest.mark.parametrize(
    ("to", "owner", "why"),
    [
        ("@alice", "alice", "nothing has changed"),
        ("@bob", None, "bob's attempt is none of alice's, nor hers of his"),
        ("crontab", None, "and root's is none of hers"),
    ],
)
def test_a_run_with_attempts_of_two_users_is_neithers(to: str, owner: str | None, why: str) -> None:
    world = World()
    world.edit(line("job", NOON, retry_delay="5m"), file="@alice")
    world.spawner.acts = {"job": [Act(outcome=Exited(1)), Act()]}
    world.at("12:02", lambda: moved(to)(world))
    world.runs_until("12:10")
    (row,) = world.journal.queries.history("job")
    assert len(row.attempts) == 2
    assert row.run.user == owner, why


def test_a_stretch_of_left_out_instants_is_of_one_user() -> None:
    world = Asked()
    world.edit(line("job", "* * * * *"), file="@alice")

    def move() -> None:
        world.edit(None, file="@alice")
        world.edit(line("job", "* * * * *"), file="@bob")

    world.ask_at("12:00:30", Pause(("job",)))
    world.at("12:03:30", move)
    world.runs_until("12:07:30")
    told = [
        (row.run.user, row.run.instant.minute, row.until and row.until.minute)
        for row in world.journal.queries.history("job")
        if row.state is State.SKIPPED
    ]
    assert told == [("alice", 1, 3), ("bob", 4, 7)]


def test_a_run_keeps_its_owner_across_a_restart() -> None:
    world = World()
    world.edit(line("job", NOON, retry_delay="5m"), file="@alice")
    world.spawner.acts = {"job": [Act(outcome=Exited(1)), Act()]}
    world.runs_until("12:02")
    world.new_daemon()
    world.runs_until("12:10")
    (row,) = world.journal.queries.history("job")
    assert (row.run.user, len(row.attempts)) == ("alice", 2)
