"""A line in, what slipped into it out: characters nobody sees, a line cut in two, another form.

What would be lost without a word is refused, or warned about where it runs as its writer wanted.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.crontab import lexer
from scheduler.crontab.lint import LintWarning
from scheduler.errors import BadValue
from scheduler.schedule import field_parser
from scheduler.schedule.fields import DAY_FIELD, MONTH_FIELD, WORD
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.crontab.command import Action
    from scheduler.crontab.lexer import Assigned

# Blanks that are none to cron, and signs that are not shown: U+200D joins parts of one emoji too.
# The last is Latin-1's no-break space, a byte that is no UTF-8.
_UNSEEN = (
    "\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000"
    "\u3164\ufeff\uffa0\udca0"
)
_ANY_UNSEEN = re.compile(f"[{_UNSEEN}]")
_AT_AN_EDGE = re.compile(rf"(?:^|(?<=[ \t]))[{_UNSEEN}]|[{_UNSEEN}](?=[ \t]|$)")
_QUOTED = re.compile(r"""(?:'[^']*'|"[^"]*")""")
_CURLY_WORD = re.compile("(?:^|(?<=[ \t=:]))[\u2018-\u201f\u00ab\u00bb]")
_QUOTE = re.compile("[\"'`\u2018-\u201f\u00ab\u00bb]")
_IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_ANACRON = re.compile(
    rf"(?:[0-9]+|@(?!every)[A-Za-z]+)[{lexer.BLANKS}]+[0-9]+[{lexer.BLANKS}]+([A-Za-z][\w.-]*)"
    rf"[{lexer.BLANKS}]+([^{lexer.BLANKS}]+)"
)

_LOOKED_BEHIND = 10_000  # characters behind a CR in which a line is looked for

# --- refused -------------------------------------------------------------------------------------


def whole(line: str, start: int) -> BadValue | None:
    """Return why nothing of the line can be meant as it stands; None if that is not so."""
    if "\0" in line:
        hint = "save the file as plain UTF-8 text"
        return BadValue("nul", "a NUL byte", offset=line.index("\0"), hint=hint)
    if "\r" not in line:
        return None
    at = line.index("\r", start)
    parts = line[at + 1 : at + _LOOKED_BEHIND].split("\r")
    if not any(_is_line(part) for part in parts if part):
        return None
    message = "a CR alone ends no line: everything behind it is part of this one"
    hint = "the file has the line ends of an old Mac; mend it with: tr '\\r' '\\n' <old >new"
    return BadValue("bare-cr", message, offset=at, hint=hint)


def better(line: str, start: int) -> BadValue | None:
    """Return an error that says what a line is which is no job; None if nobody can tell."""
    unseen = _ANY_UNSEEN.search(line, start)
    words = list(islice(WORD.finditer(line, start), 6))
    if unseen and words and unseen.start() < words[-1].end():
        return _unseen_error(unseen)
    if _QUOTE.match(line, start) and lexer.looks_like_job(
        _QUOTE.sub("", line[start:]), command=False
    ):
        hint = "leave the quotes out"
        return BadValue(
            "quoted-schedule", "a schedule stands in no quotes", offset=start, hint=hint
        )
    found = _ANACRON.match(line, start)
    if (
        found
        and not field_parser.is_field(DAY_FIELD, found[1])
        and not field_parser.is_field(MONTH_FIELD, found[2])
    ):
        return _anacrontab(found[1], start)
    return None


def _anacrontab(job: str, at: int) -> BadValue:
    """Return the error about a line of an anacrontab, which names its job behind two numbers."""
    message = "a line of an anacrontab: period in days, delay in minutes, job, command"
    hint = f"write CRON_NAME={job} CRON_WITHIN=1d @daily COMMAND, or @weekly, or @monthly"
    return BadValue("anacrontab", message, offset=at, hint=hint)


def cut_off(line: str, following: str) -> BadValue | None:
    r"""Return the error about a command that goes on in the next line; None if it does not.

    It would be run as far as it goes, and `rm -r /srv \` may do more than was meant.
    """
    if not ends_open(line) or not _goes_on(following):
        return None
    message = "the command is cut off here: no line of a crontab goes on in the next one"
    hint = "write it all on this line, or put it into a script"
    return BadValue("cut-off", message, offset=len(line) - 1, hint=hint)


def rest_of(number: int, start: int) -> BadValue:
    """Return the error about a line that was meant as the rest of that one."""
    message = f"the rest of line {number}, which does not go on here"
    return BadValue("cut-off", message, offset=start, hint="write it all on that line")


