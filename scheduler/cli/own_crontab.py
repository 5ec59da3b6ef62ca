"""A new text of the user's own crontab in, checked and saved, or refused, out."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from scheduler.cli import alert_targets, crontabs, intervals, output, problems_view
from scheduler.cli.own_zone import own_zone
from scheduler.crontab import diagnostics
from scheduler.crontab.lint import in_order
from scheduler.entry import Crontab, Severity
from scheduler.errors import MeridianError
from scheduler.schedule.upcoming import coming
from scheduler.system import crontab_files, crontab_loader, crontab_versions
from scheduler.system.clock import RealClock
from scheduler.system.crontab_files import Stamp
from scheduler.system.paths import Paths, entered

COMING = 3


class NotEdited(MeridianError):
    """The crontab is as it was, and why."""


@dataclass(frozen=True, slots=True)
class Original:
    """The crontab as it was when editing began; None where there was none."""

    path: Path
    data: bytes | None
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class CheckedText:
    """A text, and what the crontab would be once it is saved."""

    data: bytes
    table: Crontab

    @property
    def has_errors(self) -> bool:
        """Whether some line of it is refused."""
        return any(problem.severity is Severity.ERROR for problem in self.table.problems)


def base(path: Path) -> Original:
    """Return the crontab as it is now; SourceRefused where it can't be trusted, or its folder."""
    stamp = crontab_files.stamp(path)
    if not crontab_files.is_there(path) and not path.is_symlink():
        crontab_files.check_place(str(path), os.geteuid())
        return Original(path, None, stamp)
    return Original(path, crontab_files.read(str(path), named=False, uid=os.geteuid()).data, stamp)


def checked(paths: Paths, data: bytes, file: str | None = None) -> CheckedText:
    """Judge the text as it would be once saved, and show what is wrong with it.

    Its problems are those of the `file` it comes from, if it is from one.
    """
    path = str(paths.crontab)
    files = dict.fromkeys((*crontab_files.own_files(paths), path))
    by_root = paths.folder is not None
    how = crontabs.read_options(own_zone(), named=False, system=by_root)
    loaded = crontab_loader.load(tuple(files), how, drafts={path: data})
    table = next(table for table in loaded.crontabs if table.file == path)
    alerts = alert_targets.warnings(table, paths.config)
    table = replace(table, problems=in_order((*table.problems, *alerts)))
    problems_view.show(replace(problem, file=file or path) for problem in table.problems)
    return CheckedText(data, table)


def save(paths: Paths, checked: CheckedText, state: Path | None) -> None:
    """Save the text, keep the old one, and say which runs come next and which daemon reads it."""
    table = checked.table
    now = RealClock().now()
    kept = keep(paths, now)
    crontab_versions.save(paths.crontab, checked.data)
    output.say(f"Saved {paths.crontab}: {diagnostics.summary(len(table.entries), table.problems)}")
    if kept is not None:
        output.say(f"The old text is kept in {kept}")
    known = intervals.known(paths.state, table.entries)
    for run in islice(coming(table.entries, now, known), COMING):
        at = output.wall(run.at.astimezone(run.entry.zone))
        output.say(f"  {at} {run.entry.zone.key}  {run.entry.job}")
    output.say(crontabs.reader(paths.crontab, state))


def keep(paths: Paths, now: datetime) -> Path | None:
    """Keep the text that the crontab has now, and return where; None where there is no crontab."""
    with entered(paths.state, os.geteuid()):
        return crontab_versions.keep(paths.crontab, paths.versions, now)
