"""The quiet promise: in a month a person gets as many messages as docs/alerts.md says.

The daemon is the real one, with its dispatcher, on the virtual clock; the courier remembers what it
was to send. Each row of the document's table is a job with a target of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alerting import FAILS, WELL, alerting
from fakes import Act
from world import DAY, World, line, when

from scheduler.pause import Paused
from scheduler.run import Exited

if TYPE_CHECKING:
    from scheduler.notice import Delivery

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"
HOURLY, DAILY = "0 * * * *", "0 3 * * *"
END = "31T00:00"
HOUR = timedelta(hours=1)

Does = Callable[[datetime], Act]


def hours(at: datetime) -> int:
    """How many hours of the month are over."""
    return (at - DAY) // HOUR


def days(at: datetime) -> int:
    return hours(at) // 24


def fails_if(is_so: Callable[[datetime], bool]) -> Does:
    return lambda at: FAILS if is_so(at) else WELL


@dataclass(frozen=True)
class Row:
    """One row of the table: a job, its settings, and what it does at a time."""

    schedule: str
    does: Does
    alert: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    number: int = 1  # of such jobs


# --- the rows, by their text in the document -----------------------------------------------------

ALWAYS_UP = {
    "an hourly job runs well": Row(HOURLY, fails_if(lambda _: False)),
    "an hourly job fails once, and once more two weeks later": Row(HOURLY, fails_if(lambda at: hours(at) in (30, 366))),
    "an hourly job fails for a week": Row(HOURLY, fails_if(lambda at: days(at) < 7)),
    "an hourly job fails all month": Row(HOURLY, fails_if(lambda _: True)),
    "an hourly job fails every second time, all month": Row(HOURLY, fails_if(lambda at: hours(at) % 2 == 0)),
    "an hourly job fails one time in ten, all month": Row(HOURLY, fails_if(lambda at: hours(at) % 10 == 0)),
    "an hourly job fails in another way each time, all month": Row(HOURLY, lambda at: Act(outcome=Exited(1 + hours(at) % 200))),
    "a daily job fails all month": Row(DAILY, fails_if(lambda _: True)),
    "a daily job fails every second time, all month": Row(DAILY, fails_if(lambda at: days(at) % 2 == 0)),
    "with `after 3`: an hourly job fails two times out of three, all month": Row(HOURLY, fails_if(lambda at: hours(at) % 3 < 2), ",after,3"),
    "with `after 3`: an hourly job fails three times in a row, once": Row(HOURLY, fails_if(lambda at: 100 <= hours(at) < 103), ",after,3"),
    "with `slow`: an hourly job takes ten times as long for two days": Row(HOURLY, lambda at: Act(lasts=200 if 10 <= days(at) < 12 else 20), ",slow"),
    "with `CRON_EXPECT=2h`: an hourly job is paused for three days": Row(HOURLY, fails_if(lambda _: False), settings={"expect": "2h"}),
    "with `CRON_EXPECT=2h`: an hourly job fails for three days": Row(HOURLY, fails_if(lambda at: 10 <= days(at) < 13), settings={"expect": "2h"}),
}  # fmt: skip
CROWD = {
    "1,000 jobs fail in one minute, and are well an hour later": Row("0 10,11 5 3 *", fails_if(lambda at: hours(at) % 24 == 10), number=1000),
}  # fmt: skip
RESTARTED = {
    "an hourly job fails for a week, and each day the daemon is started anew or killed": Row(HOURLY, fails_if(lambda at: days(at) < 7)),
}  # fmt: skip
ASLEEP = {
    "a machine sleeps every weekend: an hourly job": Row(HOURLY, fails_if(lambda _: False)),
    "a machine sleeps every weekend: an hourly job with `missed`": Row(HOURLY, fails_if(lambda _: False), ",missed"),
    "a machine sleeps every weekend: an hourly job with `CRON_EXPECT=2h`": Row(HOURLY, fails_if(lambda _: False), settings={"expect": "2h"}),
}  # fmt: skip


class Script(Mapping[str, Sequence[Act]]):
    """What each job does, by the time at which it starts."""

    def __init__(self, jobs: Mapping[str, Does]) -> None:
        self._jobs = jobs
        self.world: World | None = None

    def __getitem__(self, job: str) -> Sequence[Act]:
        assert self.world is not None
        return [self._jobs[job](self.world.clock.now())]

    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)


def month(rows: Mapping[str, Row]) -> tuple[World, list[str]]:
    """A world of these rows from the first of March on, and their targets in order."""
    targets, text, does = [], [], {}
    for place, row in enumerate(rows.values()):
        targets.append(f"|tell-{place}")
        for number in range(row.number):
            job = f"job-{place}-{number}"
            settings = {"alert": f'"{row.alert.strip(",")}{"," * bool(row.alert)}|tell-{place}"'}
            text.append(line(job, row.schedule, retries=0, **settings, **row.settings))
            does[job] = row.does
    script = Script(does)
    world = alerting(
        "".join(text),
        Path("/nowhere"),
        acts=script,
        now="00:00:30",
        watches=False,
        lasts=timedelta(days=31),
    )
    script.world = world
    for day in range(1, 31):  # nothing runs then, and what has run need not be looked through
        world.at(f"{day:02}T00:45", world.spawner.launched.clear)
    return world, targets


def messages(world: World, targets: Sequence[str], rows: Mapping[str, Row]) -> dict[str, int]:
    """How many messages each row's target got."""
    got = Counter(delivery.target for delivery in sent(world))
    return {text: got[target] for text, target in zip(rows, targets, strict=True)}


