"""The rule of local clock changes for every zone there is, 2000-2037, and wherever the host is."""

from __future__ import annotations

import random
import time
from itertools import cycle, islice, takewhile
from random import Random
from typing import TYPE_CHECKING

import pytest
import reference
from clock_changes import CASES
from every_change import MINUTE, ClockChange, changes, clocks
from schedules import comes, expression

from scheduler.schedule.dst import is_due, walls
from scheduler.schedule.search import following, preceding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

pytestmark = pytest.mark.slow  # every zone there is

TEXTS = 10  # random expressions for each clock


Walk = tuple[reference.Shown, ...]


def around(change: ClockChange, zone: ZoneInfo, margin: int) -> Walk:
    """Walk over what is repeated, both times, and `margin` minutes on either side of it."""
    repeated = max(-change.shift, 0 * MINUTE)
    start = change.at - repeated - margin * MINUTE
    return reference.walk(zone, start, 2 * (repeated // MINUTE + margin), watched=1)


def test_every_clock_change_is_seen_judged_and_found_as_by_brute_force() -> None:
    for change, zone in changes().items():
        walk = around(change, zone, margin=2)
        every_minute_is_seen(zone, walk)
        first, texts = telling(change)
        every_expression_is_judged(change, zone, walk, first, texts)
        looks = [shown for shown in walk if shown.at in {change.at, first, first - change.shift}]
        expected = [shown.at for shown in looks if reference.is_due(texts[0], shown)]
        assert search(texts[0], zone, walk) == expected, (zone, change)


def every_minute_is_seen(zone: ZoneInfo, walk: Walk) -> None:
    for shown in walk:
        *skipped, wall = walls(zone, shown.at)
        found = (wall.time, tuple(each.time for each in skipped), wall.repeated)
        assert found == (shown.wall, shown.jumped_over, shown.seen_before), (zone, shown.at)


def telling(change: ClockChange) -> tuple[datetime, list[str]]:
    """Return a UTC minute that the clock skips or shows first, and texts that ask for its time."""
    at = change.at + abs(change.shift) // (2 * MINUTE) * MINUTE + min(change.shift, 0 * MINUTE)
    wall = (at + change.before).replace(tzinfo=None)
    minute, hour = wall.minute, wall.hour
    return at, [
        f"{minute} {hour} * * *",
        f"{minute} {hour} {wall.day} {wall.month} *",
        f"{minute} * * * *",
        f"{minute} */1 * * *",
        f"*/5 {hour} * * *",
        f"{minute} {hour},{(change.at + change.after).hour} * * *",
    ]


def every_expression_is_judged(
    change: ClockChange, zone: ZoneInfo, walk: Walk, first: datetime, texts: list[str]
) -> None:
    edges = {
        change.at,
        change.at + abs(change.shift),
        change.at - abs(change.shift),
        first - change.shift,
    }
    looks = {at + n * MINUTE for at in (first, *edges) for n in (-1, 0)}
    asked = [expression(text) for text in texts]
    for shown in walk:
        if shown.at in looks:
            found = [is_due(each, zone, shown.at) for each in asked]
            expected = [reference.is_due(text, shown) for text in texts]
            assert found == expected, (zone, shown.at, texts)


def search(text: str, zone: ZoneInfo, walk: Walk) -> list[datetime]:
    """Return the first few instants of the walk by `following`, if `preceding` finds them too."""
    asked, start, end = expression(text), walk[0].at, walk[-1].at + MINUTE
    ahead = (each.at for each in following(asked, zone, start - MINUTE))
    found = list(takewhile(lambda at: at < end, islice(ahead, 5)))
    back = preceding(asked, zone, found[-1] + MINUTE if found else end)
    assert list(takewhile(lambda at: at >= start, islice(back, 6))) == found[::-1], (zone, text)
    return found


def random_changes() -> Iterator[tuple[ZoneInfo, ClockChange, str]]:
    """Draw some clock changes of every clock, with an expression for each."""
    drawn = Random(random.random())  # seeded anew on each run, and the seed is printed
    for clock in clocks():
        for _ in range(TEXTS):
            text = reference.random_text(drawn, every_day=drawn.random() < 0.5)
            if comes(text):
                yield clock.zone, drawn.choice(clock.changes), text


def test_random_expressions_in_every_zone_are_due_and_found_when_brute_force_says_so() -> None:
    for zone, change, text in random_changes():
        walk = around(change, zone, margin=30)
        expected = [shown.at for shown in walk if reference.is_due(text, shown)]
        asked = expression(text)
        found = [shown.at for shown in walk if is_due(asked, zone, shown.at)]
        assert found == expected, (zone, change, text)
        assert search(text, zone, walk) == expected[:5], (zone, change, text)


def test_no_zone_was_left_out() -> None:
    """The sweeps above would pass for no zone as well."""
    assert {30, 60, 120, 180, 1440} <= {abs(change.shift) // MINUTE for change in changes()}
    assert len(clocks()) > 150
    assert len(changes()) > 3000


# --- the machine's own zone ----------------------------------------------------------------------


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Move the machine on to the next zone of three, whose clocks all show another time."""
    zones = cycle(("America/New_York", "Pacific/Apia", "Australia/Lord_Howe"))

    def moves() -> None:
        monkeypatch.setenv("TZ", next(zones))
        time.tzset()

    moves()
    yield moves
    monkeypatch.undo()
    time.tzset()


def holds_wherever_the_host_is(direction: str, host: Callable[[], None]) -> None:
    for case in CASES:
        if case.direction == direction:
            asked, found = expression(case.text), []
            for each in following(asked, case.zone, case.start - MINUTE):
                if each.at >= case.end:
                    break
                assert is_due(asked, case.zone, each.at)
                found.append(case.show(each.at))
                host()
            assert " ".join(found) == case.expected, case.why


def test_the_machines_own_zone_in_spring(host: Callable[[], None]) -> None:
    holds_wherever_the_host_is("forward", host)


def test_the_machines_own_zone_in_autumn(host: Callable[[], None]) -> None:
    holds_wherever_the_host_is("back", host)
