"""Calendars that a user's table names: read as that user, and by nobody, never by root."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from excepted_days import error_of, excepted
from spawner_stages import eventually
from users import OTHER, OWNER, new_folder

from scheduler.day_rules import Calendar
from scheduler.errors import BadValue
from scheduler.system import accounts, calendar_reader, calendars, crontab_loader
from scheduler.system.accounts import Account
from scheduler.system.calendar_reader import CalendarReader
from scheduler.system.calendars import CalendarReading, CalendarSource
from scheduler.system.crontab_files import CrontabText
from scheduler.system.crontab_loader import ReadOptions
from scheduler.system.crontab_place import CrontabPlace, Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scheduler.system.crontab_loader import Loaded

pytestmark = pytest.mark.privileged

DAY = "2027-05-06\n"
ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
    "DTSTAMP:20270101T000000Z\r\nDTSTART;VALUE=DATE:20270506\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Bob's, who is a user of this machine as far as anybody is told."""
    with new_folder(OWNER) as folder:
        bob = Account("bob", OWNER, OWNER, (OWNER,), str(folder))
        monkeypatch.setattr(accounts, "find", lambda name: bob if name == "bob" else None)
        monkeypatch.setattr(accounts, "uid_of", lambda name: OWNER if name == "bob" else None)
        calendars._CALENDARS_READ.clear()
        yield folder


def save(path: Path, text: str, uid: int = OWNER, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def loaded(folder: Path, value: str) -> Loaded:
    """Bob's table in the spool."""
    file = str(folder / "table")
    place = CrontabPlace(file, Form.SPOOL, "bob", is_crons=True)
    how = ReadOptions(0, "root", ZoneInfo("UTC"), every_user=True, at={file: place})
    text = f"CRON_EXCEPT={value} 0 9 * * * x\n".encode()
    return crontab_loader.load((file,), how, drafts={file: text})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("off.txt", "relative to his home, since he gets into no spool"),
        ("~/off.txt", "his home, not root's"),
        ("{home}/off.txt", "in full"),
        ("~/bank.ics", "libraries that bob can't read"),
    ],
)
def test_a_users_file_is_read_as_that_user(home: Path, value: str, why: str) -> None:
    save(home / "off.txt", DAY)
    save(home / "bank.ics", ICS)
    found = loaded(home, value.format(home=home))
    assert excepted(found, 2027) == {"05-06"}, why


def test_the_holidays_of_a_users_table_are_looked_up_by_nobody(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = calendars._conversed

    def heard(words: tuple[str, ...], text: str) -> tuple[str, str]:
        asked.append(text)
        return real(words, text)

    monkeypatch.setattr(calendars, "_conversed", heard)
    found = loaded(home, "holidays:DE")
    assert "10-03" in excepted(found, 2027)
    assert '"uid": 65534' in str(asked[0])


def secret(path: Path) -> Path:
    return save(path, "root:$6$s3cr3t:1\n", uid=0)


ATTACKS: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("/etc/shadow", lambda _: None, "Permission denied", "root's secrets"),
    ("own.txt", lambda home: secret(home / "own.txt"), "Permission denied", "root's, in his home"),
    ("link.txt", lambda home: (home / "link.txt").symlink_to("/etc/shadow"), "Permission denied", "a link of his to them"),
    ("link.ics", lambda home: (home / "link.ics").symlink_to("/etc/shadow"), "Permission denied", "also as a calendar"),
    ("ann.txt", lambda home: save(home / "ann.txt", "s3cr3t", uid=OTHER), "Permission denied", "another user's"),
    ("its.txt", lambda home: (home / "its.txt").symlink_to("/proc/1/environ"), "Permission denied", "of another process: nothing"),
    ("pipe.txt", lambda home: os.mkfifo(home / "pipe.txt"), "it is no file", "nobody waits for a writer"),
    ("/dev/zero/x.txt", lambda _: None, "Not a directory", "a device"),
    ("big.txt", lambda home: save(home / "big.txt", "#" * (2 << 20)), "more than", "more than is read"),
    ("gone.txt", lambda _: None, "No such file", "it is not there"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "make", "said", "why"), ATTACKS, ids=[row[3] for row in ATTACKS])
