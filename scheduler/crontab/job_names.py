"""The parts of a job line in, the job's name out: stable while other lines change."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

from scheduler.crontab.program_name import program
from scheduler.errors import BadValue
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scheduler.entry import Entry

SLUG_LENGTH = 24

LONGEST = 100

_ANY_JOB_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")
# A prefix of such a user begins with a letter, and has no dot but the last: nobody else's does.
_PLAIN_USER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_WITH_HASH = re.compile(r".*-([0-9a-f]{6}(?:-[0-9]+)?)")
_SLUG_WORDS = re.compile(r"[a-z0-9]+")


def check(name: str) -> str:
    """Return `name` if a job may be called so; raises BadValue (`bad-job-name`) otherwise.

    Names are folders of output and arguments of commands: no blanks, no slashes, no leading dash,
    and not a bare number, which is how a run is called.
    """
    if not _ANY_JOB_NAME.fullmatch(name):
        hint = f"letters, digits, '.', '_' and '-', at most {LONGEST}, a letter or digit first"
        raise BadValue("bad-job-name", f"{shortened(name)} is not a job's name", hint=hint)
    if name.isdigit():
        raise BadValue(
            "bad-job-name", f"{name} is a run's number, not a job's name", hint="add a letter"
        )
    return name


def derived(
    schedule_text: str,
    command: str,
    *,
    stdin: str | None = None,
    zone: str = "",
    user: str | None = None,
) -> str:
    """Return the name of a job that was given none: its program's name and a short hash.

    `zone` is the CRON_TZ in force, "" without one: a machine that moves to another zone does not
    rename its jobs.
    """
    parts = (schedule_text, command, stdin, zone, user)
    text = "\n".join("-" if part is None else f"={part}" for part in parts)
    digest = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=3).hexdigest()
    return f"{slug(command)}-{digest}"


def slug(command: str) -> str:
    """Return the name of a command's program, lower case, cut to be readable.

    Nothing else of the command is in it: a name is in every log line, and in paths of outputs.
    """
    words = _SLUG_WORDS.findall(program(command).lower())
    return "-".join(words)[:SLUG_LENGTH].rstrip("-") or "job"


def prefix(user: str) -> str:
    """Return what stands before the names of jobs (and pools) of a user's own table.

    No two users have the same, nor one that begins with another's, whatever their names' case.
    """
    if _PLAIN_USER.fullmatch(user):
        return f"{user}."
    digest = blake2b(user.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    words = "-".join(_SLUG_WORDS.findall(user.lower()))[:SLUG_LENGTH]
    return f"0{words}-{digest}."


def folded(name: str) -> str:
    """Return what is equal for names that differ in case alone: they are the same name."""
    # Most are lower case already, and a hundred thousand need not be there twice.
    return name if name.islower() else name.lower()


class Names:
    """The names given so far.

    Owns which entry has which name, and the last number that was put behind a name. The parser
    calls it for one file, `unique_names` for all. No two entries have one name, whatever its case:
    output folders may stand on a disk that ignores case.
    """

    def __init__(self) -> None:
        self._taken: dict[str, Entry] = {}
        self._last: dict[str, int] = {}

    def take(self, entry: Entry) -> None:
        """Remember the entry's name, and that it is the one that has it."""
        self._taken[folded(entry.job)] = entry

    def taken(self, name: str) -> Entry | None:
        """Return the entry that has the name, None if it is free."""
        return self._taken.get(folded(name))

    def numbered(self, name: str) -> str:
        """Return `name` if it is free, else with the first number from 2 that makes it so."""
        if folded(name) not in self._taken:
            return name
        # Counting on from the last number keeps a thousand equal lines from a million look-ups.
        number = self._last.get(name, 1) + 1
        while f"{name.lower()}-{number}" in self._taken:
            number += 1
        self._last[name] = number
        return f"{name}-{number}"


def was_derived(entry: Entry) -> bool:
    """Whether the entry's name, without a number behind it, is the one it would be given."""
    return base(entry) != entry.job or entry.job in _candidates(entry)


def base(entry: Entry) -> str:
    """Return the entry's derived name without the number that made it unique."""
    for name in _candidates(entry):
        if re.fullmatch(re.escape(name) + r"-[0-9]+", entry.job):
            return name
    return entry.job


def _candidates(entry: Entry) -> tuple[str, ...]:
    """Return the names derived without and with a CRON_TZ, in a table of root's and in a user's.

    The entry doesn't tell which it had.
    """
    names = [
        derived(entry.schedule_text, entry.command, stdin=entry.stdin, zone=zone, user=entry.user)
        for zone in ("", entry.zone.key or "")
    ]
    of_user = () if entry.user is None else (prefix(entry.user) + name for name in names)
    return (*names, *of_user)


def renamed(old: Iterable[str], entries: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
    """Yield each derived name of an earlier version with the one that its job has now.

    That held words of the whole command; the hash behind them is the same.
    """
    by_hash = {found[1]: job for job in entries if (found := _WITH_HASH.fullmatch(job))}
    for name in old:
        found = _WITH_HASH.fullmatch(name)
        job = by_hash.get(found[1]) if found and name not in entries else None
        if job and was_derived(entries[job]):
            yield name, job
