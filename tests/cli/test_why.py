"""why: a job and a time on the command line, answered by the journal or by the rules."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scheduler.journal.journal import Journal
from scheduler.run import Reason
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from conftest import Person


def has_two_jobs(person: Person) -> None:
    night = person.line("CRON_TZ=Europe/Berlin CRON_NAME=night 30 2 * * *", "backup")
    person.has(night + person.line("CRON_TZ=Europe/Berlin CRON_NAME=tick @every 40m", "x"))


@pytest.fixture
def asker(person: Person) -> Person:
    """Someone with two jobs, of which one has a past."""
    has_two_jobs(person)
    person.state.mkdir(parents=True)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        missed = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
        journal.skip("night", missed, "Europe/Berlin", Reason.TOO_LATE)
        journal.skip("old", missed, "Asia/Tokyo", Reason.REMOVED)
        journal.daemon_state.set_last_tick(datetime(2026, 4, 1, tzinfo=UTC))
    return person


def test_a_time_is_one_of_the_jobs_own_zone(asker: Person) -> None:
    result = asker.types("why", "night", "2026-03-01 02:30")
    assert result.exit_code == 0
    assert result.stdout.startswith("It did not run: by the time it could start")


def test_a_time_with_an_offset_is_what_it_says(asker: Person) -> None:
    result = asker.types("why", "night", "2026-03-01T01:30Z")
    assert result.stdout.startswith("It did not run: by the time it could start")


def test_for_programs_it_is_one_object(asker: Person) -> None:
    row = json.loads(asker.types("why", "night", "2026-03-01 02:30", "--json").stdout)
    assert row.pop("text").startswith("It did not run")
    assert row == {
        "job": "night",
        "at": "2026-03-01T01:30:00Z",
        "local": "2026-03-01T02:30:00+01:00",
        "zone": "Europe/Berlin",
        "due": True,
        "run": 1,
        "state": "skipped",
        "reason": "too late",
    }


def test_the_zone_in_which_the_time_was_read_is_echoed(asker: Person) -> None:
    typed = asker.types("why", "night", "2026-03-01T01:30Z")
    assert typed.stderr.endswith("\nAt Sun 2026-03-01 02:30 Europe/Berlin\n")
    assert asker.types("why", "night", "2026-03-01 2:30", "--json").stderr == ""


def test_without_a_time_it_is_about_the_last_instant(
    asker: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealClock, "now", lambda _: datetime(2026, 3, 1, 20, 0, tzinfo=UTC))
    first, second, *_ = asker.types("why", "night").stdout.splitlines()
    assert first == "The last instant of night is Sun 2026-03-01 02:30 Europe/Berlin."
    assert second.startswith("It did not run: by the time it could start")
    monkeypatch.setattr(RealClock, "now", lambda _: datetime(2026, 3, 3, 1, 30, tzinfo=UTC))
    first, second, *_ = asker.types("why", "night").stdout.splitlines()
    assert first == "The last instant of night is Tue 2026-03-03 02:30 Europe/Berlin."
    assert second.startswith("By the crontab as it is today it was due then")


def test_the_last_instant_of_a_job_may_be_one_by_hand_or_of_a_line_that_is_gone(
    asker: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealClock, "now", lambda _: datetime(2026, 3, 1, 20, 0, tzinfo=UTC))
    with closing(Journal.open(asker.state / "journal.db")) as journal:
        by_hand = datetime(2026, 3, 1, 9, 0, 7, tzinfo=UTC)
        journal.claim("night", by_hand, "Europe/Berlin", by_hand=True)
        until = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
        journal.skip("gone", until.replace(hour=2), "Asia/Tokyo", Reason.MISSED, until=until)
    assert asker.types("why", "night").stdout.startswith(
        "The last instant of night is Sun 2026-03-01 10:00:07 Europe/Berlin."
    )
    assert asker.types("why", "gone").stdout.startswith(
        "The last instant of gone is Sun 2026-03-01 12:00 Asia/Tokyo."
    )


def test_a_job_that_has_had_no_instant_says_so(asker: Person) -> None:
    first, second, *_ = asker.types("why", "tick").stdout.splitlines()
    assert first == "tick has had no instant yet."
    assert "it runs every 40 min" in second


def test_a_run_is_asked_about_by_its_number(asker: Person) -> None:
    first, second, *_ = asker.types("why", "1").stdout.splitlines()
    assert first == "Run 1 of night, Sun 2026-03-01 02:30 Europe/Berlin."
    assert second.startswith("It did not run: by the time it could start")
    assert json.loads(asker.types("why", "2", "--json").stdout)["job"] == "old"
    assert "There is no run 99, and no job of that name; " in asker.types("why", "99").stderr


SPOKEN = [
    # time, what is said first, why
    ("2027-03-28 02:30", "No clock of Europe/Berlin showed Sun 2027-03-28 02:30: after 01:59 came Sun 03:00, which answers for it.", "spring"),
    ("2027-10-31 02:30", "02:30 came twice: this is about the first, 2027-10-31T02:30+02:00; the second is 2027-10-31T02:30+01:00.", "autumn"),
    ("2027-10-31T02:30+01:00", "It was not due at Sun 2027-10-31 02:30 Europe/Berlin (+01:00): this is the second 02:30 of that night, and it ran the first time only.", "the second one"),
    ("2026-03-28 09:17", "It was not due at Sat 2026-03-28 09:17 Europe/Berlin: the minute 17 is not in 30; the hour 9 is not in 2.", "no clock change"),
]  # fmt: skip


@pytest.mark.parametrize(("time", "said", "why"), SPOKEN)
def test_a_clock_change_is_told(asker: Person, time: str, said: str, why: str) -> None:
    assert asker.types("why", "night", time).stdout.splitlines()[0] == said, why


def test_a_dropped_day_is_told(asker: Person) -> None:
    asker.has(asker.line("CRON_TZ=Pacific/Apia CRON_NAME=noon 0 12 * * *", "x"))
    assert asker.types("why", "noon", "2011-12-30 12:00").stdout.splitlines()[0] == (
        "No clock of Pacific/Apia showed Fri 2011-12-30 12:00: after 23:59 came Sat 00:00,"
        " and nothing is made up for the time between."
    )


def test_a_gap_that_begins_within_a_minute_is_told(asker: Person) -> None:
    """Liberia went over to Greenwich's time by 44 and a half minutes."""
    asker.has(asker.line("CRON_TZ=Africa/Monrovia CRON_NAME=midnight 0 0 * * *", "x"))
    first, *_ = asker.types("why", "midnight", "1972-01-07 00:00").stdout.splitlines()
    assert first == (
        "No clock of Africa/Monrovia showed Fri 1972-01-07 00:00: after 23:59 came Fri 00:45,"
        " which answers for it."
    )