def test_a_users_table_has_root_read_nothing_that_the_user_could_not(
    home: Path, value: str, make: Callable[[Path], object], said: str, why: str
) -> None:
    make(home)
    found = loaded(home, value.format(home=home))
    assert said in error_of(found), why
    assert "s3cr3t" not in str(found.problems)
    assert "root:" not in str(found.problems)


def test_roots_look_at_files_before_each_minute_goes_to_none_of_a_user(home: Path) -> None:
    """It would wait for a disk of the user's; another version of the table has it read anew."""
    save(home / "off.txt", DAY)
    found = loaded(home, "off.txt")
    assert dict(found.calendars) == {}
    save(home / "off.txt", "2027-05-07\n")
    assert excepted(loaded(home, "off.txt"), 2027) == {"05-07"}


# --- beside the loop -----------------------------------------------------------------------------


@contextmanager
def read_apart(*sources: CalendarSource) -> Iterator[CalendarReader]:
    reader, woken = CalendarReader(lambda _: CrontabText(DAY.encode())), Event()
    reader.wake = woken.set
    reader.start(sources)
    while reader._wanted:
        assert woken.wait(60)
        woken.clear()
    yield reader


def test_a_user_whose_calendars_take_long_keeps_others_waiting_for_a_moment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar_reader, "USER_SECONDS", 0.0)
    for name in ("a", "b"):
        save(home / f"{name}.txt", DAY)
    theirs = [CalendarSource(str(home / f"{name}.txt"), "bob", (1,)) for name in ("a", "b")]
    own = CalendarSource(str(home / "own.txt"))
    with read_apart(*theirs, own) as reader:
        shelf = reader.shelf()
        first, second, third = (shelf._find(each) for each in (*theirs, own))
    assert first is None or isinstance(first.found, BadValue | Calendar)
    assert second is not None
    assert third is not None
    assert isinstance(second.found, BadValue)
    assert "bob's calendars take over 0 seconds together" in second.found.message
    assert isinstance(third.found, Calendar)


def test_a_users_calendar_is_read_again_after_a_while_though_the_table_is_saved_each_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = BadValue("bad-calendar", "it hangs")
    monkeypatch.setattr(calendar_reader, "read_calendar", lambda *_: CalendarReading(bad))
    theirs = CalendarSource("/home/bob/off.txt", "bob", (1,))
    saved_again, own = replace(theirs, version=(2,)), CalendarSource("/etc/off.txt")
    with read_apart(theirs, own) as reader:
        shelf = reader.shelf()
        shelf.readings.update(dict.fromkeys((theirs, own), CalendarReading(bad)))
        reader.keep(shelf)
        assert [reader._known(each) is not None for each in (theirs, own, saved_again)] == [
            *(True, False, True)
        ]
        assert reader.stamp() == ()
        monkeypatch.setattr(calendar_reader, "_ANEW_AFTER", 0.0)
        assert reader._known(saved_again) is None
        reader.keep(shelf)
        assert reader._known(theirs) is not None
        monkeypatch.setattr(calendar_reader, "_BAD_FOR", 0.0)
        assert reader._known(theirs) is None


def test_of_a_users_calendars_one_reading_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, asked = Event(), []

    def hangs(source: CalendarSource, _read: object) -> CalendarReading:
        asked.append(source.version)
        assert goes_on.wait(60)
        return CalendarReading(BadValue("bad-calendar", "it hangs"))

    monkeypatch.setattr(calendar_reader, "read_calendar", hangs)
    reader = CalendarReader(lambda _: CrontabText(b""))
    for version in range(5):
        reader.start([CalendarSource("off.txt", "bob", (version,))])
    eventually(lambda: bool(asked))
    assert len(reader._wanted) == 1
    goes_on.set()
    eventually(lambda: not reader._wanted)
    assert asked == [(0,)]


def test_a_calendar_that_no_table_names_any_more_is_forgotten(home: Path) -> None:
    save(home / "off.txt", DAY)
    loaded(home, "off.txt")
    assert str(home / "off.txt") in calendars._CALENDARS_READ
    calendars.keep_only({"holidays:DE"})
    assert str(home / "off.txt") not in calendars._CALENDARS_READ
