"""A crontab in, what Debian's cron would make of it out where that is not what Meridian does. Pure.

Judged as Debian's cron 3.0 does it (its load_env, load_entry and get_range), which throws a table
away whole for one wrong line. Which days and times a job gets by the same fields is not judged.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.crontab import day_values, lexer, lint, settings
from scheduler.entry import Problem, Severity
from scheduler.errors import BadValue
from scheduler.schedule import nicknames
from scheduler.schedule.fields import FIELDS, WORD, Field
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

CRON_REFUSES = "cron-refuses"
CRON_READS_OTHERWISE = "cron-otherwise"
_THROWN_AWAY = "Debian's cron throws the whole table away"
_LONGEST_TO_CRON = 998  # bytes of a command, or of a line that sets a variable
_LINES_OF_CRON = 10_000
_ANY_SPACE = r"[ \t\r\v\f]*"  # what C's isspace() finds in a line
_CRONS_VARIABLE = re.compile(
    rf"""(?:"[^"=]*"|'[^'=]*'|(?!["'])[^ \t\r\v\f=]*){_ANY_SPACE}="""
    rf"""{_ANY_SPACE}(?:"[^"]*"{_ANY_SPACE}|'[^']*'{_ANY_SPACE}|[^"' \t\r\v\f].*)""",
    re.DOTALL,
)
_CRONS_NICKNAMES = frozenset({*nicknames.FIELDS_OF, "@reboot"})
# A step stands only behind * or a range; what stands behind the last item is skipped.
_CRONS_VALUE = "([0-9A-Za-z]++)"
_CRONS_STEP = rf"(?:/{_CRONS_VALUE}|(?!/))"
_CRONS_ITEM = re.compile(
    rf"\*{_CRONS_STEP}|{_CRONS_VALUE}(?:-{_CRONS_VALUE}{_CRONS_STEP}|(?![-/]))"
)
# What they say of when a job runs, cron never hears.
_TIME_SETTINGS = frozenset(
    {
        settings.CRON_TZ,
        day_values.FROM,
        day_values.UNTIL,
        day_values.EXCEPT,
        day_values.ONLY,
        day_values.MOVE,
    }
)


def doubts(data: bytes, *, file: str, system: bool) -> tuple[Problem, ...]:
    """Return what Debian's cron would refuse or read otherwise, in the order of the lines.

    `system` is the form with a user column. Those of the code `CRON_REFUSES` cost the whole table.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    found = (
        lint.problem(file, number, line, bad)
        for number, line in enumerate(lines, 1)
        for bad in (_of_line(line, is_last=number == len(lines), system=system),)
        if bad is not None
    )
    return (*found, *_too_many(file, lines))


def of_unknown_user(problem: Problem) -> Problem:
    """Return what Debian's cron makes of a line of the system form whose user is not there."""
    bad = _refused("it knows no such user", problem.column - 1, problem.hint)
    return replace(
        problem, severity=Severity.ERROR, code=bad.code, message=bad.message, hint=bad.hint
    )


def _too_many(file: str, lines: list[str]) -> Iterator[Problem]:
    if len(lines) > _LINES_OF_CRON + 1:  # the last one is what follows the last newline
        bad = _refused(f"it has more than {_LINES_OF_CRON} lines", 0, "take lines out")
        yield lint.problem(file, _LINES_OF_CRON + 1, lines[_LINES_OF_CRON], bad)


def _of_line(line: str, *, is_last: bool, system: bool) -> BadValue | None:
    at = lexer.start(line)
    if at == len(line) or line[at] == "#":
        return None
    if is_last:
        return _refused("the last line has no newline", at, "end it with the Enter key")
    is_variable = _CRONS_VARIABLE.fullmatch(line, at) is not None
    if lexer.prefixes(line, at):
        return _settings_in_front(line, at, is_variable=is_variable)
    if is_variable:
        return _variable(line, at)
    return _job(line, at, system=system)


def _settings_in_front(line: str, at: int, *, is_variable: bool) -> BadValue:
    hint = "put the settings on lines of their own, above"
    if not is_variable:
        return _refused("settings stand in front of a schedule", at, hint)
    name = line[at : line.index("=", at)]
    return _otherwise(f"takes the whole line for the value of {name}: no job", at, hint)


