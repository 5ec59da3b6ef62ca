"""What a crontab calls a calendar in, its dates out: files read with care, holidays looked up.

A file is read as a crontab is, with care for who could have written it. What the libraries of the
extra `calendar` know is asked of a process of its own: see `calendar_program`.

What a user's table names, of those that a system daemon reads, is nothing for root to open: a
process that is that user reads the file, and one that is nobody asks the libraries.
"""

from __future__ import annotations

import binascii
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from scheduler.codec import encode
from scheduler.crontab import calendar_lines
from scheduler.crontab.day_values import HOLIDAYS_HINT
from scheduler.day_rules import HOLIDAYS, Calendar, calendar_of
from scheduler.entry import Problem, Severity
from scheduler.errors import BadValue, SourceRefused
from scheduler.suggestions import did_you_mean, nearest
from scheduler.system import accounts, crontab_files
from scheduler.system.accounts import Account
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from scheduler.system.accounts import Users
    from scheduler.system.crontab_files import CrontabText, Stamp

_CALENDAR_PROGRAM = Path(__file__).with_name("calendar_program.py")
UNREAD = "unread-calendar"  # a problem's code
_TIME_LIMIT = 10.0  # seconds; the libraries need a fraction of one
_WITHOUT_RIGHTS = Account("nobody", 65534, 65534, (65534,), "/")
_MOST_OF_ERROR = 200  # characters of what a library says
_INSTALL = "make install EXTRAS=calendar, or pip install 'meridian-cron[calendar]'"


@dataclass(frozen=True, slots=True)
class CalendarSource:
    """The path of a calendar's file, or `holidays:DE`, and the user in whose table it stands.

    None is the daemon's own user. With a `version` of the table a user's file is read anew: nobody
    looks at it before each minute, since a look may take a user's disk as long as it likes.
    """

    place: str
    user: str | None = None
    version: Stamp | None = None

    def __str__(self) -> str:
        return self.place if self.user is None else f"{self.place} of {self.user}"

    @property
    def is_file(self) -> bool:
        """Whether it is a file that is looked at before each minute."""
        return self.user is None and not self.place.startswith(HOLIDAYS)


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

    def __init__(self, find: Callable[[CalendarSource], CalendarReading | None]) -> None:
        self._find = find
        self.readings: dict[CalendarSource, CalendarReading] = {}
        self.unread: set[CalendarSource] = set()

    @property
    def stamps(self) -> dict[str, Stamp | None]:
        """The files among them, as they were before they were read."""
        return {
            source.place: reading.stamp
            for source, reading in self.readings.items()
            if source.is_file
        }

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is doubtful of these files."""
        return tuple(doubt for reading in self.readings.values() for doubt in reading.doubts)

    def of(
        self, crontab: str, user: str | None = None, users: Users = accounts
    ) -> Callable[[str], Calendar]:
        """Return what finds the calendars of a crontab, whose folder paths are relative to.

        In a `user`'s table they are relative to that user's home, of which `users` tells.
        """
        if user is None:
            folder = Path(crontab).parent
            return lambda name: self._calendar(name, CalendarSource(_place(name, folder)))
        version, account = crontab_files.stamp(Path(crontab)), _account(user, users)
        home = account.home if account else "/"
        return lambda name: self._calendar(
            name, CalendarSource(_place_at_home(name, home), user, version)
        )

    def _calendar(self, name: str, source: CalendarSource) -> Calendar:
        """Return a calendar; BadValue where it can't be had."""
        if source not in self.readings and source not in self.unread:
            reading = self._found(source)
            if reading is None:
                self.unread.add(source)
            else:
                self.readings[source] = reading
        if source in self.unread:
            raise BadValue(UNREAD, f"{name} is not read yet", hint="its entries wait for that")
        found = self.readings[source].found
        if isinstance(found, BadValue):  # another one each time: its offset is the crontab's
            raise BadValue(found.code, found.message, hint=found.hint)
        return found

    def _found(self, source: CalendarSource) -> CalendarReading | None:
        try:
            return self._find(source)
        except Exception as error:  # noqa: BLE001 (a bug in a calendar's costs its entries alone)
            what = f"{type(error).__name__}: {error}"
            return CalendarReading(BadValue("bad-calendar", f"{source} can't be read: {what}"))


def _place_at_home(source: str, home: str) -> str:
    """Return the path of a calendar's file in a user's table; BadValue where there is none."""
    own = re.sub(r"~(?=/|$)", lambda _: home, source, count=1) if source[:1] == "~" else source
    return _place(own, Path(home))


