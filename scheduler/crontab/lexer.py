"""The text of a crontab's lines in, their parts and where each starts out; nothing is judged here.

Offsets count characters of the line from 0. Blanks are spaces and tabs, as in cron(8).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from scheduler.errors import BadValue
from scheduler.redact import also_starred, mask, mask_named, mask_value
from scheduler.schedule import nicknames
from scheduler.secret_forms import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

BLANKS = " \t"
MOST_PREFIXES = 64  # settings in front of one schedule; the table has half as many

_SPACE = " \t\r\v\f"  # what C's isspace() finds in a line
_ASSIGNED = re.compile(
    rf"""[{BLANKS}]*+(?:"([^"=]*+)"|'([^'=]*+)'|(?!["'])([^={_SPACE}]*+))[{_SPACE}]*+=""",
)
_ANY_WORD = re.compile(rf"[^{BLANKS}]++")
_JOB = re.compile(rf"([^{BLANKS}]++)[{BLANKS}]++" * 4 + rf"([^{BLANKS}]++)[{BLANKS}]*+", re.DOTALL)
# Possessive are only single characters here: before 3.11.5, Python's `(...)++` matches wrongly
# where the group holds alternatives.
_BEFORE_PERCENT = re.compile(r"(?:[^\\%]++|\\.?)*", re.DOTALL)
_FLAGS = re.compile(rf"(?:-[nqs]++[{BLANKS}]++)+(?=[^{BLANKS}])")

_PREFIX_SETTING = re.compile(
    rf"""(CRON_[A-Za-z0-9_]*+)=("[^"]*+"|'[^']*+'|(?!["'])[^{BLANKS}]*+)[{BLANKS}]++""",
)
_NICKNAME = re.compile(rf"-?(@[A-Za-z]++)[{BLANKS}]++([^{BLANKS}])")
_FIELD = re.compile(r"[A-Za-z0-9*,/~#?()-]++")
_CERTAIN = re.compile(
    r"(?:[0-9*,/~#?()-]|l?(?:sun|mon|tue|wed|thu|fri|sat)l?|[hl](?![a-z])"
    r"|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)+",
    re.IGNORECASE,
)


class Assigned(NamedTuple):
    """`name=value` with the offsets of both, the value's inside its quotes."""

    name: str
    value: str
    name_at: int
    value_at: int


class Job(NamedTuple):
    """A job line in two: its schedule with single blanks, and everything behind it."""

    schedule: str
    schedule_at: int
    rest: str
    rest_at: int


def split(text: bytes) -> Iterator[str]:
    r"""Yield a file's lines without their ends (`\n` or `\r\n`) and without a leading BOM.

    Bytes that are not UTF-8 become lone surrogates, so that a command keeps them byte for byte.
    """
    begin = len(codecs.BOM_UTF8) if text.startswith(codecs.BOM_UTF8) else 0
    while begin < len(text):
        end = text.find(b"\n", begin)
        if end < 0:
            end = len(text)
        yield text[begin:end].decode("utf-8", "surrogateescape").rstrip("\r")
        begin = end + 1


def start(line: str) -> int:
    """Return the offset of the first character that is no blank; the length if there is none."""
    return len(line) - len(line.lstrip(BLANKS))


# --- assignments ---------------------------------------------------------------------------------


def assigned_name(line: str) -> tuple[str, int] | None:
    """Return the name an assignment line sets and where its value's text begins, else None."""
    found = _ASSIGNED.match(line)
    if found is None:
        return None
    return found[found.lastindex or 0], found.end()


def assigned_value(line: str, begin: int) -> tuple[str, int]:
    """Return an assignment's value, and its offset (inside the quotes).

    As in cron: quotes of either kind keep blanks, without them blanks at both ends are dropped,
    and nothing is expanded. Raises BadValue, offset in the line, for a quote that is not closed
    (`open-quote`) or is followed by more (`after-quote`).
    """
    at = begin + len(line[begin:]) - len(line[begin:].lstrip(_SPACE))
    quote = line[at : at + 1]
    if quote not in ('"', "'"):
        return line[at:].rstrip(_SPACE), at
    end = line.find(quote, at + 1)
    if end < 0:
        raise BadValue("open-quote", f"the quote {quote} is not closed", offset=at)
    rest = line[end + 1 :].lstrip(_SPACE)
    if rest:
        hint = "put the whole value in quotes, of the other kind if it holds one"
        raise BadValue(
            "after-quote", "text after the closing quote", offset=len(line) - len(rest), hint=hint
        )
    return line[at + 1 : end], at + 1


def prefixes(line: str, at: int) -> tuple[tuple[Assigned, ...], int] | None:
    """Return the settings in front of a schedule and where that starts; None if there are none.

    They count as such only if a schedule and a command come behind them; otherwise the line is an
    assignment, as it is in cron.
    """
    found, at = leading(line, at)
    return (found, at) if found and looks_like_job(line, at) else None


def leading(line: str, at: int) -> tuple[tuple[Assigned, ...], int]:
    """Return the settings that a line begins with, and where what follows them starts."""
    found: list[Assigned] = []
    while len(found) < MOST_PREFIXES and (setting := _PREFIX_SETTING.match(line, at)):
        value = setting[2]
        inside = 1 if value[:1] in ('"', "'") else 0
        bare = value[inside : len(value) - inside]
        found.append(Assigned(setting[1], bare, setting.start(1), setting.start(2) + inside))
        at = setting.end()
    return tuple(found), at