def _variable(line: str, at: int) -> BadValue | None:
    name, begin = lexer.assigned_name(line) or ("", at)
    if len(_bytes(line[at:])) > _LONGEST_TO_CRON:
        return _otherwise(
            f"cuts the line off after {_LONGEST_TO_CRON} bytes", at, "make it shorter"
        )
    if name in _TIME_SETTINGS and line[begin:].strip(" \t\r\v\f\"'"):
        hint = "write schedules that need no such setting"
        return _otherwise(f"knows no {name}: jobs below run at other times", at, hint)
    return None


# --- jobs ----------------------------------------------------------------------------------------


def _job(line: str, at: int, *, system: bool) -> BadValue | None:
    words = list(islice(WORD.finditer(line, at), 5))
    if line[at] == "@":
        if words[0][0].rstrip("\r") not in _CRONS_NICKNAMES:
            return _refused(f"it does not know {shortened(words[0][0])}", at, "write five fields")
        return _command(line, words[0].end(), system=system)
    if (name := lexer.assigned_name(line)) and not line[name[1] :].strip():
        hint = f'write {line[at : name[1]]}""'
        return _refused("a variable has no value", at, hint)
    if len(words) < len(FIELDS):
        return _refused("it is neither a job nor a variable", at, "mend the line")
    for field, word in zip(FIELDS, words, strict=True):
        if bad := _field(field, word[0], word.start()):
            return bad
    return _command(line, words[-1].end(), system=system)


def _field(field: Field, text: str, at: int) -> BadValue | None:
    """Return what is wrong with one field; cron skips what it can't read behind a good item."""
    end = 0
    is_empty = False
    while True:
        item = _CRONS_ITEM.match(text, end)
        values = _values(field, item) if item else None
        if item is None or values is None:
            hint = "write it out"
            return _refused(f"{shortened(text)} is no {field.name} to it", at, hint)
        is_empty = is_empty or values[0] > values[1]
        end = item.end()
        if text[end : end + 1] != ",":
            break
        end += 1
    if end < len(text):
        message = f"reads {shortened(text)} as {shortened(text[:end])}"
        return _otherwise(message, at, "write it out")
    if is_empty:
        message = f"finds nothing in {shortened(text)}, which ends before it begins"
        return _otherwise(message, at, "write Sunday as 7")
    return None


def _values(field: Field, item: re.Match[str]) -> tuple[int, int] | None:
    """Return the first and last value of an item; None where cron refuses it."""
    step_of_all, first, last, step = item.groups()
    for each in (step_of_all, step):
        if each is not None and (not each.isdecimal() or not each.strip("0")):
            return None
    if first is None:
        return field.low, field.high
    low, high = _value(field, first), _value(field, last or first)
    return None if low is None or high is None else (low, high)


def _value(field: Field, word: str) -> int | None:
    if not word.isdecimal():
        name = word.lower()
        return field.low + field.names.index(name) if name in field.names else None
    digits = word.lstrip("0") or "0"
    return int(digits) if len(digits) <= 2 and field.low <= int(digits) <= field.top else None


def _command(line: str, end: int, *, system: bool) -> BadValue | None:
    at = end + lexer.start(line[end:])
    if system:
        at += lexer.word(line[at:])[1]
    text = line[at:]
    if len(_bytes(text)) > _LONGEST_TO_CRON:
        return _refused(f"the command has more than {_LONGEST_TO_CRON} bytes", at, "use a script")
    if text.endswith("\r"):
        hint = "mend the file with: tr -d '\\r' <old >new"
        return _otherwise("takes the CR at the end for a part of the command", at, hint)
    if letters := lexer.flags(text)[0]:
        return _otherwise(f"knows no -{letters}, and gives it to the shell", at, "leave it out")
    if (pair := text.find("\\\\", 0, lexer.unescaped_percent(text))) >= 0:
        return _otherwise("makes one backslash of two", at + pair, "use a script")
    return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _refused(why: str, at: int, hint: str) -> BadValue:
    return BadValue(CRON_REFUSES, f"{_THROWN_AWAY}: {why}", offset=at, hint=hint)


def _otherwise(does: str, at: int, hint: str) -> BadValue:
    return BadValue(CRON_READS_OTHERWISE, f"Debian's cron {does}", offset=at, hint=hint)
