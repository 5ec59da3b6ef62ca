"""A line that begins with settings in, which of them stand in front of a schedule, out.

To cron all of such a line is the value of its first name: a blank in a value without quotes, or a
name that can't stand there, hides the job. Who wrote it is told so, never of another schedule.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.crontab import lexer, lint, settings, whole_job
from scheduler.crontab.lint import LintWarning
from scheduler.day_rules import DaySet
from scheduler.errors import BadValue
from scheduler.redact import mask_named
from scheduler.schedule import nicknames
from scheduler.schedule.fields import WORD
from scheduler.text import shortened

if TYPE_CHECKING:
    from scheduler.crontab.lexer import Assigned

    Front = tuple[tuple[Assigned, ...], int]

_ALERT = "CRON_ALERT"
_OF_CODES = frozenset({"CRON_RETRY_ON", "CRON_NO_RETRY_ON", "CRON_SUCCESS"})
# What people may have called something else.
_FREELY_NAMED = frozenset({settings.CRON_NAME, "CRON_POOL"})
_IN_SCHEDULE = 4  # words in front of a schedule that were taken for its first fields
_WRITTEN_ANEW = 60  # characters of a value that is written anew in a hint
_FOREIGN = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)=("[^"]*"|'[^']*'|[^ \t]*)""")


def read(line: str, start: int) -> tuple[Front | None, list[LintWarning]]:
    """Return the settings in front of a schedule and where that starts, None for an assignment.

    Raises BadValue, offset in the line, for a job that something in front of it hides; it refuses
    the line alone. A whole value that is good stays one, with a warning.
    """
    front = lexer.prefixes(line, start)
    leading, at = front or lexer.leading(line, start)
    if front and line.startswith(("@", "-@"), at):
        return _nicknamed(line, front)
    if not leading or (front and _begins_here(line, at)):
        return front, []
    if front and len(leading) == 1 and _are_codes(leading[0].name, line[leading[0].value_at :]):
        return None, []
    behind = whole_job.find(line, at, most=_IN_SCHEDULE if front else whole_job.WORDS_LOOKED_AT)
    between = line[at:behind].rstrip(lexer.BLANKS)
    if behind in (None, at) or (front and not _is_of_value(leading[-1], between)):
        return front, []
    named = _FOREIGN.match(between)
    bad = _no_setting(named, at) if named else _with_blanks(leading[-1], between, at)
    if front or not _is_good(leading[0].name, line[leading[0].value_at :].rstrip()):
        raise bad
    hint = f"{bad.hint}; if all of it is the value, all of it in quotes"
    return None, [lint.looks_like_entry(leading[0].name, at, hint)]


def after_quote(bad: BadValue, line: str, name: str, begin: int) -> BadValue:
    """Return the error about an assignment, with another hint if a job is behind its value."""
    is_ours = name.startswith(settings.PREFIX)
    if bad.code == "after-quote" and not is_ours and lexer.looks_like_job(line, bad.offset):
        bad.hint = lint.own_line(name, line[begin : bad.offset].strip(" \t\"'"))
    return bad


def placed(bad: BadValue, assigned: Assigned, quote: str) -> BadValue:
    """Return the error with its offset in the line, and a hint if more than a value is there."""
    bad.offset += assigned.value_at
    if not quote and lint.COMMENT.search(assigned.value):
        bad.hint = "a # behind a value is part of it: put the comment on a line of its own"
    elif assigned.name in _FREELY_NAMED:
        bad.hint += "; a variable of your own needs another name"
    rest = assigned.value[len(lexer.word(assigned.value)[0]) :]
    if rest and lexer.looks_like_job(rest.lstrip(lexer.BLANKS), command=False):
        bad.hint = (
            f"in front of a schedule: {assigned.name}=value, no blanks round =, and a command"
        )
    return bad


def _nicknamed(line: str, front: Front) -> tuple[Front | None, list[LintWarning]]:
    """Tell a nickname from a file with addresses, which `@` names as well."""
    leading, at = front
    last = leading[-1]
    word = lexer.word(line[at:])[0]
    value = line[last.value_at :].rstrip()
    if last.name != _ALERT or not _is_good(_ALERT, value):
        return front, []
    if not nicknames.is_known(word):
        return (None if len(leading) == 1 else front), []
    command = shortened(line[at + len(word) :].strip(lexer.BLANKS))
    message = f"{word} begins a schedule here, and its command is {command}"
    hint = "a file of addresses that is called as a schedule stands in quotes, with the whole value"
    return front, [LintWarning("looks-like-value", message, at, hint)]


def _begins_here(line: str, at: int) -> bool:
    """Say whether the schedule begins there, and no later: then a sixth word would be a field."""
    words = list(islice(WORD.finditer(line, at), 6))
    may_be_later = len(words) == 6 and lexer.is_certain(words[5][0])
    return not may_be_later or whole_job.starts(line, at)


def _are_codes(name: str, value: str) -> bool:
    """Say whether numbers that could be fields are all exit codes, of a list with blanks."""
    try:
        return name in _OF_CODES and bool(settings.read(name, value))
    except BadValue:
        return False


def _is_of_value(last: Assigned, between: str) -> bool:
    """Say whether words that read as the first fields are the rest of the value before them."""
    if last.value.endswith(",") or not all(map(lexer.is_certain, between.split())):
        return True
    return last.name in settings.TABLE and _is_good(last.name, f"{last.value} {between}")


def _is_good(name: str, value: str) -> bool:
    """Say whether all of this may be the value of a name: any may, of a variable.

    A calendar is not looked for, but there is hardly one whose name has blanks.
    """
    if name not in settings.TABLE:
        return True
    try:
        found = settings.read(name, value)
    except BadValue:
        return False
    calendars = found.calendars if isinstance(found, DaySet) else ()
    return not any(len(calendar.source.split()) > 1 for calendar in calendars)


def _no_setting(named: re.Match[str], at: int) -> BadValue:
    message = f"{shortened(named[1])} can't stand in front of a schedule"
    return BadValue(
        "not-in-front", message, offset=at, hint=lint.own_line(named[1], named[2].strip("\"'"))
    )


def _with_blanks(last: Assigned, between: str, at: int) -> BadValue:
    message = f"the value of {last.name} has blanks, so that no schedule is behind it"
    value = mask_named(last.name, f"{last.value} {between}")
    quote = next((quote for quote in "\"'" if quote not in value), "")
    written = (
        f": {last.name}={quote}{value}{quote}" if quote and len(value) <= _WRITTEN_ANEW else ""
    )
    hint = f"put it on a line of its own, above, or in quotes{written}"
    return BadValue("blank-in-value", message, offset=at, hint=hint)