def ends_open(line: str) -> bool:
    """Say whether the line ends with a backslash that no other one escapes."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def goes_on(line: str, following: str) -> bool:
    """Say whether the next line was meant as the rest of this one."""
    return (
        line.lstrip(lexer.BLANKS)[:1] not in ("", "#") and ends_open(line) and _goes_on(following)
    )


def _goes_on(following: str) -> bool:
    text = following.lstrip(lexer.BLANKS)
    return bool(text) and not _is_line(text)


def _is_line(text: str) -> bool:
    """Say whether a text would be a line of its own: a comment, an assignment or a job."""
    text = text.lstrip(lexer.BLANKS)
    if text.startswith("#") or lexer.looks_like_job(text.removeprefix("-"), command=False):
        return True
    assigned = lexer.assigned_name(text) if "=" in text else None
    return assigned is not None and _IDENTIFIER.fullmatch(assigned[0]) is not None


def _unseen_error(found: re.Match[str]) -> BadValue:
    message = f"{_name(found[0])}, which is no blank and can't be seen"
    return BadValue(
        "hidden-character", message, offset=found.start(), hint="type a blank in its place"
    )


def _name(character: str) -> str:
    if character == "\udca0":
        return "a no-break space in Latin-1 (byte a0)"
    return f"{unicodedata.name(character, 'a character').lower()} (U+{ord(character):04X})"


# --- warned about --------------------------------------------------------------------------------


def on_variable(assigned: Assigned, quote: str) -> Iterator[LintWarning]:
    """Yield the warnings about what an assignment holds that its writer hardly sees.

    `quote` is that which its value stands in, and within which curly ones are text.
    """
    if found := _ANY_UNSEEN.search(assigned.name):
        yield _unseen(found, assigned.name_at, "is part of the name")
    if not quote and (found := _CURLY_WORD.search(assigned.value)):
        at = assigned.value_at + found.start()
        message = f"the quote {found[0]} is part of the value: only ' and \" are quotes here"
        yield LintWarning("curly-quote", message, at, "write ' or \"")
    if found := _AT_AN_EDGE.search(assigned.value):
        yield _unseen(found, assigned.value_at, "is part of the value")
    yield from _backslash(assigned.value, assigned.value_at, "value")
    yield from _stray_cr(assigned.value, assigned.value_at)


def on_command(action: Action) -> Iterator[LintWarning]:
    """Yield the warnings about what a command holds that its writer hardly sees."""
    text = action.text
    if text.isascii() and "\\" not in text and "\r" not in text:
        return  # as most are
    yield from _unseen_in(action)
    bare = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), action.text)
    if found := _CURLY_WORD.search(bare):
        message = f"the quote {found[0]} is none to the shell: only ' and \" are"
        yield LintWarning(
            "curly-quote", message, action.command_at + found.start(), "write ' or \""
        )
    yield from _backslash(action.text, action.command_at, "command")
    yield from _stray_cr(action.text, action.command_at)
    pair = action.text.find("\\\\", 0, lexer.unescaped_percent(action.text))
    if pair >= 0:
        message = "the shell gets both backslashes, as from cronie; Debian's cron makes one of two"
        yield LintWarning("backslashes", message, action.command_at + pair)


def _unseen_in(action: Action) -> Iterator[LintWarning]:
    bare = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), action.text)
    program = lexer.word(bare)[0]
    for pattern, text in ((_ANY_UNSEEN, program), (_AT_AN_EDGE, bare)):
        if found := pattern.search(text):
            yield _unseen(found, action.command_at, "is part of the command")
            return


def _unseen(found: re.Match[str], at: int, where: str) -> LintWarning:
    message = f"{_name(found[0])}, which can't be seen, {where}"
    return LintWarning("hidden-character", message, at + found.start(), "delete it")


def _backslash(text: str, at: int, what: str) -> Iterator[LintWarning]:
    if ends_open(text):
        message = f"the \\ at the end is part of the {what}: no line goes on in the next one"
        yield LintWarning("backslash", message, at + len(text) - 1, "delete it")


def _stray_cr(text: str, at: int) -> Iterator[LintWarning]:
    if (found := text.find("\r")) >= 0:
        message = f"a CR in the middle of a line is kept: {shortened(text[found : found + 20])}"
        yield LintWarning("bare-cr", message, at + found, "delete it")
