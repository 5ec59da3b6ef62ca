"""What a crontab calls a calendar in, its dates out: files read with care, holidays looked up.

A file is read as a crontab is, with care for who could have written it. What the libraries of the
extra `calendar` know is asked of a process of its own: see `calendar_program`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from scheduler.crontab import calendar_lines
from scheduler.crontab.day_values import HOLIDAYS_HINT
from scheduler.day_rules import HOLIDAYS, Calendar, calendar_of
from scheduler.entry import Problem, Severity
from scheduler.errors import BadValue, SourceRefused
from scheduler.suggestions import did_you_mean, nearest
from scheduler.system import crontab_files
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.system.crontab_files import CrontabText, Stamp

_CALENDAR_PROGRAM = Path(__file__).with_name("calendar_program.py")
_TIME_LIMIT = 10.0  # seconds; the libraries need a fraction of one
_MOST_OF_ERROR = 200  # characters of what a library says
_INSTALL = "make install EXTRAS=calendar, or pip install 'meridian-cron[calendar]'"


@dataclass(frozen=True, slots=True)
class CalendarReading:
    """What reading a calendar came to, its file's stamp from before, and what is doubtful of it."""

    found: Calendar | BadValue
    stamp: Stamp | None = None
    doubts: tuple[Problem, ...] = ()


class CalendarShelf:
    """The calendars of one reading of the crontabs.

    Owns what was found by now, good or bad, so that each is looked up once, and which calendars
    nobody has read: `find` has no answer for them yet. The loader builds one for each reading, the
    parser asks it.
    """

    def __init__(self, find: Callable[[str], CalendarReading | None]) -> None:
        self._find = find
        self.readings: dict[str, CalendarReading] = {}
        self.unread: set[str] = set()

    @property
    def stamps(self) -> dict[str, Stamp | None]:
        """The files among them, as they were before they were read."""
        return {
            place: reading.stamp
            for place, reading in self.readings.items()
            if not place.startswith(HOLIDAYS)
        }

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is doubtful of these files."""
        return tuple(doubt for reading in self.readings.values() for doubt in reading.doubts)

    def of(self, crontab: str) -> Callable[[str], Calendar]:
        """Return what finds the calendars of a crontab, whose folder paths are relative to."""
        folder = Path(crontab).parent
        return lambda source: self._calendar(source, folder)

    def _calendar(self, source: str, folder: Path) -> Calendar:
        """Return a calendar; BadValue where it can't be had."""
        place = source if source.startswith(HOLIDAYS) else _place(source, folder)
        if place not in self.readings and place not in self.unread:
            reading = self._found(place)
            if reading is None:
                self.unread.add(place)
            else:
                self.readings[place] = reading
        if place in self.unread:
            raise BadValue("bad-calendar", f"{source} is not read yet")
        found = self.readings[place].found
        if isinstance(found, BadValue):  # another one each time: its offset is the crontab's
            raise BadValue(found.code, found.message, hint=found.hint)
        return found

    def _found(self, place: str) -> CalendarReading | None:
        try:
            return self._find(place)
        except Exception as error:  # noqa: BLE001 (a bug in a calendar's costs its entries alone)
            what = f"{type(error).__name__}: {error}"
            return CalendarReading(BadValue("bad-calendar", f"{place} can't be read: {what}"))


def _place(source: str, folder: Path) -> str:
    """Return the path of a calendar's file; BadValue for one in a home that nobody has."""
    try:
        return str(folder / Path(source).expanduser())
    except RuntimeError as error:
        message = f"{shortened(source)} can't be found: nobody's home is {Path(source).parts[0]}"
        raise BadValue("bad-calendar", message, hint="write the path in full") from error


def stamp_of(place: str) -> Stamp | None:
    """Return what differs when a calendar's file does; None for what is no file, or missing."""
    return None if place.startswith(HOLIDAYS) else crontab_files.stamp(Path(place))


def read_calendar(place: str, read: Callable[[str], CrontabText]) -> CalendarReading:
    """Return a calendar, good or bad, when it is there."""
    stamp = stamp_of(place)
    doubts: tuple[Problem, ...] = ()
    try:
        if place.startswith(HOLIDAYS):
            return CalendarReading(_of_holidays(place))
        text = _trusted(place, read)
        doubts = tuple(
            Problem(place, 0, 0, Severity.WARNING, code, said) for code, said in text.warnings
        )
        return CalendarReading(_of_bytes(place, text.data), stamp, doubts)
    except BadValue as bad:
        return CalendarReading(bad, stamp, doubts)


