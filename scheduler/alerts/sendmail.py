"""A mail in, handed to the machine's own mailer out: sendmail, or what stands in its place.

Postfix, Exim, OpenSMTPD, msmtp, nullmailer, dma and busybox all have a program of that name, with
these options in common. What it takes it also delivers: the queue and its retries are its own.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from scheduler.alerts.channel import NotSent
from scheduler.errors import NotifyError, NotifyTimeout
from scheduler.printable import clean
from scheduler.system import helper_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scheduler.system.time_limit import TimeLimit

# Where cron looks for it.
MAILERS = ("/usr/sbin/sendmail", "/usr/lib/sendmail")
_MOST_COMPLAINT = 300  # characters
# Of sysexits(3): the command line, the message, the recipient, or no service for it. All others
# may be mended while the mail waits: 75 says so itself, and 68 is also a DNS that does not answer.
_FOR_GOOD = {64: "EX_USAGE", 65: "EX_DATAERR", 67: "EX_NOUSER", 69: "EX_UNAVAILABLE"}


def find(environ: Mapping[str, str], programs: Sequence[str]) -> str | None:
    """Return the path of the machine's sendmail: one of these, or what the PATH has; else None."""
    for program in programs:
        if os.access(program, os.X_OK):
            return program
    return shutil.which("sendmail", path=environ.get("PATH", os.defpath))


def is_there() -> bool:
    """Say whether the machine has a mailer, for whatever user: cron mails nothing without one."""
    return find({}, MAILERS) is not None


def arguments(program: str, sender: str) -> tuple[str, ...]:
    """Return the command line.

    `-i`: a line with a dot alone is not the end. `-t`: to those of the To: line. So recipients
    stand in no list of processes, and none can be an option. `-f`: the sender of the envelope, for
    a MAILFROM alone; without it that is the user, as the mailer itself knows it.
    """
    return (program, "-i", "-t", *(("-f", sender) if sender else ()))


def send(
    program: str, message: bytes, sender: str, environ: Mapping[str, str], limit: TimeLimit
) -> None:
    """Give a mail to the mailer, which has so much time to take it; NotSent if it does not."""
    try:
        ended = helper_program.run(arguments(program, sender), limit, environ, message)
    except NotifyError as error:
        raise NotSent(str(error), is_unsure=isinstance(error, NotifyTimeout)) from error
    code = ended.code
    if code == 0:
        return
    name = _FOR_GOOD.get(code, "")
    how = f"was killed by signal {-code}" if code < 0 else f"ended with {code} {name}".strip()
    complaint = clean(" ".join(f"{ended.out} {ended.err}".split()))[-_MOST_COMPLAINT:]
    said = f": {complaint}" if complaint else ""
    # One that was killed had said nothing.
    raise NotSent(f"{program} {how}{said}", permanent=code in _FOR_GOOD, is_unsure=code < 0)
