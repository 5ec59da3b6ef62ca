"""The text of a POSIX zone rule such as `UTC-2` in, a zone that follows it out.

Read as tzset(3) and POSIX (base definitions, 8.3) read TZ. The sign counts westward: `UTC-2` is
ahead of UTC. DST without a rule has that of the United States.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from io import BytesIO
from itertools import chain, pairwise
from struct import pack
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from scheduler.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ZONE_NAME = "[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>"
_RULE_OFFSET = "[+-]?[0-9]{1,2}(?::[0-9]{2}){0,2}"
_RULE = re.compile(
    rf"(?P<std>{_ZONE_NAME})(?P<west>{_RULE_OFFSET})"
    rf"(?:(?P<dst>{_ZONE_NAME})(?P<dst_west>{_RULE_OFFSET})?(?:,(?P<start>[^,]+),(?P<end>[^,]+))?)?"
)
_RULE_TIME = re.compile(r"([+-]?)([0-9]{1,3})(?::([0-9]{2}))?(?::([0-9]{2}))?")
_MONTH_RULE = re.compile(r"M([0-9]{1,2})\.([1-5])\.([0-6])")
_USUAL_CHANGES = ("M3.2.0", "M11.1.0")  # glibc's and POSIX's own, where a rule names none
_HOUR_S, _DAY_S = 3600, 86_400
# Every change in these years is worked out here. After them the library follows the rule, which
# it does year by year of UTC, and so not where a change is due at New Year.
_YEARS = range(1900, 2300)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SHORTEST = 2 * _DAY_S  # between two changes: they are looked for once a day
_RULE_HINT = "such as CET-1CEST,M3.5.0,M10.5.0/3; better a name such as Europe/Berlin"


class _Rule(NamedTuple):
    """The parts of a rule: names, seconds east of UTC, and when DST begins and ends."""

    std: str
    east: int
    dst: str = ""
    dst_east: int = 0
    start: str = ""
    end: str = ""
    text: str = ""  # with these


class RuleZone(ZoneInfo):
    """A zone whose key is its rule; it is pickled by that."""

    def __reduce__(self) -> tuple[Callable[[str], ZoneInfo], tuple[str]]:
        return zone, (self.key,)


def is_rule(text: str) -> bool:
    """Say whether a text is built as a rule is, right or wrong: a name and a number behind it."""
    return re.match(rf"(?:{_ZONE_NAME})[+-]?[0-9]", text) is not None


@lru_cache(maxsize=256)
def zone(text: str) -> ZoneInfo:
    """Return the zone that the rule makes; its key is the text, and equal texts share one.

    Raises BadValue (`bad-zone-rule`) for what tzset would take for UTC without a word, and where
    the clock would be changed and changed back within two days.
    """
    rule = _read(text)
    changes = _changes(rule) if rule.dst else []
    is_short = any(after - before < _SHORTEST for (before, _), (after, _) in pairwise(changes))
    if is_short or (rule.dst and _is_over_at_once(rule)):
        raise _bad("its DST lasts, or is over for, less than two days")
    try:
        return RuleZone.from_file(BytesIO(_file(rule, changes)), key=text)
    except ValueError as error:  # 3.11.2's reader takes hours of two digits at most
        raise _bad(
            "this Python can't read a time of its dates; hours from -99 to 99 are"
        ) from error


def which_way(text: str) -> tuple[str, str]:
    """Return how far the rule's clock is from UTC, in words, and what to write instead.

    Its sign is not the one that people expect. Takes a rule that `zone` takes.
    """
    rule = _read(text)
    said = f"{text} is {_away(rule.east)} UTC"
    if rule.dst:
        said += f", and {_away(rule.dst_east)} it with DST"
        if rule.text != text:
            usual = ",".join(_USUAL_CHANGES)
            said += f", which has the dates of the United States ({usual}) for want of any"
    return f"{said}: in a POSIX rule + is behind UTC, and - ahead", _instead(rule)


def _instead(rule: _Rule) -> str:
    """Return the names that say the same, and the opposite, of a rule in whole hours."""
    hours, rest = divmod(-rule.east, _HOUR_S)
    place = "a name such as Europe/Berlin"
    if rule.dst or rest or not -12 <= hours <= 12:
        return f"write {place}"
    if not hours:
        return f"write UTC, or {place}"
    ahead, behind = (f"Etc/GMT{sign}{abs(hours)}" for sign in "-+")
    return f"write {ahead} for ahead, {behind} for behind, or {place}"


def _away(east: int) -> str:
    minutes, seconds = divmod(abs(east), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "hour"), (minutes, "minute"), (seconds, "second"))
    length = " ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n)
    return f"{length} {'AHEAD of' if east > 0 else 'BEHIND'}" if east else "at"


# --- reading -------------------------------------------------------------------------------------


def _read(text: str) -> _Rule:
    found = _RULE.fullmatch(text)
    if found is None:
        raise _bad("a rule is a name, hours west of UTC, and with DST a second name and two dates")
    east = -_seconds(found["west"], 24)
    if not found["dst"]:
        return _Rule(found["std"].strip("<>"), _offset(east))
    dst_east = -_seconds(found["dst_west"], 24) if found["dst_west"] else east + _HOUR_S
    start, end = (found["start"], found["end"]) if found["start"] else _USUAL_CHANGES
    names = (found["std"].strip("<>"), _offset(east), found["dst"].strip("<>"), _offset(dst_east))
    return _Rule(*names, start, end, text if found["start"] else f"{text},{start},{end}")


def _offset(east: int) -> int:
    if abs(east) >= _DAY_S:
        raise _bad("it is a day or more away from UTC")
    return east


def _seconds(text: str, most: int) -> int:
    found = _RULE_TIME.fullmatch(text)
    if found is None:
        raise _bad(f"{text} is not a time of day")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    if hours > most or minutes > 59 or seconds > 59:
        raise _bad(f"{text} is not within {most} hours")
    total = hours * _HOUR_S + minutes * 60 + seconds
    return -total if found[1] == "-" else total


def _bad(why: str) -> BadValue:
    message = f"no zone has this name, and it is no POSIX rule: {why}"
    return BadValue("bad-zone-rule", message, hint=_RULE_HINT)


# --- when the clock is changed -------------------------------------------------------------------


def _changes(rule: _Rule) -> list[tuple[int, bool]]:
    """Return all changes of _YEARS: seconds since 1970, and whether DST begins there.

    DST of the whole year begins in the moment in which it ends, and so is not changed.
    """
    # The end comes first where both fall on one moment, and the later one counts.
    found = dict(sorted(chain(_each(rule, start=True), _each(rule, start=False))))
    kept: list[tuple[int, bool]] = []
    for at, begins in found.items():
        if not kept or kept[-1][1] != begins:
            kept.append((at, begins))
    return kept


def _is_over_at_once(rule: _Rule) -> bool:
    """Say whether DST ends when it begins, in the same year: then it is never in force."""
    years = zip(_each(rule, start=True), _each(rule, start=False), strict=True)
    return any(begins == ends for (begins, _), (ends, _) in years)


def _each(rule: _Rule, *, start: bool) -> Iterator[tuple[int, bool]]:
    day_text, _, time_text = (rule.start if start else rule.end).partition("/")
    day = _day_of_year(day_text)
    time = _seconds(time_text, 167) if time_text else 2 * _HOUR_S
    shift = time - (rule.east if start else rule.dst_east)
    return (((day(year) - _EPOCH_DAY) * _DAY_S + shift, start) for year in _YEARS)


def _day_of_year(text: str) -> Callable[[int], int]:
    """Return what tells a year's day (as an ordinal) that `M3.2.0`, `J60` or `59` names."""
    if found := _MONTH_RULE.fullmatch(text):
        month, week, weekday = map(int, found.groups())
        if 1 <= month <= 12:
            return lambda year: _nth_weekday(year, month, week, weekday)
    elif re.fullmatch("J?[0-9]{1,3}", text):
        number = int(text.removeprefix("J"))
        if text[0] == "J" and 1 <= number <= 365:
            # February 29 has no number.
            return lambda year: (
                date(year, 3, 1).toordinal() + number - 60
                if number > 59
                else (date(year, 1, 1).toordinal() + number - 1)
            )
        if text[0] != "J" and number <= 365:
            return lambda year: date(year, 1, 1).toordinal() + number
    raise _bad(f"{text} is no day: M3.5.0 (the last Sunday in March), J1-J365 or 0-365")


