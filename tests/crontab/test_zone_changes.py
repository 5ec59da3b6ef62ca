"""A zone's data change while a daemon runs, or differ between two databases: what moves, who says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world import World, line, when
from zonefiles import BERLIN, DAMAGES, database, moved, put

from scheduler.crontab import setting_values, zone_changes
from scheduler.schedule import zone_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Person

ZONE = "Europe/Berlin"
AHEAD = moved(BERLIN)  # from 2027 on, three hours ahead of UTC in winter where it was one


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Path]:
    with database(tmp_path / "zoneinfo") as folder:
        put(folder, ZONE)
        yield folder


def told(world: World, message: str) -> list[str]:
    """What a person reads behind the time and the kind of line."""
    lines = [line.split(maxsplit=3) for line in world.log.getvalue().splitlines()]
    return [words[3] for words in lines if words[2:3] == [message]]


@pytest.mark.parametrize("schedule", ["0 15 * * *", "30 14 * * *"])
def test_new_data_are_gone_by_from_the_next_minute_on(system: Path, schedule: str) -> None:
    """At 12:30 UTC it is 13:30 by the old data, and 15:30 by the new."""
    world = World(line("job", schedule, tz=ZONE), now="11:58:10", style="human")
    world.at("11:58:40", lambda: put(system, ZONE, AHEAD))
    world.runs_until("12:40")
    assert world.starts("job") == (["12:00:00"] if schedule == "0 15 * * *" else [])


def test_the_log_says_what_moved_and_for_whom(system: Path) -> None:
    text = line("job", "0 20 * * *", tz=ZONE) + line("other", "0 9 * * *", tz="Asia/Tokyo")
    world = World(text + line("each", "* * * * *", tz=ZONE), now="11:58:10", style="human")
    world.at("11:58:40", lambda: put(system, ZONE, AHEAD))
    world.runs_until("12:01:30")
    moves = (
        "job from Mon 2027-03-01 20:00+01:00 (19:00 UTC) to Mon 2027-03-01 20:00+03:00 (17:00 UTC)"
    )
    head = f"zone data of {ZONE} changed: the next run of 1 of 2 entries moves: "
    assert told(world, "zone") == [head + moves]
    assert world.starts("each") == ["11:58:10", "11:59:00", "12:00:00", "12:01:00"]


def test_machines_read_what_moved(system: Path) -> None:
    world = World(line("job", "0 20 * * *", tz=ZONE), now="11:58:10")
    world.at("11:58:40", lambda: put(system, ZONE, AHEAD))
    (facts,) = world.runs_until("12:01:30").said("zone")
    move = {"job": "job", "before": "2027-03-01T19:00:00Z", "after": "2027-03-01T17:00:00Z"}
    assert (facts["zone"], facts["entries"], facts["moved"]) == (ZONE, 1, [move])


def test_new_data_that_move_nothing_are_said_once(system: Path) -> None:
    world = World(line("job", "0 20 * * *", tz=ZONE), now="11:58:10", style="human")
    later = moved(BERLIN, b"M10.5.0", b"M10.4.0")  # next autumn
    world.at("11:58:40", lambda: put(system, ZONE, later))
    world.runs_until("12:01:30")
    assert told(world, "zone") == [f"zone data of {ZONE} changed: 1 entry, and no next run moves"]
    assert len(told(world, "crontabs")) == 2  # and read once more, not each minute


def test_many_moves_are_told_by_some(system: Path) -> None:
    jobs = "".join(line(f"job{n}", f"{n} 20 * * *", tz=ZONE) for n in range(5))
    world = World(jobs, now="11:58:10", style="human")
    world.at("11:58:40", lambda: put(system, ZONE, AHEAD))
    (text,) = told(world.runs_until("12:01:30"), "zone")
    assert text.startswith(f"zone data of {ZONE} changed: the next run of 5 of 5 entries moves")
    assert text.endswith("; and 2 more")
    assert text.count(" to ") == 3


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_meanwhile_leaves_what_was_in_force(
    system: Path, damage: str
) -> None:
    world = World(line("job", "* * * * *", tz=ZONE), now="11:58:10", style="human")
    world.at("11:58:40", lambda: put(system, ZONE, DAMAGES[damage](BERLIN)))
    world.at("12:03:40", lambda: put(system, ZONE))
    world.runs_until("12:05:30")
    assert len(world.starts("job")) == 8
    (problem,) = told(world, "problem")
    assert f"damaged-zone the zone file {system / ZONE} is damaged: {damage}" in problem
    kept = f"{'job':24}its line is unreadable; the last good version keeps running (crontab)"
    assert told(world, "kept") == [kept]
    assert told(world, "zone") == [f"zone data of {ZONE} changed: 1 entry, and no next run moves"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_daemon_starts_beside_a_damaged_file_and_goes_by_a_mended_one(
    system: Path, damage: str
) -> None:
    put(system, ZONE, DAMAGES[damage](BERLIN))
    text = line("job", "* * * * *", tz=ZONE) + line("other", "* * * * *", tz="Asia/Tokyo")
    world = World(text, now="11:58:10", style="human")
    world.at("12:00:40", lambda: put(system, ZONE))
    world.runs_until("12:02:30")
    assert world.starts("job") == ["12:01:00", "12:02:00"]
    assert world.starts("other")[0] == "11:58:10"


def test_a_zone_that_comes_with_new_data_is_gone_by(system: Path) -> None:
    world = World(line("job", "* * * * *", tz="Mars/Olympus"), now="11:58:10", style="human")
    world.at("11:58:40", lambda: put(system, "Mars/Olympus", BERLIN))
    assert world.runs_until("12:00:30").starts("job") == ["11:59:00", "12:00:00"]


# --- two databases -------------------------------------------------------------------------------


def test_two_databases_that_differ_within_a_year_are_warned_about(system: Path) -> None:
    put(system, ZONE, AHEAD)
    (problem,) = zone_changes.conflicts([ZONE, "Asia/Tokyo"], when("12:00"))
    assert (problem.file, problem.code) == (str(system / ZONE), "zone-data-differ")
    assert problem.message == (
        "Europe/Berlin: the machine's data and those of the tzdata package differ from 2027-03-01 on,"
        " UTC+03:00 and UTC+01:00; the machine's are gone by"
    )


@pytest.mark.parametrize(
    ("old", "new", "day", "why"),
    [
        (b"M10.5.0", b"M10.4.0", "2027-10-24", "the autumn begins a week earlier"),
        (b"M3.5.0", b"M4.1.0", "2027-03-28", "the spring a week later"),
        (b"CEST,M3.5.0,M10.5.0/3", b"", "2027-03-28", "there is no summer time any more"),
    ],
)
def test_the_first_day_of_a_difference_is_named(
    system: Path, old: bytes, new: bytes, day: str, why: str
) -> None:
    put(system, ZONE, BERLIN.replace(old, new))
    (problem,) = zone_changes.conflicts([ZONE], when("12:00"))
    assert f"differ from {day} on" in problem.message, why


def test_what_differs_in_form_alone_or_is_damaged_is_no_difference(system: Path) -> None:
    assert list(zone_changes.conflicts([ZONE], when("12:00"))) == []
    put(system, ZONE, BERLIN.replace(b"LMT", b"XYZ"))  # of before 1893
    assert list(zone_changes.conflicts([ZONE], when("12:00"))) == []
    put(system, ZONE, b"")  # that is said where it is used
    assert list(zone_changes.conflicts([ZONE, str(system / "x"), "UTC"], when("12:00"))) == []


def test_check_warns_of_two_databases_that_differ(system: Path, person: Person) -> None:
    put(system, ZONE, AHEAD)
    zone_data.renew()
    result = person.types("check", person.file(f"CRON_TZ={ZONE} 0 9 * * * x\n"))
    assert f"{system / ZONE}: zone-data-differ Europe/Berlin: the machine's data" in result.stdout
    assert result.exit_code == 0


@pytest.mark.usefixtures("system")
def test_an_edit_leaves_entries_of_unchanged_data_what_they_are() -> None:
    """Equal entries share one zone, also over reloads: a timetable groups them by it."""
    zones = []
    for text in ("0 9 * * * x\n", "0 9 * * * x\n0 9 * * * y\n", "0 9 * * * x\n"):
        zone_data.renew()
        zones += [setting_values.zone(ZONE) for _ in text.splitlines()]
    assert len({id(zone) for zone in zones}) == 1
