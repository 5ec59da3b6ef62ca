"""A machine's folders in, what cron and anacron run there out: tables, and scripts of run-parts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from scheduler.cli import crontabs
from scheduler.cli.adopt.differences import CronFacts
from scheduler.crontab import plain_cron
from scheduler.entry import Crontab, Entry, Problem
from scheduler.system import crontab_loader, crontab_place
from scheduler.system.crontab_loader import Loaded
from scheduler.system.crontab_place import Form

_SCRIPTS = re.compile(r"(?<![\w./-])(/etc/cron\.(?:hourly|daily|weekly|monthly|yearly))(?![\w./-])")
_RUN_PARTS_NAME = re.compile(r"[A-Za-z0-9_-]+")  # run-parts(8)
_SENDMAIL = ("usr/sbin/sendmail", "usr/lib/sendmail")


def load(zone: ZoneInfo, root: Path = crontab_place.ROOT) -> Loaded:
    """Read the tables of cron and anacron, as a system daemon would read them."""
    at = {place.file: place for place in crontab_place.of_cron(root)}
    how = crontabs.read_options(zone, named=False, system=True, trusts=False)
    loaded = crontab_loader.load(tuple(at), replace(how, every_user=True, at=at))
    return replace(loaded, problems=(*loaded.problems, *crontab_place.ignored(root)))


def facts(zone: ZoneInfo, year: int, loaded: Loaded, root: Path = crontab_place.ROOT) -> CronFacts:
    """Return what is to be known of the machine and its tables beside their entries."""
    has_mail = any(os.access(root / path, os.X_OK) for path in _SENDMAIL)
    doubts = (
        each for each in plain_doubts(loaded, root=root) if each.code == plain_cron.CRON_REFUSES
    )
    first = {each.file: f"line {each.line}: {each.message}" for each in reversed([*doubts])}
    return CronFacts(zone.key, year, has_mail, first)


def plain_doubts(loaded: Loaded, root: Path = crontab_place.ROOT) -> tuple[Problem, ...]:
    """Return what Debian's cron would refuse of the tables, or read otherwise.

    anacron's table is none of cron's.
    """
    return tuple(
        each
        for table in loaded.crontabs
        for each in _doubts(table, crontab_place.of_file(table.file, root).form)
    )


def _doubts(table: Crontab, form: Form) -> Iterator[Problem]:
    if form is Form.ANACRON:
        return
    is_system = form is Form.SYSTEM
    yield from plain_cron.doubts(table.text, file=table.file, system=is_system)
    if is_system:
        unknown = (each for each in table.problems if each.code == "no-user")
        yield from map(plain_cron.of_unknown_user, unknown)


def hides_users(root: Path = crontab_place.ROOT) -> bool:
    """Say whether who asks may not see which users have tables."""
    spool = root / crontab_place.SPOOL
    return os.path.lexists(spool) and not os.access(spool, os.R_OK)


def scripts(
    entries: Iterable[Entry], root: Path = crontab_place.ROOT
) -> Mapping[str, tuple[tuple[str, ...], tuple[Entry, ...]]]:
    """Return the folders that run-parts(8) runs, each with its scripts and who runs it."""
    runners: dict[str, list[Entry]] = {}
    for entry in entries:
        for folder in dict.fromkeys(_SCRIPTS.findall(entry.command)):
            runners.setdefault(folder, []).append(entry)
    return {
        folder: (_in(root / folder.lstrip("/")), tuple(found)) for folder, found in runners.items()
    }


def _in(folder: Path) -> tuple[str, ...]:
    with suppress(OSError):
        names = sorted(path.name for path in folder.iterdir() if os.access(path, os.X_OK))
        return tuple(name for name in names if _RUN_PARTS_NAME.fullmatch(name))
    return ()