def waiting_shelf(read: Callable[[str], CrontabText]) -> CalendarShelf:
    """Return a shelf that reads each calendar when it is asked for, and waits for that."""
    return CalendarShelf(lambda place: read_calendar(place, read))


def _trusted(path: str, read: Callable[[str], CrontabText]) -> CrontabText:
    try:
        return read(path)
    except SourceRefused as refused:
        message = f"the calendar {path} is refused: {refused.message}"
        hint = refused.hint
        if refused.code == "missing":
            hint = f"it is taken for a file in {Path(path).parent}; a date is 2027-12-24 or 12-24"
        raise BadValue("bad-calendar", message, hint=hint) from refused


# Of each file its digest, and what it came to, and the holidays: nobody is asked for them twice.
_CALENDARS_READ: dict[str, tuple[bytes, Calendar]] = {}


def _of_bytes(path: str, data: bytes) -> Calendar:
    digest = blake2b(data).digest()
    if path not in _CALENDARS_READ or _CALENDARS_READ[path][0] != digest:
        _CALENDARS_READ[path] = digest, _taken_apart(path, data)
    return _CALENDARS_READ[path][1]


def _taken_apart(path: str, data: bytes) -> Calendar:
    if path.endswith(".ics"):
        text = data.decode("utf-8-sig", errors="replace")
        return _of_answer(path, _asked(path, kind="events", text=text))
    return calendar_of(path, calendar_lines.read(data, path))


def _of_holidays(source: str) -> Calendar:
    if source not in _CALENDARS_READ:
        code = source.removeprefix(HOLIDAYS)
        _CALENDARS_READ[source] = (
            b"",
            _of_answer(source, _asked(source, kind="holidays", code=code)),
        )
    return _CALENDARS_READ[source][1]


def _of_answer(source: str, answer: dict[str, Any]) -> Calendar:
    if library := answer.get("missing"):
        message = f"{source} needs the library {library}"
        raise BadValue("missing-extra", message, hint=_INSTALL)
    if (unknown := answer.get("unknown")) is not None:
        known = answer["known"]
        upper = unknown.upper()
        near = [upper] if upper in known else nearest(upper, known, most=3)
        near = near or nearest(unknown, known, most=3)
        hint = did_you_mean(near) or HOLIDAYS_HINT
        message = f"nobody knows the holidays of {shortened(unknown)}"
        raise BadValue("unknown-holidays", message, hint=hint)
    if error := answer.get("error"):
        said = error if len(error) <= _MOST_OF_ERROR else f"{error[:_MOST_OF_ERROR]}…"
        message = f"{source}:{answer['line']}:1: {shortened(answer['text'])}: {said}"
        raise BadValue("bad-calendar", message, hint="an .ics file is a calendar of RFC 5545")
    return calendar_of(source, map(date.fromisoformat, answer["dates"]))


def _asked(source: str, **request: str) -> dict[str, Any]:
    """Return the answer of a process that has the libraries; BadValue where there is none."""
    words = (sys.executable, "-I", "-X", "utf8", str(_CALENDAR_PROGRAM), str(os.getpid()))
    said = ""
    try:
        out, said = _conversed(words, json.dumps({**request, "path": sys.path}))
        answer: dict[str, Any] = json.loads(out)
    except subprocess.TimeoutExpired as late:
        message = f"{source} was not read within {_TIME_LIMIT:g} seconds"
        hint = "has it an event that recurs every minute?"
        raise BadValue("bad-calendar", message, hint=hint) from late
    except (OSError, ValueError) as error:
        why = shortened((said.strip() or str(error)).splitlines()[-1])
        raise BadValue("bad-calendar", f"{source} can't be read: {why}") from error
    return answer


def _started(words: tuple[str, ...], given: IO[str], text: str) -> subprocess.Popen[str]:
    """Start a process that finds a text on its standard input, in a file, which blocks nobody."""
    given.write(text)
    given.seek(0)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, stdin=given, stdout=pipe, stderr=pipe, encoding="utf-8", cwd="/", env={}
    )


def _conversed(words: tuple[str, ...], text: str) -> tuple[str, str]:
    """Return what a process wrote to its two outputs; TimeoutExpired, and it is killed.

    It may be on another thread than the daemon's reaper, which is who hears of its end: it is over
    for us when its pipes are closed, and as long as they are not, its number is not another's.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as given,
        _started(words, given, text) as process,
    ):
        process.returncode = 0  # nobody waits for it here
        try:
            return process.communicate(timeout=_TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            raise