def looks_like_job(line: str, at: int = 0, *, command: bool = True) -> bool:
    """Whether what stands at `at` reads as a schedule and (unless told not to ask) a command.

    Five words of the letters that fields are made of, at least three of them nothing else than
    fields, so that a misspelt field does not turn the line into something else. Nor does a
    misspelt nickname, but names of files with addresses (`@ops @web`) are none.
    """
    named = _NICKNAME.match(line, at)
    if named and (
        nicknames.is_known(named[1]) or (named[2] != "@" and nicknames.is_near(named[1]))
    ):
        return True
    job = _JOB.match(line, at)
    if job is None or (command and job.end() == len(line)):
        return False
    words = job.groups()
    certain = sum(map(is_certain, words))
    return certain >= 3 and all(_FIELD.fullmatch(word) for word in words)


def is_certain(word: str) -> bool:
    """Whether a word is made of nothing else than what fields are made of."""
    return _CERTAIN.fullmatch(word) is not None


@lru_cache(maxsize=1)  # a line may have many problems
def hidden(line: str) -> str:
    """Return the line as it may be shown: values of variables with secret names are stars.

    Those on a line of their own, in front of a schedule, and in a command. Every other character
    keeps its place.
    """
    at, whole = start(line), line
    if line[at : at + 1] == "#":
        return line
    for each in (prefixes(line, at) or ((), 0))[0]:
        shown = mask_named(each.name, each.value)
        line = f"{line[: each.value_at]}{shown}{line[each.value_at + len(each.value) :]}"
    found = None if prefixes(line, at) else assigned_name(line)
    if found and is_secret(found[0]):
        return mask_value(line, found[1])
    if found:
        line = line[: found[1]] + mask_named(found[0], line[found[1] :])
    return also_starred(mask(line), whole)


# --- job lines -----------------------------------------------------------------------------------


def job(line: str, at: int) -> Job:
    """Cut a job line behind its schedule: a nickname, `@every` and its duration, or five fields.

    Raises BadValue, offset in the line, `too-few-fields` where there are fewer.
    """
    if line[at : at + 1] == "@":
        return _nicknamed(line, at)
    found = _JOB.match(line, at)
    if found is None:
        raise _too_few(line, at)
    return Job(" ".join(found.groups()), at, line[found.end() :], found.end())


def schedule_offset(line: str, at: int, offset: int) -> int:
    """Return where in the line stands what is at `offset` of the schedule's single-blank text."""
    for word in _ANY_WORD.finditer(line, at):
        length = len(word[0])
        if offset <= length:
            return word.start() + offset
        offset -= length + 1
    return len(line)


def word(text: str) -> tuple[str, int]:
    """Return the first word of `text` and the offset of what follows the blanks behind it."""
    first = _ANY_WORD.match(text)
    if first is None:
        return "", 0
    rest = text[first.end() :]
    return first[0], len(text) - len(rest.lstrip(BLANKS))


def flags(text: str) -> tuple[str, int]:
    """Return the letters of OpenBSD's `-n -q -s` in front of a command, and where that starts."""
    if not text.startswith("-"):
        return "", 0
    found = _FLAGS.match(text)
    if found is None:
        return "", 0
    return "".join(sorted(set(found[0]) & set("nqs"))), found.end()


def command_and_stdin(text: str) -> tuple[str, str | None]:
    r"""Return what the shell gets and what it reads on standard input (None without a `%`).

    As in cronie: the first `%` that no backslash escapes ends the command, later ones are
    newlines, and the input ends with a newline if there is any. `\%` is a percent sign, and every
    other backslash stays; in the command `\\` is a pair, so `\\%` is an unescaped `%` behind it.
    """
    if "%" not in text:
        return text, None
    end = unescaped_percent(text)
    command = text[:end].replace("\\%", "%")
    if end == len(text):
        return command, None
    # A NUL can stand for the escaped signs because no line with one gets here.
    lines = text[end + 1 :].replace("\\%", "\0").replace("%", "\n").replace("\0", "%")
    return command, lines if not lines or lines.endswith("\n") else f"{lines}\n"


def unescaped_percent(text: str) -> int:
    """Return the offset of the `%` that ends the command; the length of `text` without one."""
    found = _BEFORE_PERCENT.match(text)
    return found.end() if found else 0


def _nicknamed(line: str, at: int) -> Job:
    name, length = word(line[at:])
    end = at + length
    if name.lower() == "@every":
        interval, length = word(line[end:])
        name = f"{name} {interval}" if interval else name
        end += length
    return Job(name, at, line[end:], end)


def _too_few(line: str, at: int) -> BadValue:
    words = _ANY_WORD.findall(line, at)
    if len(words) > 1 and words[0] == "export" and "=" in words[1]:
        hint = "write NAME=value, without export"
        return BadValue("too-few-fields", "a crontab is not a shell script", offset=at, hint=hint)
    count = f"{len(words)} of 5 schedule fields" if len(words) > 1 else "only one word"
    hint = "minute hour day month weekday command, or NAME=value, or @daily command"
    return BadValue("too-few-fields", f"{count}, and no command", offset=at, hint=hint)
