"""Calendars: files, holidays and recurrences, read apart, with care, and once."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from excepted_days import error_of, excepted
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spawner_stages import eventually

from scheduler.crontab import day_values, lint_days, parser
from scheduler.daemon.entries import EntriesInForce
from scheduler.daemon.watched_crontabs import WatchedCrontabs
from scheduler.entry import Crontab, Severity
from scheduler.errors import BadValue, MeridianError
from scheduler.journal.journal import Journal
from scheduler.schedule import days
from scheduler.system import calendar_reader, calendars
from scheduler.system.calendars import CalendarSource
from scheduler.system.crontab_files import stamp
from scheduler.system.crontab_loader import Loaded, ReadOptions, load, read_file
from scheduler.system.log import Log
from scheduler.system.paths import Paths

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.system.calendars import CalendarReading

HOW = ReadOptions(uid=os.geteuid(), user="alice", zone=ZoneInfo("UTC"))
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n"


def event(uid: int, *lines: str) -> str:
    text = "\r\n".join((f"UID:{uid}", "DTSTAMP:20270101T000000Z", *lines))
    return f"BEGIN:VEVENT\r\n{text}\r\nEND:VEVENT\r\n"


def ics(*events: str) -> str:
    return f"{HEAD}{''.join(events)}END:VCALENDAR\r\n"


def save(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def loaded(folder: Path, value: str) -> Loaded:
    table = save(folder / "crontab", f"CRON_EXCEPT={value}\n0 9 * * * x\n")
    return load((str(table),), HOW)


def test_holidays_are_those_of_the_library(tmp_path: Path) -> None:
    found = loaded(tmp_path, "holidays:DE-BY")
    assert found.problems == ()
    assert excepted(found, 2027) == {
        *("01-01", "01-06", "03-26", "03-29", "05-01", "05-06", "05-17", "05-27"),
        *("10-03", "11-01", "12-25", "12-26"),
    }
    assert "06-18" in excepted(loaded(tmp_path, "holidays:NYSE"), 2027), "Juneteenth, observed"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("DE-BX", "DE-BY"),
        ("XY", "such as holidays:DE-BY"),
        ("DE-by", "did you mean DE-BY?"),
        ("de-by", "did you mean DE-BY?"),
        ("de", "did you mean DE?"),
        ("NYES", "NYSE"),
    ],
)
def test_a_country_that_nobody_knows_is_told_the_nearest(
    tmp_path: Path, code: str, hint: str
) -> None:
    said = error_of(loaded(tmp_path, f"sat,holidays:{code}"))
    assert said.startswith("1:17: unknown-holidays ")
    assert code in said
    assert hint in said or code == "XY"


EVENTS = [
    # lines of an event, days of 2027, reason
    (["DTSTART;VALUE=DATE:20270506"], {"05-06"}, "a day"),
    (["DTSTART;VALUE=DATE:20271224", "DTEND;VALUE=DATE:20271227"], {"12-24", "12-25", "12-26"}, "the end is not in it"),
    (["DTSTART:20270506T080000Z", "DTEND:20270506T170000Z"], {"05-06"}, "some hours"),
    (["DTSTART:20270506T220000", "DTEND:20270507T020000"], {"05-06", "05-07"}, "over midnight"),
    (["DTSTART:20270506T220000", "DTEND:20270507T000000"], {"05-06"}, "up to midnight"),
    (["DTSTART;VALUE=DATE:20200624", "RRULE:FREQ=YEARLY"], {"06-24"}, "every year"),
    (["DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "EXDATE;VALUE=DATE:20270226"], {"01-29", "03-26"}, "with an exception"),
    (["DTSTART;VALUE=DATE:20270506", "STATUS:CANCELLED"], set(), "cancelled"),
    (["DTSTART;VALUE=DATE:20270506", "X-SOMETHING:odd\\,"], {"05-06"}, "another program's own"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected", "reason"), EVENTS, ids=[row[2] for row in EVENTS])
def test_an_ics_file_has_the_days_that_its_events_touch(
    tmp_path: Path, lines: list[str], expected: set[str], reason: str
) -> None:
    save(tmp_path / "a.ics", ics(event(1, *lines), event(2, "DTSTART;VALUE=DATE:20270101")))
    found = excepted(loaded(tmp_path, "a.ics"), 2027)
    assert found == expected | {"01-01"}, reason


BROKEN = [
    # text, number of the line, reason
    ("hello\n", 1, "no calendar"),
    (f"{HEAD}foo bar\r\nEND:VCALENDAR\r\n", 4, "a line that is none"),
    (ics(event(1, "DTSTART:2027-99-99")), 7, "no date"),
    (ics(event(1, "DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=SOMETIMES")), 8, "no frequency"),
    (f"{HEAD}BEGIN:VEVENT\r\nUID:1\r\n", 1, "cut off"),
    ("", 1, "empty"),
]


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN, ids=[row[2] for row in BROKEN])
def test_a_broken_ics_file_refuses_its_entries_and_says_where(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = save(tmp_path / "a.ics", text)
    said = error_of(loaded(tmp_path, "a.ics"))
    assert said.startswith("1:13: bad-calendar "), reason
    shown = (text.splitlines() or [""])[line - 1]
    assert f"{path}:{line}:1: '{shown}': " in said, reason


NOWHERE = [
    # value, what is said, a part of the hint, reason
    ("~nobodyatall/off.txt", "1:13: bad-calendar '~nobodyatall/off.txt' can't be found: nobody", "in full", "no such user"),
    ("holidays:", "1:13: unknown-holidays holidays: names no country", "holidays:DE-BY", "no country"),
    ("sat,holidays:DE-", "1:17: unknown-holidays nobody knows the holidays of 'DE-'", "did you mean DE-", "no part of it"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "said", "hint", "reason"), NOWHERE)
def test_what_names_no_calendar_refuses_its_entries_alone(
    tmp_path: Path, value: str, said: str, hint: str, reason: str
) -> None:
    error = error_of(loaded(tmp_path, value))
    assert error.startswith(said), reason
    assert hint in error.rpartition("(")[2], reason
    table = save(tmp_path / "crontab", f"CRON_EXCEPT={value} 0 9 * * * x\n0 9 * * * y\n")
    assert [entry.command for entry in load((str(table),), HOW).entries] == ["y"]


def test_a_bug_in_the_reading_of_a_calendar_refuses_its_entries_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise KeyError("dates")

    monkeypatch.setattr(calendars, "_taken_apart", stumble)
    save(tmp_path / "off.txt", "2027-05-06\n")
    table = save(tmp_path / "crontab", "CRON_EXCEPT=off.txt 0 9 * * * x\n0 9 * * * y\n")
    found = load((str(table),), HOW)
    assert [entry.command for entry in found.entries] == ["y"]
    (problem,) = found.problems
    assert "off.txt can't be read: KeyError: 'dates'" in problem.message


PIECES = (
    *("holidays:", "DE", "DE-", "-BY", "NYSE", "..", "../", "~", "~root", "~nobodyatall", "/", "//", "."),
    *(".ics", ".txt", "off", "a" * 300, "\x7f", "\udcff", "é", "%", "#1", "#", "L", "workday", "sat"),
    *("-", "2027-02-30", "12-24", "02-29", "0000-00-00", "9999-12-31", "1", "²", "٣", " ", "\t", ","),
)  # fmt: skip


LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)


@settings(max_examples=200, deadline=None)
@example("holidays:")
@example("~nobodyatall/off.txt")
@given(st.lists(st.sampled_from(PIECES) | LETTERS, min_size=1, max_size=4).map("".join))
def test_no_value_comes_to_anything_but_days_or_its_refusal(text: str) -> None:
    """By the shelf of the daemon; a bug would be told as what is refused."""
    shelf = calendars.waiting_shelf(partial(read_file, how=HOW))
    for read_one in (day_values.only, day_values.excepted):
        said = ""
        try:
            day_values.resolved(read_one(text), shelf.of("/nowhere/crontab"))
        except BadValue as bad:
            said = bad.message
        assert "Error(" not in said


def test_a_missing_file_refuses_its_entries(tmp_path: Path) -> None:
    said = error_of(loaded(tmp_path, "sun, ./gone.txt"))
    assert said.startswith("1:18: bad-calendar ")
    assert "gone.txt is refused: there is no such file" in said
    assert f"it is taken for a file in {tmp_path};" in said


def test_a_file_that_others_can_write_refuses_its_entries(tmp_path: Path) -> None:
    save(tmp_path / "off.txt", "2027-05-06\n", 0o666)
    assert "off.txt is refused: " in error_of(loaded(tmp_path, "off.txt"))


def test_a_path_is_relative_to_the_folder_of_the_crontab(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir(mode=0o700)
    save(tmp_path / "sub" / "off.txt", "2027-05-06\n")
    found = loaded(tmp_path, "sub/off.txt")
    assert excepted(found, 2027) == {"05-06"}
    assert list(found.calendars) == [str(tmp_path / "sub" / "off.txt")]


def test_without_the_library_the_line_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendars._CALENDARS_READ.clear()
    stdlib = [path for path in sys.path if "site-packages" not in path]
    monkeypatch.setattr(sys, "path", stdlib)
    said = error_of(loaded(tmp_path, "holidays:FR"))
    assert "missing-extra holidays:FR needs the library holidays" in said
    assert "make install EXTRAS=calendar" in said
    assert "pip install 'meridian-cron[calendar]'" in said


def test_what_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "_TIME_LIMIT", 1.0)
    save(tmp_path / "a.ics", ics(event(1, "DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY")))
    begun = time.monotonic()
    said = error_of(loaded(tmp_path, "a.ics"))
    assert "was not read within 1 seconds" in said
    assert time.monotonic() - begun < 30


def test_nobody_is_left_to_read_for_a_daemon_that_is_gone() -> None:
    endless = ics(event(1, "DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY"))
    request = json.dumps({"kind": "events", "text": endless, "path": sys.path})
    words = [sys.executable, "-I", str(calendars._CALENDAR_PROGRAM), "1"]
    done = subprocess.run(words, input=request, text=True, check=False, timeout=60)
    assert done.returncode == 1


def test_each_is_looked_up_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = calendars._asked

    def counted(source: str, by: None, **request: str) -> dict[str, Any]:
        asked.append(source)
        return real(source, by, **request)

    monkeypatch.setattr(calendars, "_asked", counted)
    calendars._CALENDARS_READ.clear()
    path = save(tmp_path / "b.ics", ics(event(1, "DTSTART;VALUE=DATE:20270506")))
    lines = "CRON_EXCEPT=holidays:NL,b.ics 0 9 * * * a\n" * 20
    table = save(tmp_path / "crontab", lines)
    first, second = (load((str(table),), HOW) for _ in range(2))
    assert asked == ["holidays:NL", str(path)]
    assert len({id(each.schedule) for each in (*first.entries, *second.entries)}) == 1
    save(path, ics(event(1, "DTSTART;VALUE=DATE:20270507")))
    assert "05-07" in excepted(load((str(table),), HOW), 2027)
    assert len(asked) == 3


def test_the_process_that_reads_crontabs_loads_none_of_the_libraries(tmp_path: Path) -> None:
    save(tmp_path / "a.ics", ics(event(1, "DTSTART;VALUE=DATE:20270506")))
    table = save(tmp_path / "crontab", "CRON_EXCEPT=holidays:DE,a.ics 0 9 * * * x\n")
    program = (
        "import sys, os; from zoneinfo import ZoneInfo;"
        "from scheduler.system.crontab_loader import ReadOptions, load;"
        "how = ReadOptions(uid=os.geteuid(), user='a', zone=ZoneInfo('UTC'));"
        f"assert load(({str(table)!r},), how).entries;"
        "print({'holidays', 'icalendar', 'recurring_ical_events'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


WARNED = [
    # line, code, reason
    ("CRON_UNTIL=2001-01-01 0 9 * * * x", "over", "its last day is over"),
    ("CRON_EXCEPT=mon-sun 0 9 * * * x", "no-day-left", "every day is excepted"),
    ("CRON_EXCEPT=sat,sun 0 9 * * 6 x", "no-day-left", "and so are all that it names"),
    ("CRON_ONLY=2001-01-01 @every 90m x", "no-day-left", "its one day was long ago"),
    ("CRON_EXCEPT=mon-sun @reboot x", "no-day-left", "no boot counts"),
    ("CRON_EXCEPT=old.txt 0 9 * * * x", "old-calendar", "nobody wrote down this year's"),
]


@pytest.mark.parametrize(("line", "code", "reason"), WARNED, ids=[row[0] for row in WARNED])
def test_days_that_are_over_or_never_come_are_warned_about(
    tmp_path: Path, line: str, code: str, reason: str
) -> None:
    save(tmp_path / "old.txt", "2001-05-01\n")
    table = save(tmp_path / "crontab", f"{line}\n0 9 * * * y\n")
    found = load((str(table),), replace(HOW, named=True))
    assert len(found.entries) == 2
    (problem,) = found.problems
    assert (problem.code, problem.severity, problem.line) == (code, Severity.WARNING, 1), reason


KNOWN_UNTIL = [
    # calendar, day, what is said, reason
    ("holidays:IN", "2033-12-31", "", "all known in the next two years"),
    ("holidays:IN", "2034-01-01", "holidays:IN has 10 dates in 2036, and 19 this year", "half of them"),
    ("holidays:IN", "2036-01-01", "", "what is known this year is known next year"),
    ("holidays:LK", "2026-01-01", "holidays:LK has no dates in 2027, and 25 this year", "none"),
    ("holidays:LK", "2027-01-01", "holidays:LK has no date after 2027-01-01", "it is over"),
    ("holidays:SA", "2027-01-01", "", "by the moon"),
    ("off.txt", "2033-01-01", "", "a file is its writer's"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("calendar", "day", "said", "reason"), KNOWN_UNTIL, ids=[row[3] for row in KNOWN_UNTIL]
)
def test_a_country_whose_coming_holidays_nobody_knows_is_warned_about(
    tmp_path: Path, calendar: str, day: str, said: str, reason: str
) -> None:
    save(tmp_path / "off.txt", "2033-05-01..2033-05-20\n2035-05-01\n")
    found = loaded(tmp_path, calendar)
    now = datetime.fromisoformat(day).replace(tzinfo=UTC)
    warnings = [each.message for _, each in lint_days.on_entries(found.entries, now)]
    assert warnings == ([said] if said else []), reason


# --- beside a daemon's loop -----------------------------------------------------------------------

STUCK = """import os, time
open({begun!r}, "w").close()
while not os.path.exists({go_on!r}): time.sleep(0.01)
"""


def watched(folder: Path, value: str) -> WatchedCrontabs:
    table = save(folder / "crontab", f"CRON_EXCEPT={value} 0 9 * * * x\n")
    return WatchedCrontabs((str(table),), Paths(table, folder, folder, folder), HOW)


def test_a_calendar_that_hangs_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that reads it goes on when the test says so."""
    monkeypatch.setenv("TZ", "UTC")
    begun, go_on, woken = tmp_path / "begun", tmp_path / "go on", Event()
    head, *rest = calendars._CALENDAR_PROGRAM.read_text().partition("import importlib\n")
    stuck = STUCK.format(begun=str(begun), go_on=str(go_on))
    program = save(tmp_path / "program.py", "".join((head, stuck, *rest)))
    monkeypatch.setattr(calendars, "_CALENDAR_PROGRAM", program)
    path = save(tmp_path / "a.ics", ics(event(1, "DTSTART;VALUE=DATE:20270506")))
    files = watched(tmp_path, "a.ics")
    files.wake_by(woken.set)
    assert files.load().unread == {CalendarSource(str(path))}
    files.read_apart(files.load().unread)
    assert files.is_reading()
    eventually(begun.exists)
    assert not woken.is_set()
    save(path, ics(event(1, "DTSTART;VALUE=DATE:20270507"), event(2, "DTSTART:20270508T080000Z")))
    go_on.touch()
    assert woken.wait(60)
    assert not files.is_reading()
    found = files.load()
    assert excepted(found, 2027) == {"05-06"}, "as it was when it was read"
    assert found.calendars[str(path)] != stamp(path), "so that the change since is seen"
    assert files.load().unread == {CalendarSource(str(path))}


