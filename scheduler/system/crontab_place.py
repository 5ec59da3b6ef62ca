"""A machine's folders in; out come the crontabs of its system daemon, and how each is to be read.

They stand where Debian's cron, cronie and anacron have theirs: cron(8), anacron(8).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.system import crontab_files

if TYPE_CHECKING:
    from scheduler.entry import Problem

ROOT = Path("/")
CRONTAB = Path("etc/crontab")
CRON_D = Path("etc/cron.d")
ANACRONTAB = Path("etc/anacrontab")
SPOOL = Path("var/spool/cron/crontabs")

# Debian's rule for a name in /etc/cron.d: cron(8). What an editor or a package manager left there
# (`.dpkg-old`, `~`) is no crontab.
_CRON_D_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Form(StrEnum):
    """What the lines of a crontab look like."""

    OWN = "own"  # five fields: the jobs are those of the daemon's own user
    SYSTEM = "system"  # a user stands before the command
    SPOOL = "spool"  # five fields: the jobs are those of the user whose table it is
    ANACRON = "anacron"  # period, delay and name: anacrontab(5)


@dataclass(frozen=True, slots=True)
class CrontabPlace:
    """A crontab's file, and how it is read.

    `user` is whose table it is, of the spool's. `is_crons` are the tables that cron or anacron
    would run here: their jobs are not retried unless they ask for it.
    """

    file: str
    form: Form
    user: str | None = None
    is_crons: bool = False


def of_machine(own: Path, root: Path = ROOT) -> tuple[CrontabPlace, ...]:
    """Return the crontabs of a system daemon, whose own folder is `own`.

    The first to use a job's name keeps it: root's own come before those of users. Raises OSError
    where nobody can tell what is in a folder.
    """
    ours = (CrontabPlace(str(path), Form.SYSTEM) for path in crontab_files.within(own))
    return (*ours, *of_cron(root))


def of_cron(root: Path = ROOT) -> tuple[CrontabPlace, ...]:
    """Return the tables that cron and anacron run on a machine, in the order of `of_machine`."""
    cron_d = crontab_files.files(root / CRON_D)
    tables = crontab_files.files(root / SPOOL)
    found = (
        *_one(root / CRONTAB),
        *(each for each in cron_d if _CRON_D_NAME.fullmatch(each.name)),
        *_one(root / ANACRONTAB),
        *(each for each in tables if not _is_begun(each.name)),
    )
    return tuple(of_file(str(each), root) for each in found)


def of_file(file: str, root: Path = ROOT) -> CrontabPlace:
    """Return how a system daemon reads a file; it tells by where the file stands."""
    path = Path(file)
    if path.parent == root / SPOOL:
        return CrontabPlace(file, Form.SPOOL, path.name, is_crons=True)
    if path == root / ANACRONTAB:
        return CrontabPlace(file, Form.ANACRON, is_crons=True)
    is_crons = path == root / CRONTAB or path.parent == root / CRON_D
    return CrontabPlace(file, Form.SYSTEM, is_crons=is_crons)


def ignored(root: Path = ROOT) -> tuple[Problem, ...]:
    """Return a warning for each file of /etc/cron.d that is not read for its name."""
    hint = "letters, digits, - and _ make a name in cron.d, as cron(8) of Debian says"
    return crontab_files.ignored(root / CRON_D, _CRON_D_NAME, hint)


def _one(file: Path) -> tuple[Path, ...]:
    """Return a file that is there, if only as a link that leads nowhere: reading says so."""
    return (file,) if os.path.lexists(file) else ()


def _is_begun(name: str) -> bool:
    """Say whether it is the name of a table that crontab(1) is still writing."""
    return name.startswith((".", "tmp."))
