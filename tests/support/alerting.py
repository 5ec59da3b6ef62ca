"""A world whose daemon writes what somebody is to hear, and what it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakes import Act
from world import World, shown

from scheduler.alerts.own_user import OwnUser
from scheduler.alerts.recorder import AlertRecorder
from scheduler.run import Exited

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.journal.journal import Journal
    from scheduler.notice import Notice

FAILS = Act(outcome=Exited(1))
WELL = Act()


def alerting(text: str, state: Path, *, has_mailer: bool = True, **other: Any) -> World:
    """A world of this crontab, whose jobs' outputs are in `state`."""

    def recorder(journal: Journal) -> AlertRecorder:
        return AlertRecorder(journal, state, OwnUser("root"), lambda: has_mailer)

    return World(text, recorder=recorder, **other)


def change(world: World, time: str, *acts: Act) -> None:
    """Let the job do something else from then on."""
    world.at(time, lambda: world.acts.update(job=list(acts)))  # type: ignore[attr-defined] # a dict


def notices(world: World) -> list[Notice]:
    """All that is in the outbox, in order."""
    return [row.notice for row in world.journal.outbox.notices()]


def told(world: World) -> list[str]:
    """Who was told of what, a line each."""
    return [
        f"{shown(each.at)} {each.target} {each.kind} {each.facts.job}" for each in notices(world)
    ]