def _nth_weekday(year: int, month: int, week: int, weekday: int) -> int:
    first = date(year, month, 1)
    day = first.toordinal() + (weekday - first.isoweekday()) % 7 + 7 * (week - 1)
    while date.fromordinal(day).month != month:
        day -= 7  # the fifth is the last
    return day


# --- the zone ------------------------------------------------------------------------------------


def _file(rule: _Rule, changes: list[tuple[int, bool]]) -> bytes:
    """Return a zone file (TZif, RFC 9636) with these changes, and the rule for the time after."""
    names = f"{rule.std}\0{rule.dst}\0".encode()
    kinds = pack(">lBB", rule.east, 0, 0)
    if rule.dst:
        kinds += pack(">lBB", rule.dst_east, 1, len(rule.std) + 1)
    count = len(changes)
    times = pack(f">{count}q", *(at for at, _ in changes)) + bytes(begins for _, begins in changes)
    header = pack(">4s c 15x 6L", b"TZif", b"2", 0, 0, 0, count, len(kinds) // 6, len(names))
    footer = f"\n{rule.text}\n" if rule.dst else "\n\n"
    return _OLD + header + times + kinds + names + footer.encode()


# What a file of this version has in front for readers of the first one.
_OLD = pack(">4s c 15x 6L", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + pack(">lBB", 0, 0, 0) + b"UTC\0"
