"""What stands behind a schedule in: the user, the flags, the command and its input out."""

from __future__ import annotations

import re
from typing import NamedTuple

from scheduler import lines
from scheduler.errors import BadValue
from scheduler.fields import shortened

LONGEST_SCHEDULE = 2000  # characters; a list of every minute and hour has 240
LONGEST = 128 * 1024 - 1  # bytes of one argument or variable that Linux lets a program have

_NO_USER = re.compile(r"""[][/\\;|&<>$"'`(){}=*!,]|-""")
_SIXTH_FIELD = re.compile(
    r"\*.*|[0-9]+(?:[-,/][0-9*,/-]*)?|[a-z]{3}(?:[-,][a-z]{3})+", re.IGNORECASE
)


class Action(NamedTuple):
    """`user` is None in the user form; `flags` are letters of `nqs`; offsets are the line's."""

    user: str | None
    flags: str
    flags_at: int
    command: str
    command_at: int
    stdin: str | None
    text: str  # of command and input, as written


def read(job: lines.Job, *, system: bool) -> Action:
    """Read the rest of a job line; raises BadValue, offset in the line.

    Codes: `missing-user`, `bad-user`, `missing-command`, `seconds-field`, `too-long`.
    """
    if len(job.schedule) > LONGEST_SCHEDULE:
        raise BadValue("too-long", "this is no schedule any more", offset=job.schedule_at)
    _refuse_sixth(job)
    user, at = _user(job) if system else (None, 0)
    flags, skipped = lines.flags(job.rest[at:] if at else job.rest)
    text = job.rest[at + skipped :]
    command, stdin = lines.command_and_stdin(text)
    command_at = job.rest_at + at + skipped
    if not command.strip(lines.BLANKS):
        raise BadValue("missing-command", "there is no command", offset=command_at)
    refuse_long("command", command, command_at)
    return Action(user, flags, job.rest_at + at, command, command_at, stdin, text)


def refuse_long(what: str, text: str, offset: int) -> None:
    """Raise BadValue (`too-long`) if the kernel would refuse a text of this length."""
    if len(text) * 4 <= LONGEST:
        return
    length = len(text.encode("utf-8", "surrogateescape"))
    if length > LONGEST:
        message = f"the {what} has {length:,} bytes, and a program is given {LONGEST:,} at most"
        raise BadValue("too-long", message, offset=offset, hint="put it into a file")


def _refuse_sixth(job: lines.Job) -> None:
    first, _ = lines.word(job.rest)
    if job.schedule[0] != "@" and _SIXTH_FIELD.fullmatch(first):
        hint = "leave out the seconds, the first field"
        message = "six fields: there are five, and the tick is a minute"
        raise BadValue("seconds-field", message, offset=job.schedule_at, hint=hint)


def _user(job: lines.Job) -> tuple[str, int]:
    user, at = lines.word(job.rest)
    hint = "in the system form a user stands between schedule and command"
    if not user:
        raise BadValue("missing-user", "no user and no command", offset=job.rest_at, hint=hint)
    if _NO_USER.match(user) or _NO_USER.search(user.replace("-", "")):
        message = f"{shortened(user)} is not a user's name"
        raise BadValue("bad-user", message, offset=job.rest_at, hint=hint)
    return user, at
