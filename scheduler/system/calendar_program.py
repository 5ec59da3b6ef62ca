"""A request for dates in, the dates out: a program of its own, gone when it has answered.

The libraries that know holidays and read `.ics` files (RFC 5545) are large: in here they cost the
daemon no memory, and what hangs in them is ended. The request is JSON on standard input, and so is
the answer on standard output: `dates`, or what is wrong. Its argument is the process that started
it, and without which it ends.

What a user asks for is not root's to do: with `as` in the request it becomes that account before
it looks at what it is asked, and the `data` of a file are those that this account may read.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import re
import resource
import signal
import stat
import sys
import warnings
from datetime import date, datetime, timedelta
from typing import Any

FIRST_YEAR, LAST_YEAR = 1970, 2100  # as of an audit: far ahead everything is a guess

_LIBRARIES = {
    "holidays": ("holidays",),
    "events": ("icalendar", "recurring_ical_events"),
    "file": (),
}
_LARGEST_FILE = 1 << 20  # of a user's file
_MOST_MEMORY = 1 << 30  # bytes, where a user asks
_LOOK_EACH = 0.5  # seconds, at who started this
_DAY = timedelta(days=1)
_OF_TIME = {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
_FRAGMENT = re.compile(r"'([^']+)'|([A-Z-]+=[^ ;]+)")


def main() -> None:
    """Answer the request, and end: soon, also where nobody is left who would end it."""
    parent = int(sys.argv[1])
    signal.signal(signal.SIGALRM, lambda *_: None if os.getppid() == parent else os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, _LOOK_EACH, _LOOK_EACH)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    request = json.load(sys.stdin)
    sys.path[:] = request["path"]
    warnings.simplefilter("ignore")  # of years that a library knows no holidays of
    try:
        answer = _answer(request)
    except ModuleNotFoundError as error:
        answer = {"missing": error.name}
    json.dump(answer, sys.stdout)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    kind = request["kind"]
    for name in _LIBRARIES[kind]:
        importlib.import_module(name)  # as long as this process may read it
    if request.get("as") is not None:
        if kind == "holidays":
            _load_holidays(request["code"])
        _become(request["as"])
    if kind == "file":
        return _file(request["file"])
    return _holidays(request["code"]) if kind == "holidays" else _events(request["text"])


def _become(account: dict[str, Any]) -> None:
    codec = importlib.import_module("scheduler.codec")
    kind = importlib.import_module("scheduler.system.accounts").Account
    importlib.import_module("scheduler.system.become_user").become(codec.decode(kind, account))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


# --- files ---------------------------------------------------------------------------------------


def _file(path: str) -> dict[str, Any]:
    """Return what is in a file; nothing that is no file is waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return {"error": "it is no file"}
        data = os.read(descriptor, _LARGEST_FILE + 1)
    except OSError as error:
        return {"error": error.strerror}
    if len(data) > _LARGEST_FILE:
        return {"error": f"it has more than {_LARGEST_FILE} bytes"}
    return {"data": base64.b64encode(data).decode()}


# --- holidays ------------------------------------------------------------------------------------


def _load_holidays(code: str) -> None:
    """Load what the library has of a country or a market, if it knows that."""
    library = importlib.import_module("holidays")
    if code.partition("-")[0] in library.list_supported_countries(include_aliases=True):
        library.country_holidays(code.partition("-")[0])
    elif code in library.list_supported_financial(include_aliases=True):
        library.financial_holidays(code)


def _holidays(code: str) -> dict[str, Any]:
    library = importlib.import_module("holidays")
    country, dash, part = code.partition("-")
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    countries = library.list_supported_countries(include_aliases=True)
    if country in countries:
        if dash and part not in countries[country]:
            return {"unknown": code, "known": [f"{country}-{each}" for each in countries[country]]}
        found = library.country_holidays(country, subdiv=part or None, years=years)
    elif code in (markets := library.list_supported_financial(include_aliases=True)):
        found = library.financial_holidays(code, years=years)
    else:
        parts = countries.get(country.upper(), ())
        known = [*countries, *markets, *(f"{country.upper()}-{each}" for each in parts)]
        return {"unknown": code, "known": known}
    return {"dates": [day.isoformat() for day in sorted(found)]}


# --- events --------------------------------------------------------------------------------------


def _events(text: str) -> dict[str, Any]:
    ical = importlib.import_module("icalendar")
    recurring = importlib.import_module("recurring_ical_events")
    try:
        found: set[date] = set()
        for each in ical.Calendar.from_ical(text, multiple=True) or [ical.Calendar.from_ical(text)]:
            if broken := _broken(each):
                return {"error": broken[1], **_line(text, *broken)}
            span = recurring.of(each).between((FIRST_YEAR, 1, 1), (LAST_YEAR + 1, 1, 1))
            for event in span:
                found.update(_days(event))
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return {"error": said, **_line(text, "", said)}
    return {"dates": [day.isoformat() for day in sorted(found)]}


def _broken(calendar: Any) -> tuple[str, str] | None:
    """Return what is wrong with when an event is, the property's name first."""
    errors = (error for part in calendar.walk() for error in part.errors)
    return next(((name, said) for name, said in errors if name in _OF_TIME), None)


def _line(text: str, name: str, said: str) -> dict[str, Any]:
    """Return the line that an error is about, and its number; the first where nobody can tell."""
    quoted = _FRAGMENT.search(said)
    piece = said.rpartition(": ")[2] if quoted is None else quoted[1] or quoted[2]
    lines = text.splitlines() or [""]
    found = (n for n, line in enumerate(lines) if piece in line and line.startswith(name))
    number = next(found, 0)
    return {"line": number + 1, "text": lines[number]}


def _days(event: Any) -> list[date]:
    """Return the days that an event touches, in its own zone; one that was cancelled has none."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return []
    first, last = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    days = [_day(first)]
    while last is not None and len(days) <= 366 * (LAST_YEAR - FIRST_YEAR):
        day = days[-1] + _DAY
        is_over = day >= last if not isinstance(last, datetime) else _starts(day, last) >= last
        if is_over:
            break
        days.append(day)
    return days


def _starts(day: date, like: datetime) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=like.tzinfo)


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


if __name__ == "__main__":
    main()