def sent(world: World) -> list[Delivery]:
    return [delivery for _, delivery in world.courier.sent]


@cache
def a_month_always_up() -> dict[str, int]:
    world, targets = month(ALWAYS_UP)
    place = [*ALWAYS_UP].index("with `CRON_EXPECT=2h`: an hourly job is paused for three days")
    job = f"job-{place}-0"
    pause_at(world, "10T00:30", "13T00:30", job)
    world.runs_until(END)
    return messages(world, targets, ALWAYS_UP)


def pause_at(world: World, since: str, until: str, job: str) -> None:
    """Let the job be paused by who starts the daemon anew."""
    world.runs_until(since)
    with world.journal.transaction():
        world.journal.daemon_state.pause(Paused(job, when(since), when(until)))
    world.new_daemon()


@cache
def a_month_of_a_crowd() -> dict[str, int]:
    world, targets = month(CROWD)
    world.runs_until("06T12:00")  # nothing is due after the fifth
    return messages(world, targets, CROWD)


@cache
def a_month_of_restarts() -> dict[str, int]:
    world, targets = month(RESTARTED)
    for day in range(1, 30):
        time = f"{day:02}T12:30"
        if day % 2:
            world.runs_until(time)
        else:
            world.crashes_at(time)
    world.runs_until(END)
    return messages(world, targets, RESTARTED)


@cache
def a_month_with_sleep() -> dict[str, int]:
    world, targets = month(ASLEEP)
    for friday in (5, 12, 19, 26):
        world.sleep_at(f"{friday:02}T18:00", f"{friday + 3:02}T08:20")
    world.runs_until(END)
    return messages(world, targets, ASLEEP)


def promised() -> dict[str, int]:
    """The document's table: what happens, and how many messages come of it."""
    table = PAGE.read_text().split("| in 30 days | messages |")[1].split("\n\n")[0]
    rows = (row.strip("|").rsplit("|", 1) for row in table.strip().splitlines()[1:])
    return {text.strip(): int(re.sub(r"\D", "", number)) for text, number in rows}


MONTHS: list[tuple[str, Callable[[], dict[str, int]]]] = [
    *((text, a_month_always_up) for text in ALWAYS_UP),
    *((text, a_month_of_a_crowd) for text in CROWD),
    *((text, a_month_of_restarts) for text in RESTARTED),
    *((text, a_month_with_sleep) for text in ASLEEP),
]


@pytest.mark.parametrize(("text", "lived"), MONTHS, ids=[text for text, _ in MONTHS])
def test_a_person_gets_as_many_messages_as_the_document_says(
    text: str, lived: Callable[[], dict[str, int]]
) -> None:
    assert lived()[text] == promised()[text]


def test_every_row_of_the_document_is_lived_through() -> None:
    assert promised().keys() == {text for text, _ in MONTHS}
