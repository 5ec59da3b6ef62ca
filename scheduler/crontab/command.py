"""What stands behind a schedule in: the user, the flags, the command and its input out.

The user's column and the `%` are those of crontab(5); the flags `-n -q -s` are OpenBSD's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from scheduler.crontab import lexer
from scheduler.entry import Flags, Overlap
from scheduler.errors import BadValue
from scheduler.printable import clean
from scheduler.schedule import sixth_field
from scheduler.text import shortened

LONGEST_SCHEDULE = 2000  # characters; a list of every minute and hour has 240
LONGEST_BYTES = 128 * 1024 - 1  # bytes of one argument or variable that Linux lets a program have

# What shows that a command stands where a user should. `CORP\\svc` and `svc$` are names that
# directories give out; passwd(5) has a colon behind the name.
_NO_USER = re.compile(
    r"""[][/;|&<>"'`(){}=*?!#~%:]|^[-+\\$,]|\\.*\\|[\\,]$|\$.|^[^A-Za-z0-9_\x80-\U0010FFFF]*$"""
)
_UNIT_WORD = re.compile(r"(?:m|h|d)(?:in|ins|inutes?|rs?|ours?|ays?)?|weeks?")
_DURATION = re.compile(r"(?:[0-9]+[smhd])+")


class Action(NamedTuple):
    """`user` is None in the user form; `flags` are letters of `nqs`; offsets are the line's."""

    user: str | None
    flags: str
    flags_at: int
    command: str
    command_at: int
    stdin: str | None
    text: str  # of command and input, as written


def read(job: lexer.Job, line: str, *, system: bool) -> Action:
    """Read the rest of a job's line; raises BadValue, offset in the line.

    Codes: `missing-user`, `bad-user`, `missing-command`, `seconds-field`, `too-many-fields`,
    `too-long`.
    """
    if len(job.schedule) > LONGEST_SCHEDULE:
        raise BadValue("too-long", "this is no schedule any more", offset=job.schedule_at)
    _refuse_sixth(job, line, system=system)
    user, at = _user(job) if system else (None, 0)
    flags, skipped = lexer.flags(job.rest[at:] if at else job.rest)
    text = job.rest[at + skipped :]
    command, stdin = lexer.command_and_stdin(text)
    command_at = job.rest_at + at + skipped
    if not command.strip(lexer.BLANKS):
        raise BadValue("missing-command", "there is no command", offset=command_at)
    refuse_long("command", command, command_at)
    return Action(user, flags, job.rest_at + at, command, command_at, stdin, text)


def refuse_long(what: str, text: str, offset: int) -> None:
    """Raise BadValue (`too-long`) if the kernel would refuse a text of this length."""
    if len(text) * 4 <= LONGEST_BYTES:
        return
    length = len(text.encode("utf-8", "surrogateescape"))
    if length > LONGEST_BYTES:
        message = (
            f"the {what} has {length:,} bytes, and a program is given {LONGEST_BYTES:,} at most"
        )
        raise BadValue("too-long", message, offset=offset, hint="put it into a file")


def refuse_variable(assigned: lexer.Assigned) -> None:
    """Raise BadValue for an assignment without a name, or that no program can be given."""
    if not assigned.name:
        hint = "write NAME=value"
        raise BadValue("missing-name", "no name in front of =", offset=assigned.name_at, hint=hint)
    refuse_long("variable", f"{assigned.name}={assigned.value}", assigned.value_at)


def refuse_two_overlaps(does: Action, overlap: Overlap | None) -> None:
    """Raise BadValue for a flag that says another thing than the overlap in force."""
    if "s" in does.flags and overlap not in (None, Overlap.SKIP):
        message = f"-s is CRON_OVERLAP=skip, and CRON_OVERLAP={overlap} is in force"
        raise BadValue("contradiction", message, offset=does.flags_at, hint="leave one of them out")


@lru_cache(maxsize=16)
def flags(no_log: bool, letters: str) -> Flags:  # noqa: FBT001 (the cache wants it by position)
    """Return what the signs in front of a schedule and of its command say."""
    return Flags(
        no_log=no_log, mail_on_failure="n" in letters, quiet="q" in letters, single="s" in letters
    )


def _refuse_sixth(job: lexer.Job, line: str, *, system: bool) -> None:
    first, at = lexer.word(job.rest)
    if job.schedule[0] == "@":
        _refuse_second(job, first, more=bool(job.rest[at:]), system=system)
    elif sixth_field.is_field(first, more=bool(job.rest[at:]), system=system):
        bad = sixth_field.refuse(f"{job.schedule} {first}")
        bad.offset = lexer.schedule_offset(line, job.schedule_at, bad.offset)
        raise bad


def _refuse_second(job: lexer.Job, first: str, *, more: bool, system: bool) -> None:
    """Refuse what can't be a command, and makes the nickname's line mean another time."""
    name = job.schedule.partition(" ")[0]
    if sixth_field.is_field(first, more=more, system=system):
        message = f"{clean(name)} stands for all fields"
        raise BadValue("too-many-fields", message, offset=job.rest_at, hint="leave out the others")
    length = job.schedule.partition(" ")[2]
    is_unit = length.isdigit() and _UNIT_WORD.fullmatch(first)
    if name.lower() == "@every" and (is_unit or _DURATION.fullmatch(first)):
        hint = f"write @every {length}{first[0] if is_unit else first}"
        raise BadValue(
            "too-many-fields", "@every takes one duration", offset=job.rest_at, hint=hint
        )


def _user(job: lexer.Job) -> tuple[str, int]:
    user, at = lexer.word(job.rest)
    hint = "in the system form a user stands between schedule and command"
    if not user:
        raise BadValue("missing-user", "no user and no command", offset=job.rest_at, hint=hint)
    if _NO_USER.search(user):
        message = f"{shortened(user)} is not a user's name"
        raise BadValue("bad-user", message, offset=job.rest_at, hint=hint)
    return user, at