def test_an_interval_that_has_not_begun_is_not_due(asker: Person) -> None:
    result = asker.types("why", "tick", "2026-03-28 09:17")
    assert "it runs every 40 min" in result.stdout


def test_a_job_that_is_in_no_crontab_any_more_has_its_past(asker: Person) -> None:
    result = asker.types("why", "old", "2026-03-01 10:30")
    assert result.stdout.startswith("It did not run: its line was taken out")


def test_a_named_crontab_is_asked(asker: Person) -> None:
    other = asker.file("CRON_NAME=new CRON_TZ=UTC 0 12 * * * x\n")
    result = asker.types("why", "new", "2999-01-01 12:00", other)
    assert result.stdout.startswith("It is due then, which is still to come")


def test_why_a_line_is_not_found_is_said(asker: Person) -> None:
    result = asker.types("why", "old", "2026-03-01 10:30", "/nonexistent")
    assert "/nonexistent: missing there is no such file" in result.stderr
    asker.has(asker.line("CRON_NAME=old 61 2 * * *", "x"))
    result = asker.types("why", "old", "2026-03-01 10:30")
    assert ":1:" in result.stderr
    assert "61" in result.stderr


def test_an_unknown_job_is_refused_with_the_nearest_name(asker: Person) -> None:
    result = asker.types("why", "nigth", "12:00")
    assert result.exit_code == 1
    assert "did you mean night" in result.stderr


def test_a_weekday_or_a_duration_looks_back(asker: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    tuesday = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)
    monkeypatch.setattr(RealClock, "now", lambda _: tuesday)
    for typed in ("sun 2:30", "2d"):
        result = asker.types("why", "night", typed)
        assert result.stdout.startswith("It did not run: by the time it could start"), typed


def test_what_is_no_time_is_wrong_usage(asker: Person) -> None:
    result = asker.types("why", "night", "soon")
    assert result.exit_code == 2
    assert "'soon' is no time" in result.stderr


def test_without_a_journal_the_rules_answer(person: Person) -> None:
    has_two_jobs(person)
    result = person.types("why", "night", "2026-03-28 02:30")
    assert result.stdout.startswith("It was due then, but no daemon has ever run")


DAYS = [
    # settings, time, a part of the answer, reason
    ("CRON_EXCEPT=sat,sun", "2027-05-01 09:00", "Saturday 2027-05-01 is excepted (CRON_EXCEPT=sat,sun).", "a weekday"),
    ("CRON_EXCEPT=sat,holidays:DE-BY", "2027-05-06 09:00", "Thursday 2027-05-06 is excepted (CRON_EXCEPT=holidays:DE-BY).", "the item of a list that has it"),
    ("CRON_EXCEPT=sat,sun CRON_EXCEPT_MOVE=next", "2027-05-01 09:00", "and its run is moved to Monday 2027-05-03 (CRON_EXCEPT_MOVE).", "where it goes"),
    ("CRON_ONLY=mon", "2027-05-01 09:00", "Saturday 2027-05-01 is none of its days (CRON_ONLY=mon).", "the other way round"),
    ("CRON_FROM=2027-06-01", "2027-05-01 09:00", "its first day is 2027-06-01 (CRON_FROM).", "not yet alive"),
    ("CRON_UNTIL=2027-04-30", "2027-05-01 09:00", "its last day was 2027-04-30 (CRON_UNTIL).", "no longer"),
    ("CRON_EXCEPT=sat,sun", "2027-05-01 10:00", "the hour 10 is not in 9.", "nor would it run on another day"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "time", "said", "reason"), DAYS, ids=[row[3] for row in DAYS])
