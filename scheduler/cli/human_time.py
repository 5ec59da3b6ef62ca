"""A time as a person types it in, the instant that it means out.

Nothing is guessed: a text that two people could read in two ways is a BadValue that names the forms
which are read. Dates and times are those of ISO 8601 and RFC 3339.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MINYEAR, UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dateutil import tz

from scheduler.errors import BadValue
from scheduler.schedule import duration
from scheduler.text import LAST_DAY, shortened

if TYPE_CHECKING:
    from datetime import date, tzinfo
    from zoneinfo import ZoneInfo

FORMS = "write 2027-03-28, 2027-03-28T09:00+02:00, 09:00, tomorrow 9:00, mon 9:00, 2h or now"

_ENDS = "it is at the end of the calendar"
_NAMED_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = (
    r"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,9}))?)?"
)
_OFFSET = r"z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_FORM = re.compile(
    rf"(?:(?P<date>{_DATE})|(?P<name>[a-z]+))?"
    rf"(?:(?:(?<=[0-9])t|(?<=[a-z0-9]) |^)(?P<clock>{_CLOCK})(?: ?(?P<offset>{_OFFSET}))?)?"
)
_BARE = re.compile(r"[0-9.]+")
_ZONE_WORD = re.compile(r"(?P<time>.*[0-9]:[0-9]{2}) ?(?!am\b|pm\b)[a-z]{2,5}(?:[+-][0-9:]+)?")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: the instant, in UTC, and the zone in which it was read.

    `local` is the naive wall-clock time that was typed, which a DST gap may have skipped or an
    overlap repeated; None where the text said an instant: now, an offset, a duration.
    """

    at: datetime
    zone: ZoneInfo
    local: datetime | None = None

    @property
    def is_skipped(self) -> bool:
        """Whether a gap skipped it; then `at` is as far behind the gap as it lay within."""
        return self.local is not None and not tz.datetime_exists(self.local, self.zone)

    @property
    def is_repeated(self) -> bool:
        """Whether an overlap showed it twice; then `at` is the first."""
        if self.local is None or self.is_skipped:  # the library calls a gap ambiguous too
            return False
        return tz.datetime_ambiguous(self.local, self.zone)

    @property
    def note(self) -> str:
        """What there is to say of a time that the zone's clocks never showed, or showed twice."""
        if self.local is None:
            return ""
        shown = f"{self.local:%H:%M} of {self.local:%Y-%m-%d}"
        if self.is_skipped:
            at = self.at.astimezone(self.zone)
            return f"no clock of {self.zone.key} shows {shown}: {at:%H:%M} is taken"
        if not self.is_repeated:
            return ""
        first, second = (
            self.local.replace(tzinfo=self.zone, fold=fold).isoformat(timespec="minutes")
            for fold in (0, 1)
        )
        what = f"clocks of {self.zone.key} show {shown} twice"
        return f"{what}: the first is taken, {first}; the second is {second}"


def read(text: str, now: datetime, zone: ZoneInfo, *, looks_back: bool = False) -> Typed:
    """Return what a person means who types this at `now`; BadValue (`bad-time`) if unclear.

    Read are `now`; a date, with or without a time of day; a time of day, of today; `today`,
    `tomorrow` or `yesterday`, likewise; a weekday with a time, for the next such; a duration, from
    now. With `looks_back` the last such weekday is meant, and as long ago. Without an offset it is
    a time of `zone`, in an overlap the first, in a gap one as far behind it.
    """
    plain = " ".join(text.lower().split())
    try:
        found = _at(plain, now, zone, looks_back=looks_back)
    except ValueError as error:
        raise _refusal(text, FORMS) from error
    except OverflowError as error:
        raise _refusal(text, _ENDS) from error
    # A day to either side still has to be a date.
    if found.at.year == MINYEAR or found.at >= LAST_DAY:
        raise _refusal(text, _ENDS)
    return found


