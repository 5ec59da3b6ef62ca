"""What a rule says where there is nothing more: no such date, no calendar, no file, no reader."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from croniter import CroniterBadDateError, croniter
from schedules import UTC_ZONE, expression

from scheduler.entry import Entry
from scheduler.errors import BadValue
from scheduler.schedule import posix_zone, zone_data
from scheduler.schedule.counting import nth_last
from scheduler.schedule.search import following, preceding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
NEVER = replace(expression("0 0 30 1 *"), months=frozenset({2}))  # the parser refuses the like


def test_a_date_that_never_comes_is_neither_before_nor_after() -> None:
    assert list(following(NEVER, UTC_ZONE, NOON)) == []
    assert list(preceding(NEVER, UTC_ZONE, NOON)) == []


def far(years: int) -> Callable[..., datetime]:
    """A search that finds no date but one in so many years."""
    return lambda *_: datetime(2027 + years, 1, 1, 2, 1)


def failing(error: type[Exception]) -> Callable[..., datetime]:
    def fails(*_: object) -> datetime:
        raise error

    return fails


@pytest.mark.parametrize(
    ("after", "before"),
    [
        *((failing(error),) * 2 for error in (CroniterBadDateError, OverflowError, ValueError)),
        (far(900), far(-900)),
    ],
    ids=["no date", "too large", "wrong", "far away"],
)
def test_where_the_library_finds_no_date_that_is_meant_there_is_none(
    after: Callable[..., datetime], before: Callable[..., datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = expression("1 2 * * *")
    monkeypatch.setattr(croniter, "get_next", after)
    monkeypatch.setattr(croniter, "get_prev", before)
    assert list(following(daily, UTC_ZONE, NOON)) == []
    assert list(preceding(daily, UTC_ZONE, NOON)) == []


def test_days_that_the_library_does_not_mix_are_sifted_backwards_too() -> None:
    found = preceding(expression("0 0 10,L * *"), UTC_ZONE, NOON)
    assert [next(found).day for _ in range(3)] == [28, 10, 31]


def test_before_the_calendar_there_is_nothing() -> None:
    leap = expression("0 0 29 2 *")
    assert list(preceding(leap, UTC_ZONE, datetime(3, 1, 1, tzinfo=UTC))) == []


def test_of_fewer_than_were_asked_for_it_is_the_first() -> None:
    entry = Entry("a", expression("0 * * * *"), "0 * * * *", ZoneInfo("UTC"), "true")
    first = NOON - timedelta(days=70)
    assert nth_last(entry, first, NOON, 10_000) == first


def test_a_rule_that_this_pythons_reader_does_not_take_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(*_: object, **__: object) -> ZoneInfo:
        raise ValueError

    monkeypatch.setattr(posix_zone.RuleZone, "from_file", refuses)
    with pytest.raises(BadValue, match="this Python can't read") as raised:
        posix_zone.zone("XYZ-1XYZST,M3.4.0/1,M10.4.0/2")
    assert raised.value.code == "bad-zone-rule"


def test_what_is_no_file_is_no_zone(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a regular file"):
        zone_data.bytes_of(pipe)
    assert not zone_data._is_file(tmp_path / ("a" * 5000))
    assert not zone_data._holds(tmp_path / "none", b"")


def test_a_zone_that_can_not_be_looked_at_has_no_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def stat(self) -> None:
            raise PermissionError

    monkeypatch.setattr(zone_data, "file_of", lambda _: Gone())
    assert zone_data._stamp("Europe/Berlin") is None


def test_without_the_package_it_lists_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_data, "find_spec", lambda _: None)
    zone_data._package.cache_clear()
    zone_data._packaged.cache_clear()
    try:
        assert (zone_data._package(), zone_data._packaged()) == (None, frozenset())
    finally:
        zone_data._package.cache_clear()
        zone_data._packaged.cache_clear()