def _account(user: str, users: Users = accounts) -> Account | None:
    try:
        return users.find(user)
    except OSError:
        return None


def _place(source: str, folder: Path) -> str:
    """Return the path of a calendar's file; BadValue for one in a home that nobody has."""
    if source.startswith(HOLIDAYS):
        return source
    try:
        return str(folder / Path(source).expanduser())
    except RuntimeError as error:
        message = f"{shortened(source)} can't be found: nobody's home is {Path(source).parts[0]}"
        raise BadValue("bad-calendar", message, hint="write the path in full") from error


def stamp_of(source: CalendarSource) -> Stamp | None:
    """Return what differs when a calendar's file does; None for what is no file, or missing."""
    return crontab_files.stamp(Path(source.place)) if source.is_file else None


def read_calendar(source: CalendarSource, read: Callable[[str], CrontabText]) -> CalendarReading:
    """Return a calendar, good or bad, when it is there."""
    stamp, place = stamp_of(source), source.place
    doubts: tuple[Problem, ...] = ()
    by_nobody = source.user is not None
    try:
        if place.startswith(HOLIDAYS):
            return CalendarReading(_of_holidays(place, by_nobody=by_nobody))
        if source.user is not None:
            return CalendarReading(
                _of_bytes(place, _users_file(place, source.user), by_nobody=True)
            )
        text = _trusted(place, read)
        doubts = tuple(
            Problem(place, 0, 0, Severity.WARNING, code, said) for code, said in text.warnings
        )
        return CalendarReading(_of_bytes(place, text.data), stamp, doubts)
    except BadValue as bad:
        return CalendarReading(bad, stamp, doubts)


def waiting_shelf(read: Callable[[str], CrontabText]) -> CalendarShelf:
    """Return a shelf that reads each calendar when it is asked for, and waits for that."""
    return CalendarShelf(lambda source: read_calendar(source, read))


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


def keep_only(named: Collection[str]) -> None:
    """Forget what no crontab names any more: a user could name another file each minute."""
    for place in _CALENDARS_READ.keys() - set(named):
        _CALENDARS_READ.pop(place, None)


def _users_file(path: str, user: str) -> bytes:
    """Return the bytes of a file as this user may read it; BadValue where that can't be.

    Nothing of it, not even whether it is there, gets into an error that the user couldn't see.
    """
    account = _account(user)
    if account is None:
        raise BadValue("bad-calendar", f"{path} can't be read: there is no user {user}")
    answer = _asked(path, account, kind="file", file=path)
    if error := answer.get("error"):
        hint = f"it is read as {user}"
        raise BadValue("bad-calendar", f"{path} can't be read: {error}", hint=hint)
    return binascii.a2b_base64(answer["data"])


def _of_bytes(path: str, data: bytes, *, by_nobody: bool = False) -> Calendar:
    digest, read = blake2b(data).digest(), _CALENDARS_READ.get(path)
    if read is None or read[0] != digest:  # another thread may put another user's there meanwhile
        read = digest, _taken_apart(path, data, _WITHOUT_RIGHTS if by_nobody else None)
        _CALENDARS_READ[path] = read
    return read[1]


def _taken_apart(path: str, data: bytes, by: Account | None) -> Calendar:
    if path.endswith(".ics"):
        text = data.decode("utf-8-sig", errors="replace")
        return _of_answer(path, _asked(path, by, kind="events", text=text))
    return calendar_of(path, calendar_lines.read(data, path))


def _of_holidays(source: str, *, by_nobody: bool) -> Calendar:
    read = _CALENDARS_READ.get(source)
    if read is None:
        by, code = _WITHOUT_RIGHTS if by_nobody else None, source.removeprefix(HOLIDAYS)
        answer = _asked(source, by, kind="holidays", code=code)
        _CALENDARS_READ[source] = read = b"", _of_answer(source, answer)
    return read[1]


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


def _asked(source: str, by: Account | None, **request: str) -> dict[str, Any]:
    """Return the answer of a process that has the libraries; BadValue where there is none.

    Where we are root it becomes the account that it is asked `by`.
    """
    account = None if by is None or os.geteuid() else encode(by)
    words = (sys.executable, "-I", "-X", "utf8", str(_CALENDAR_PROGRAM), str(os.getpid()))
    said = ""
    try:
        out, said = _conversed(words, json.dumps({**request, "as": account, "path": sys.path}))
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