def day(text: str, now: datetime, zone: ZoneInfo) -> date | None:
    """Return the day that a text names without a time: a date, today and so on; None for others.

    The text is one that `read` takes.
    """
    form = _FORM.fullmatch(" ".join(text.lower().split()))
    if form is None or form["clock"] is not None or form[0] == "now":
        return None
    return _day(form, now.astimezone(zone).date())


def length(text: str) -> float:
    """Return the seconds of a duration whose unit is typed; BadValue (`bad-duration`) else."""
    seconds = duration.parse(text)
    if _BARE.fullmatch(text):
        hint = f"{text}s or {text}d?"
        raise BadValue("bad-duration", f"{shortened(text)} has no unit", hint=hint)
    return seconds


def _at(text: str, now: datetime, zone: ZoneInfo, *, looks_back: bool) -> Typed:
    if text == "now":
        return Typed(now, zone)
    if re.fullmatch(r"[0-9][0-9.dhms]*[dhms]", text):
        seconds = timedelta(seconds=duration.parse(text))
        return Typed(now - seconds if looks_back else now + seconds, zone)
    form = _FORM.fullmatch(text)
    if not text or form is None:
        raise _refusal(text, _hint(text))
    own = zone if form["offset"] is None else _fixed(form["offset"])
    today = now.astimezone(own).date()
    weekday = _weekday(form["name"])
    if weekday is not None:
        if form["clock"] is None:
            raise _refusal(text, f"add a time of day: {text} 9:00")
        return _of_weekday(weekday, form, now, (zone, own), looks_back=looks_back)
    return _typed(_day(form, today), form, zone, own)


def _of_weekday(
    weekday: int,
    form: re.Match[str],
    now: datetime,
    zones: tuple[ZoneInfo, tzinfo],
    *,
    looks_back: bool,
) -> Typed:
    """Return the nearest such time: later than now, or with `looks_back` not later."""
    zone, own = zones
    today = now.astimezone(own).date()
    ahead = today + timedelta(days=(weekday - today.weekday()) % 7)
    found = (_typed(ahead + timedelta(days=days), form, zone, own) for days in (-7, 0, 7))
    if looks_back:
        return max((each for each in found if each.at <= now), key=lambda each: each.at)
    return min((each for each in found if each.at > now), key=lambda each: each.at)


def _typed(day: date, form: re.Match[str], zone: ZoneInfo, own: tzinfo) -> Typed:
    hour, minute, second = (int(form[name] or 0) for name in ("hour", "minute", "second"))
    micro = int(f"{form['fraction'] or '':0<6}"[:6])
    local = datetime(day.year, day.month, day.day, hour, minute, second, micro)  # noqa: DTZ001 (a wall clock)
    at = local.replace(tzinfo=own).astimezone(UTC)
    return Typed(at, zone, local if form["offset"] is None else None)


def _day(form: re.Match[str], today: date) -> date:
    if form["date"] is not None:
        return type(today).fromisoformat(form["date"])
    if form["name"] is None:
        return today
    if form["name"] not in _NAMED_DAYS:
        raise _refusal(form[0], _hint(form[0]))
    return today + timedelta(days=_NAMED_DAYS[form["name"]])


def _weekday(name: str | None) -> int | None:
    """Return the number of a weekday, Monday's is 0; None for what is none."""
    if name is None:
        return None
    found = [n for n, full in enumerate(_WEEKDAYS) if name in (full, full[:3])]
    return found[0] if found else None


def _fixed(offset: str) -> tzinfo:
    if offset == "z":
        return UTC
    digits = offset[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-size if offset.startswith("-") else size)


def _hint(text: str) -> str:
    if _BARE.fullmatch(text):
        return f"a number alone is neither a time nor a duration; {FORMS}"
    named = _ZONE_WORD.fullmatch(text)
    if named is not None:
        time = named["time"]
        return f"write the offset from UTC in place of a zone's name: {time}+01:00, {time}Z"
    return FORMS


def _refusal(text: str, hint: str) -> BadValue:
    return BadValue("bad-time", f"{shortened(text)} is no time", hint=hint)