def test_a_day_on_which_it_does_not_run_is_explained(
    person: Person, settings: str, time: str, said: str, reason: str
) -> None:
    file = person.file(f"CRON_TZ=Europe/Berlin CRON_NAME=report {settings} 0 9 * * * x\n")
    assert said in " ".join(person.types("why", "report", time, file).stdout.split()), reason


def test_of_a_name_that_is_not_in_a_named_crontab_those_there_are_suggested(
    asker: Person,
) -> None:
    file = asker.file("CRON_NAME=pay-wage 0 9 * * * x\nCRON_NAME=nights 0 9 * * * x\n")
    result = asker.types("why", "pay-wages", "2027-05-01", file)
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "There is no job 'pay-wages' in these crontabs; did you mean pay-wage?" in said


WHOLE_DAYS = [
    # settings and schedule, day, lines of the answer, reason
    ("CRON_EXCEPT=sat,sun 0 9 * * *", "2027-05-01", ["report has no instants on Saturday 2027-05-01 Europe/Berlin.", "It was not due at Sat 2027-05-01 09:00 Europe/Berlin: Saturday 2027-05-01 is excepted (CRON_EXCEPT=sat,sun)."], "the setting that takes it away"),
    ("CRON_EXCEPT=sat,sun CRON_EXCEPT_MOVE=next 0 9 1 * *", "2027-05-01", ["no instants", "is excepted (CRON_EXCEPT=sat,sun), and its run is moved to Monday 2027-05-03"], "and where it goes"),
    ("CRON_EXCEPT=sat,sun CRON_EXCEPT_MOVE=next 0 9 1 * *", "2027-05-03", ["report has 1 instant on Monday", "09:00: It is due then"], "where it went"),
    ("CRON_FROM=2027-06-01 0 9 * * *", "2027-05-01", ["no instants", "its first day is 2027-06-01 (CRON_FROM)"], "not yet alive"),
    ("30 9,15 * * *", "2027-05-01", ["has 2 instants on", "09:30: It is due then", "15:30: It is due then"], "each of them"),
    ("30 9 15 * *", "2027-05-01", ["no instants", "at Sat 2027-05-01 09:30 Europe/Berlin: the day 1 is not in 15."], "the fields alone"),
    ("30 2 * * *", "2027-03-28", ["has 1 instant on", "03:00: It is due then"], "behind the gap of that night"),
    ("30 2 * * *", "2026-10-25", ["has 1 instant on", "02:30: "], "once in the hour that comes twice"),
    ("*/30 * * * *", "2026-10-25", ["has 50 instants on", "00:00: ", "And 40 instants more"], "a day of 25 hours"),
    ("CRON_EXCEPT=sat @reboot", "2027-05-01", ["no instants", "once each time the machine starts"], "no time of day"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "day", "said", "reason"), WHOLE_DAYS, ids=[r[3] for r in WHOLE_DAYS]
)
def test_a_date_alone_is_the_whole_day(
    person: Person, line: str, day: str, said: list[str], reason: str
) -> None:
    file = person.file(f"CRON_TZ=Europe/Berlin CRON_NAME=report {line} x\n")
    answer = " ".join(person.types("why", "report", day, file).stdout.split())
    for each in said:
        assert each in answer, reason
        answer = answer.partition(each)[2]


def test_a_day_of_the_journal_has_the_rows_of_a_job_that_is_gone(asker: Person) -> None:
    shown = asker.types("why", "old", "2026-03-01").stdout
    assert shown.startswith("old has 1 instant on Sunday 2026-03-01 Asia/Tokyo.\n10:30: It did not")
    (row,) = asker.types("why", "old", "2026-03-01", "--json").stdout.splitlines()
    assert json.loads(row)["at"] == "2026-03-01T01:30:00Z"


def test_a_skip_for_its_day_is_explained_by_the_line_as_it_is_today(person: Person) -> None:
    person.has(person.line("CRON_TZ=UTC CRON_NAME=beat CRON_EXCEPT=sat * * * * *", "x"))
    person.state.mkdir(parents=True)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        first, last = (datetime(2026, 5, 2, hour, tzinfo=UTC) for hour in (0, 23))
        journal.skip("beat", first, "UTC", Reason.EXCLUDED, until=last)
    lines = person.types("why", "beat", "2026-05-02 12:00").stdout.splitlines()
    assert lines[0].startswith("It did not run: its day was one on which the job does not run")
    assert lines[-1] == "Saturday 2026-05-02 is excepted (CRON_EXCEPT=sat)."