def test_one_that_hangs_keeps_few_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    go_on, read = Event(), calendars.read_calendar

    def hanging(source: CalendarSource, how: Any) -> CalendarReading:
        assert "hangs" not in source.place or go_on.wait(60)
        return read(source, how)

    monkeypatch.setattr("scheduler.system.calendar_reader.read_calendar", hanging)
    for name in ("a", "b", "c", "d", "hangs"):
        save(tmp_path / f"{name}.txt", "2027-05-06\n")
    files = watched(tmp_path, "hangs.txt,a.txt,b.txt,c.txt")
    names = ("hangs", "a", "b", "c", "d")
    files.read_apart([CalendarSource(str(tmp_path / f"{name}.txt")) for name in names])
    eventually(lambda: len(files.load().unread) == 1)
    assert files.is_reading()
    go_on.set()
    eventually(lambda: not files.is_reading())
    assert excepted(files.load(), 2027) == {"05-06"}


def test_of_a_calendar_that_cannot_be_read_the_reload_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next reload looks again: what was missing may be there by then."""
    monkeypatch.setenv("TZ", "UTC")
    files, woken = watched(tmp_path, "off.txt"), Event()
    files.wake_by(woken.set)
    for _ in range(2):
        woken.clear()
        files.read_apart(files.load().unread)
        assert woken.wait(60)
        found = files.load()
        assert "off.txt is refused: there is no such file" in error_of(found)
    save(tmp_path / "off.txt", "2027-05-06\n")
    files.read_apart(files.load().unread)
    assert woken.wait(60)


def test_where_there_is_no_room_for_a_thread_the_reload_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_work: object, _name: str) -> None:
        raise MeridianError("the system has no room for a thread")

    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(calendar_reader, "start_apart", refuse)
    files = watched(tmp_path, "holidays:DE")
    files.read_apart(files.load().unread)
    assert not files.is_reading()
    assert "no room for a thread" in error_of(files.load())


# --- in a daemon ---------------------------------------------------------------------------------


def test_a_daemon_reads_a_changed_calendar_and_keeps_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    path = save(tmp_path / "off.txt", "2027-05-06\n")
    table = save(tmp_path / "crontab", "CRON_EXCEPT=off.txt 0 9 * * * x\n")
    files = WatchedCrontabs((str(table),), Paths(table, tmp_path, tmp_path, tmp_path), HOW)
    with closing(Journal.in_memory()) as journal:
        in_force = EntriesInForce(files, journal, Log(logging.getLogger("days")), None)
        now = datetime(2027, 5, 1, tzinfo=UTC)

        def seen() -> list[str]:
            if not in_force.read(now):
                eventually(lambda: not files.is_reading())
                assert in_force.read(now)
            (entry,) = in_force.entries.values()
            month = (date(2027, 5, n) for n in range(1, 32))
            rules = entry.schedule.day_rules
            assert rules is not None
            return [f"{day:%d}" for day in month if days.is_excluded(rules, day)]

        assert seen() == ["06"]
        assert not in_force.changed(), "nothing has"
        save(path, "2027-05-07\n# more\n")
        assert in_force.changed()
        assert seen() == ["07"]
        assert not in_force.changed()
        save(path, "2027-05-08\nNew Year\n")
        assert in_force.changed()
        assert seen() == ["07"], "the last good one"
        assert [entry.line for entry in in_force.kept] == [1]
        path.unlink()
        assert in_force.changed()
        assert seen() == ["07"]
        assert not in_force.changed(), "it is still missing"
        save(path, "2027-05-09\n")
        assert in_force.changed()
        assert seen() == ["09"]
        assert in_force.kept == []


def test_a_bug_in_the_reading_of_a_crontab_keeps_its_last_good_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon starts with the others all the same, and whoever asks hears of it."""
    monkeypatch.setenv("TZ", "UTC")
    good = save(tmp_path / "good", "0 9 * * * x\n")
    bad = save(tmp_path / "bad", "0 9 * * * y\n")
    real = parser.parse

    def stumble(data: bytes, **how: Any) -> Crontab:
        if b"stumble" in data:
            raise KeyError("dates")
        return real(data, **how)

    monkeypatch.setattr(parser, "parse", stumble)
    files = WatchedCrontabs((str(good), str(bad)), Paths(good, tmp_path, tmp_path, tmp_path), HOW)
    with closing(Journal.in_memory()) as journal:
        in_force = EntriesInForce(files, journal, Log(logging.getLogger("bug")), None)
        now = datetime(2027, 5, 1, tzinfo=UTC)

        def commands() -> list[str]:
            in_force.read(now)
            return [entry.command for entry in in_force.entries.values()]

        assert commands() == ["x", "y"]
        save(bad, "0 9 * * * stumble\n")
        assert in_force.changed()
        assert commands() == ["x", "y"]
        assert not in_force.changed(), "it is read again when it is changed"
        assert [each.is_readable for each in in_force.files] == [True, False]
        (problem,) = in_force.news(now).problems
        assert problem.code == "bug"
        assert "KeyError: 'dates' (" in problem.message
        assert "test_calendars.py:" in problem.message, "where it is"
        fresh = EntriesInForce(files, journal, Log(logging.getLogger("bug")), None)
        fresh.read(now)
        assert [entry.command for entry in fresh.entries.values()] == ["x"]
