"""Berlin's two nights of the year, and minutes that nobody handled: the README's second table.

In spring 01:59+01 is followed by 03:00+02, in autumn 02:59+02 by 02:00+01; each rule about missed
minutes, jumps and restarts is tried across both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fakes import FakeClock
from world import World, line

from scheduler.schedule.tick import Verdict

if TYPE_CHECKING:
    from scheduler.journal.rows import RunRow

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = {"spring": "2027-03-28", "autumn": "2027-10-31"}
NIGHT = line("night", "30 2 * * *", tz="Europe/Berlin")
HALF = line("half", "*/30 * * * *", tz="Europe/Berlin")
MINUTES = line("minutes", "* * * * *", tz="Europe/Berlin")


class Night(World):
    """A world in one of the nights; times are written as `02:30+02`."""

    def __init__(self, season: str, start: str, text: str = NIGHT + HALF) -> None:
        super().__init__(text)
        self.day = DAYS[season]
        self.clock = self.spawner.clock = FakeClock(self.instant(start))
        self.new_daemon()

    def instant(self, local: str) -> datetime:
        return datetime.fromisoformat(f"{self.day}T{local}:00").astimezone(UTC)

    def local(self, at: datetime) -> str:
        shown = at.astimezone(BERLIN)
        seconds = f"{shown:%S}".replace("00", "")
        return f"{shown:%H:%M}{seconds and ':' + seconds}{shown.isoformat()[-6:-3]}"

    def ends(self, local: str) -> Night:
        """Let a daemon run until then."""
        self.clock.at(self.instant(local), lambda: self.daemon.stop())  # noqa: PLW0108 (whichever runs by then)
        self.run()
        return self

    def is_gone(self, since: str, until: str) -> Night:
        """Let there be no daemon for a while."""
        self.ends(since)
        self.clock.set(self.instant(until))
        return self

    def sets(self, since: str, to: str, stop: str) -> None:
        """Let somebody set the clock, and the daemon end some time after that."""

        def happening() -> None:
            self.clock.set(self.instant(to))
            self.clock.at(self.instant(stop), self.daemon.stop)

        self.clock.at(self.instant(since), happening)
        self.run()

    def ran(self, job: str) -> list[str]:
        """When processes of the job started."""
        return [self.local(at) for at, _ in self.spawner.starts(job)]

    def told(self, job: str) -> list[str]:
        """What the journal tells of the job."""
        return [self._line(row) for row in self.journal.queries.history(job)]

    def _line(self, row: RunRow) -> str:
        until = f" to {self.local(row.until)}" if row.until else ""
        return f"{self.local(row.run.instant)}{until} {row.reason or row.state}"


# --- up to 5 minutes -----------------------------------------------------------------------------


def test_up_to_5_minutes_missed_in_spring() -> None:
    night = Night("spring", "01:50+01").is_gone("01:58+01", "03:02+02").ends("03:10+02")
    assert night.ran("night") == night.ran("half") == ["03:02+02"]
    assert night.told("night") == ["03:00+02 succeeded"]


def test_up_to_5_minutes_missed_in_autumn() -> None:
    night = Night("autumn", "02:20+02").is_gone("02:28+02", "02:32+02").ends("02:35+01")
    assert night.ran("night") == ["02:32+02"]
    assert night.ran("half") == ["02:32+02", "02:00+01", "02:30+01"]
    assert night.told("night") == ["02:30+02 succeeded"]


# --- more ----------------------------------------------------------------------------------------


def test_more_than_5_minutes_missed_in_spring() -> None:
    night = Night("spring", "01:40+01").is_gone("01:50+01", "03:20+02").ends("03:40+02")
    assert night.ran("night") == ["03:20+02"]
    assert night.told("night") == ["03:00+02 succeeded"]
    assert night.told("half") == ["03:00+02 missed", "03:30+02 succeeded"]


def test_more_than_5_minutes_missed_in_autumn() -> None:
    night = Night("autumn", "02:10+02").is_gone("02:20+02", "02:45+01").ends("03:10+01")
    assert night.ran("night") == ["02:45+01"]
    assert night.told("night") == ["02:30+02 succeeded"]
    assert night.told("half") == ["02:30+02 to 02:30+01 missed", "03:00+01 succeeded"]


TWICE = line("job", "0,30 2,3 * * *", tz="Europe/Berlin")


def test_its_newest_instant_is_the_present_one_in_spring() -> None:
    night = Night("spring", "01:40+01", TWICE).is_gone("01:50+01", "03:30+02").ends("03:40+02")
    assert night.told("job") == ["03:00+02 superseded", "03:30+02 succeeded"]


def test_its_newest_instant_is_the_present_one_in_autumn() -> None:
    night = Night("autumn", "02:10+02", TWICE).is_gone("02:20+02", "03:30+01").ends("03:40+01")
    assert night.told("job") == ["02:30+02 to 03:00+01 superseded", "03:30+01 succeeded"]


def test_later_than_cron_within_in_spring() -> None:
    night = Night("spring", "01:40+01").is_gone("01:50+01", "06:01+02").ends("06:10+02")
    assert night.told("night") == ["03:00+02 too late"]
    assert night.ran("night") == []


def test_later_than_cron_within_in_autumn() -> None:
    night = Night("autumn", "02:10+02").is_gone("02:20+02", "04:31+01").ends("04:40+01")
    assert night.told("night") == ["02:30+02 too late"]
    assert night.ran("night") == []


def test_in_time_by_cron_within_in_spring_or_autumn() -> None:
    """One minute earlier it is elapsed time that counts, not what the clocks show."""
    spring = Night("spring", "01:40+01").is_gone("01:50+01", "06:00+02").ends("06:10+02")
    autumn = Night("autumn", "02:10+02").is_gone("02:20+02", "04:30+01").ends("04:40+01")
    assert (spring.ran("night"), autumn.ran("night")) == (["06:00+02"], ["04:30+01"])


ALL = line("job", "*/10 2,3 * * *", tz="Europe/Berlin", catchup="all")


def test_cron_catchup_all_in_spring() -> None:
    night = Night("spring", "01:40+01", ALL).is_gone("01:50+01", "03:25+02").ends("03:35+02")
    assert night.told("job") == [f"03:{ten}0+02 succeeded" for ten in range(4)]


def test_cron_catchup_all_in_autumn() -> None:
    night = Night("autumn", "02:40+02", ALL).is_gone("02:45+02", "02:25+01").ends("02:35+01")
    expected = ["02:40+02", "02:50+02", *(f"02:{ten}0+01" for ten in range(4))]
    assert night.told("job") == [f"{at} succeeded" for at in expected]


# --- starts --------------------------------------------------------------------------------------


def test_the_daemon_starts_in_the_middle_of_a_minute_in_spring() -> None:
    night = Night("spring", "03:00+02")
    night.clock.advance(10)
    assert night.ends("03:05+02").ran("night") == ["03:00:10+02"]


def test_the_daemon_starts_in_the_middle_of_a_minute_in_autumn() -> None:
    night = Night("autumn", "02:30+02")
    night.clock.advance(10)
    assert night.ends("02:35+01").ran("night") == ["02:30:10+02"]


def test_a_restart_in_the_middle_of_it_in_spring() -> None:
    night = Night("spring", "01:40+01", NIGHT + HALF + TWICE).is_gone("01:50+01", "03:20+02")
    night.clock.after(0.5, night.kill)  # one of two missed runs has started
    night.crashes()
    night.clock.after(0.2, lambda: night.daemon.stop())  # noqa: PLW0108 (whichever runs by then)
    night.run()
    night.ends("03:25+02")
    assert night.told("night") == night.told("job") == ["03:00+02 succeeded"]
    assert sorted(night.ran("night") + night.ran("job")) == ["03:20+02", "03:20:01+02"]


def test_a_restart_in_the_middle_of_it_in_autumn() -> None:
    night = Night("autumn", "02:10+02", NIGHT + HALF + TWICE).is_gone("02:20+02", "02:45+01")
    night.clock.after(0.5, night.kill)
    night.crashes()
    night.clock.after(0.2, lambda: night.daemon.stop())  # noqa: PLW0108 (whichever runs by then)
    night.run()
    night.ends("02:50+01")
    assert night.told("night") == ["02:30+02 succeeded"]
    assert night.told("job") == ["02:30+02 succeeded"]
    assert sorted(night.ran("night") + night.ran("job")) == ["02:45+01", "02:45:01+01"]


SPREAD = line("job", "30 2 * * *", tz="Europe/Berlin", spread="20m")


def test_a_spread_start_in_spring() -> None:
    night = Night("spring", "01:40+01", SPREAD).ends("03:25+02")
    again = Night("spring", "01:40+01", SPREAD).ends("03:25+02")
    assert night.told("job") == ["03:00+02 succeeded"]
    assert "03:00+02" < night.ran("job")[0] < "03:20+02"
    assert night.ran("job") == again.ran("job")


def test_a_spread_start_in_autumn() -> None:
    night = Night("autumn", "02:10+02", SPREAD).ends("02:55+01")
    assert night.told("job") == ["02:30+02 succeeded"]
    assert "02:30+02" < night.ran("job")[0] < "02:50+02"


# --- the clock is set ----------------------------------------------------------------------------


def test_the_clock_is_set_forward_in_spring() -> None:
    night = Night("spring", "01:40+01")
    night.sets("01:50+01", "03:20+02", stop="03:40+02")
    assert (night.ran("night"), night.told("night")) == (["03:20+02"], ["03:00+02 succeeded"])
    assert night.told("half") == ["03:00+02 missed", "03:30+02 succeeded"]


def test_the_clock_is_set_forward_in_autumn() -> None:
    night = Night("autumn", "02:10+02")
    night.sets("02:20+02", "02:45+01", stop="03:10+01")
    assert (night.ran("night"), night.told("night")) == (["02:45+01"], ["02:30+02 succeeded"])
    assert night.told("half") == ["02:30+02 to 02:30+01 missed", "03:00+01 succeeded"]


def test_the_clock_is_set_back_in_spring() -> None:
    night = Night("spring", "01:40+01")
    night.sets("03:05+02", "01:45+01", stop="03:40+02")
    assert night.ran("night") == ["03:00+02"]
    assert night.ran("half") == ["03:00+02", "03:30+02"]


def test_the_clock_is_set_back_in_autumn() -> None:
    night = Night("autumn", "02:10+02")
    night.sets("02:35+01", "02:15+02", stop="03:10+01")
    assert night.ran("night") == ["02:30+02"]
    assert night.ran("half") == ["02:30+02", "02:00+01", "02:30+01", "03:00+01"]


def test_the_clock_is_set_back_more_than_3_hours_in_spring() -> None:
    night = Night("spring", "01:50+01", NIGHT + MINUTES)
    night.sets("06:00+02", "01:30+01", stop="03:05+02")
    assert [jump.verdict for jump in night.journal.queries.jumps()] == [Verdict.RESET]
    minutes = night.ran("minutes")
    again = [f"01:{minute}+01" for minute in range(30, 60)]
    assert minutes[-35:] == [*again, *(f"03:0{minute}+02" for minute in range(5))]
    assert night.ran("night") == ["03:00+02"] * 2  # the first of them in a time that was not real


def test_the_clock_is_set_back_more_than_3_hours_in_autumn() -> None:
    night = Night("autumn", "02:10+02", NIGHT + MINUTES)
    night.sets("04:30+01", "01:50+02", stop="02:40+02")
    assert [jump.verdict for jump in night.journal.queries.jumps()] == [Verdict.RESET]
    minutes = night.ran("minutes")
    again = [f"01:{minute}+02" for minute in range(50, 60)]
    assert minutes[-50:] == [*again, *(f"02:{minute:02}+02" for minute in range(40))]
    assert night.ran("night") == ["02:30+02"] * 2


def test_the_clock_is_set_back_into_time_that_it_jumped_over_in_spring() -> None:
    night = Night("spring", "01:40+01")
    night.clock.at(night.instant("01:50+01"), lambda: night.clock.set(night.instant("04:20+02")))
    night.sets("04:21+02", "03:10+02", stop="04:10+02")
    assert night.ran("night") == ["04:20+02"]  # made up for: 03:00 did not come again
    assert night.told("half") == [
        "03:00+02 to 04:00+02 missed",
        "03:30+02 succeeded",
        "04:00+02 succeeded",
    ]


def test_the_clock_is_set_back_into_time_that_it_jumped_over_in_autumn() -> None:
    night = Night("autumn", "02:10+02")
    night.clock.at(night.instant("02:20+02"), lambda: night.clock.set(night.instant("03:20+01")))
    night.sets("03:21+01", "02:10+01", stop="03:10+01")
    assert night.ran("night") == ["03:20+01"]
    assert night.told("half") == [
        "02:30+02 to 03:00+01 missed",
        "02:30+01 succeeded",
        "03:00+01 succeeded",
    ]
