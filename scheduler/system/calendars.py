"""What a crontab calls a calendar in, its dates out: files read with care, holidays looked up.

A file is read as a crontab is, with care for who could have written it. What the libraries of the
extra `calendar` know is asked of a process of its own: see `calendar_program`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.crontab import calendar_lines
from scheduler.crontab.day_values import HOLIDAYS
from scheduler.day_rules import Calendar, calendar_of
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
_INSTALL = "make install EXTRAS=calendar, or pip install 'meridian-cron[calendar]'"


class CalendarShelf:
    """The calendars of one reading of the crontabs.

    Owns what was found by now, good or bad, so that each is looked up once; and for each file its
    stamp from before it was read. The loader builds one for each reading, the parser asks it.
    """

    def __init__(self, read: Callable[[str], CrontabText]) -> None:
        self._read = read
        self._found: dict[str, Calendar | BadValue] = {}
        self.stamps: dict[str, Stamp | None] = {}
        self.problems: list[Problem] = []

    def of(self, crontab: str) -> Callable[[str], Calendar]:
        """Return what finds the calendars of a crontab, whose folder paths are relative to."""
        folder = Path(crontab).parent
        return lambda source: self._calendar(source, folder)

    def _calendar(self, source: str, folder: Path) -> Calendar:
        """Return a calendar; BadValue where it can't be had."""
        is_file = not source.startswith(HOLIDAYS)
        place = str(folder / Path(source).expanduser()) if is_file else source
        if place not in self._found:
            try:
                self._found[place] = self._file(place) if is_file else _holidays(source)
            except BadValue as bad:
                self._found[place] = bad
        found = self._found[place]
        if isinstance(found, BadValue):  # another one each time: its offset is the crontab's
            raise BadValue(found.code, found.message, hint=found.hint)
        return found

    def _file(self, path: str) -> Calendar:
        self.stamps[path] = crontab_files.stamp(Path(path))
        try:
            text = self._read(path)
        except SourceRefused as refused:
            message = f"the calendar {path} is refused: {refused.message}"
            raise BadValue("bad-calendar", message, hint=refused.hint) from refused
        self.problems += [
            Problem(path, 0, 0, Severity.WARNING, code, said) for code, said in text.warnings
        ]
        return _of_bytes(path, text.data)


# Of each file its digest and what it came to: one that was not changed is not taken apart anew.
_FILES_READ: dict[str, tuple[bytes, Calendar]] = {}


def _of_bytes(path: str, data: bytes) -> Calendar:
    digest = blake2b(data).digest()
    if path not in _FILES_READ or _FILES_READ[path][0] != digest:
        _FILES_READ[path] = digest, _taken_apart(path, data)
    return _FILES_READ[path][1]


def _taken_apart(path: str, data: bytes) -> Calendar:
    if path.endswith(".ics"):
        text = data.decode("utf-8-sig", errors="replace")
        return _of_answer(path, _asked(path, kind="events", text=text))
    return calendar_of(path, calendar_lines.read(data, path))


@lru_cache(maxsize=256)
def _holidays(source: str) -> Calendar:
    code = source.removeprefix(HOLIDAYS)
    return _of_answer(source, _asked(source, kind="holidays", code=code))


def _of_answer(source: str, answer: dict[str, Any]) -> Calendar:
    if library := answer.get("missing"):
        message = f"{source} needs the library {library}"
        raise BadValue("missing-extra", message, hint=_INSTALL)
    if unknown := answer.get("unknown"):
        known = answer["known"]
        near = nearest(unknown, known, most=3) or nearest(unknown.upper(), known, most=3)
        hint = did_you_mean(near) or "such as holidays:DE-BY: ISO 3166's codes, or a market's"
        message = f"nobody knows the holidays of {shortened(unknown)}"
        raise BadValue("unknown-holidays", message, hint=hint)
    if error := answer.get("error"):
        message = f"{source}:{answer.get('line', 1)}:1: {shortened(error)}"
        raise BadValue("bad-calendar", message, hint="an .ics file is a calendar of RFC 5545")
    return calendar_of(source, map(date.fromisoformat, answer["dates"]))


def _asked(source: str, **request: str) -> dict[str, Any]:
    """Return the answer of a process that has the libraries; BadValue where there is none."""
    words = (sys.executable, "-I", "-X", "utf8", str(_CALENDAR_PROGRAM))
    try:
        done = subprocess.run(
            words,
            input=json.dumps({**request, "path": sys.path}),
            capture_output=True,
            encoding="utf-8",
            timeout=_TIME_LIMIT,
            check=True,
            cwd="/",
            env={},
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as late:
        message = f"{source} was not read within {_TIME_LIMIT:g} seconds"
        hint = "has it an event that recurs every minute?"
        raise BadValue("bad-calendar", message, hint=hint) from late
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        message = f"{source} can't be read: {shortened(said[-1] if said else repr(error))}"
        raise BadValue("bad-calendar", message) from error
    return answer
