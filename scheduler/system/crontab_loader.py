"""Paths of crontabs in, their entries and problems out: read, parsed, and each job's name unique.

`load` is the one way from files to entries, of the daemon and of every command.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from traceback import walk_tb
from types import MappingProxyType
from typing import TYPE_CHECKING

from scheduler.crontab import anacrontab, lint_days, parser
from scheduler.crontab.anacrontab import AnacronFacts
from scheduler.crontab.lexer import hidden, split
from scheduler.crontab.lint import LintWarning, in_order, problem
from scheduler.crontab.table_rules import MOST_ENTRIES, TableRules
from scheduler.crontab.unique_names import unique
from scheduler.entry import Crontab, Expression, Problem, Severity
from scheduler.errors import SourceRefused
from scheduler.schedule import zone_data
from scheduler.system import accounts, anacron_stamps, crontab_files, crontab_place, trusted_path
from scheduler.system.calendars import waiting_shelf
from scheduler.system.clock import RealClock
from scheduler.system.crontab_files import CrontabText
from scheduler.system.crontab_place import CrontabPlace, Form
from scheduler.system.parsed_tables import ParsedTables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from scheduler.crontab.day_values import Calendars
    from scheduler.entry import Entry
    from scheduler.system.accounts import Users
    from scheduler.system.calendars import CalendarShelf, CalendarSource
    from scheduler.system.crontab_files import Stamp

_CALENDARS = "calendars"
_SYSTEM_FILES = ("/etc/crontab", "/etc/cron.d/")


def _last_run(job: str) -> date | None:
    return anacron_stamps.last_run(crontab_place.ROOT / anacron_stamps.STAMPS, job)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read: by whom, with which zone and salt, in which form, how strictly.

    `named` files come from the command line, others are the user's own. Root's named ones that
    somebody else could change are read only where it `trusts` them, with a warning. Entries for
    users other than `user` are errors; with `keep_others` they stay among the entries all the same.
    A system daemon runs those of `every_user`. Of the files that are in `at`, each is read in its
    own form; all others as `system` says. `most` entries of one user's table are read; `users` and
    `last_run` tell of users and of anacron's jobs. What is `parsed` need not be so again.
    """

    uid: int
    user: str
    zone: ZoneInfo
    salt: str = ""
    named: bool = False
    trusts: bool = False
    system: bool = False
    keep_others: bool = False
    every_user: bool = False
    at: Mapping[str, CrontabPlace] = field(default_factory=dict)
    most: int = MOST_ENTRIES
    last_run: Callable[[str], date | None] = _last_run
    users: Users = accounts
    parsed: ParsedTables = field(default_factory=ParsedTables, compare=False)

    def place(self, file: str) -> CrontabPlace:
        """Return in which form a file is read, and whose it is."""
        form = Form.SYSTEM if self.system else Form.OWN
        return self.at.get(file) or CrontabPlace(file, form)


@dataclass(frozen=True, slots=True)
class TakenTables:
    """The `files` that another cron would run here, and that this daemon has taken over.

    `until` when they were another cron's, whether that ran or not; None if never. `has_rebooted`:
    their @reboot jobs have been run since the machine booted.
    """

    files: frozenset[str] = frozenset()
    until: datetime | None = None
    has_rebooted: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """All crontabs together; `failed` names the files that are there but could not be read.

    `calendars` are the files that entries named in CRON_EXCEPT or CRON_ONLY, as they were found.
    Where some are `unread`, all this is good for nothing but to know which.
    """

    crontabs: tuple[Crontab, ...]
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    failed: frozenset[str] = frozenset()
    calendars: Mapping[str, Stamp | None] = field(default_factory=dict)
    unread: frozenset[CalendarSource] = frozenset()
    taken: TakenTables = TakenTables()

    @property
    def refused(self) -> frozenset[tuple[str, int]]:
        """The file and line of every entry that the daemon would not run."""
        return frozenset((table.file, line) for table in self.crontabs for line in table.refused)


def load(
    files: Sequence[str],
    how: ReadOptions,
    *,
    drafts: Mapping[str, bytes] = MappingProxyType({}),
    calendars: CalendarShelf | None = None,
) -> Loaded:
    """Read, parse and join crontabs: the one way from paths to entries.

    `drafts` are texts that stand for files of these names, as they would be once saved.
    `calendars` are found on another shelf than one that reads them and waits for that.

    What can't be read is a crontab of no lines and one problem, never an exception. A missing file
    fails only if it was named: a user who has no crontab has no jobs.
    """
    calendars = calendars or waiting_shelf(partial(read_file, how=how))
    with trusted_path.remembered():
        read_ones = [_load_one(file, how, drafts, calendars) for file in files]
    how.parsed.keep(frozenset(files))
    tables = unique([replace(each, user=how.place(each.file).user) for each, _ in read_ones])
    return Loaded(
        crontabs=tables,
        entries=tuple(entry for table in tables for entry in table.entries),
        problems=(
            *(problem for table in tables for problem in table.problems),
            *calendars.problems,
        ),
        failed=frozenset(table.file for table, failed in read_ones if failed),
        calendars=calendars.stamps,
        unread=frozenset(calendars.unread),
    )


def calendar_stamps(calendars: Mapping[str, Stamp | None]) -> Mapping[str, Stamp]:
    """Return what differs when one of these calendars does, by a name that no crontab has."""
    return {_CALENDARS: tuple(sorted(calendars.items()))} if calendars else {}


def read_file(file: str, how: ReadOptions) -> CrontabText:
    """Return the text of a crontab, or of a calendar that one names. Raises SourceRefused."""
    place = how.place(file)
    if place.user is not None:
        return crontab_files.read_users(file, place.user, how.users)
    if place.is_crons:
        return crontab_files.read_systems(file)
    return crontab_files.read(file, named=how.named, uid=how.uid, trusts=how.trusts)


def _load_one(
    file: str, how: ReadOptions, drafts: Mapping[str, bytes], calendars: CalendarShelf
) -> tuple[Crontab, bool]:
    try:
        text = CrontabText(drafts[file]) if file in drafts else read_file(file, how)
        return _parsed(file, text, how, calendars), False
    except SourceRefused as refused:
        failed = how.named or refused.code != "missing"
        severity = Severity.ERROR if failed else Severity.WARNING
        hint = refused.hint if failed else "meridian edit begins one"
        why = Problem(file, 0, 0, severity, refused.code, refused.message, hint)
        return Crontab(file, b"", (), (why,)), failed
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 (a bug must not cost the jobs of every other file)
        return Crontab(file, b"", (), (_of_bug(file, error),)), True


def _of_bug(file: str, error: Exception) -> Problem:
    """Return the error about a file that Meridian itself fails to read, and where it does."""
    frames = [*walk_tb(error.__traceback__)]
    place = ", ".join(f"{Path(f.f_code.co_filename).name}:{line}" for f, line in frames[-3:])
    what = f"{type(error).__name__}: {error}"
    message = f"a bug of Meridian's own keeps it from being read: {what} ({place})"
    hint = "please report it; without the lines that were changed last it may go on"
    return Problem(file, 0, 0, Severity.ERROR, "bug", message, hint)


def _parsed(file: str, text: CrontabText, how: ReadOptions, calendars: CalendarShelf) -> Crontab:
    place = how.place(file)
    table = _parsed_in_form(place, text.data, how, calendars)
    doubts = tuple(
        Problem(file, 0, 0, Severity.WARNING, code, sentence) for code, sentence in text.warnings
    )
    if place.form is Form.OWN and file.startswith(_SYSTEM_FILES):
        doubts += (_of_the_system(file),)
    found = (*doubts, *table.problems, *_without_end(file, text.data), *_of_days(table))
    table = replace(table, problems=in_order(found))
    table = _of_users(table, how)
    timeless = tuple(e for e in table.entries if _is_timeless(e))
    return _without(table, timeless, _zoneless) if timeless else table


def _parsed_in_form(
    place: CrontabPlace, data: bytes, how: ReadOptions, calendars: CalendarShelf
) -> Crontab:
    file, user = place.file, place.user if _is_users(place, how) else None
    found = calendars.of(file, user, how.users)
    if place.form is Form.ANACRON:
        facts = AnacronFacts(how.last_run, RealClock().now().astimezone(how.zone).date())
        return anacrontab.parse(
            data, file=file, zone=how.zone, facts=facts, salt=how.salt, calendars=found
        )
    rules = _rules(place, how)

    def parse(calendars: Calendars) -> Crontab:
        return parser.parse(
            data,
            file=file,
            zone=how.zone,
            system=place.form is Form.SYSTEM,
            rules=rules,
            salt=how.salt,
            calendars=calendars,
        )

    return how.parsed.crontab(file, (place, data, how.salt, rules), how.zone, found, parse)


def _rules(place: CrontabPlace, how: ReadOptions) -> TableRules:
    """Return what holds for all lines of a crontab: that of a user may do less than root's."""
    is_users = _is_users(place, how)
    is_roots = how.uid == 0 and not is_users
    return TableRules(place.user, is_roots, place.is_crons, how.most if is_users else None)


def _is_users(place: CrontabPlace, how: ReadOptions) -> bool:
    """Say whether it is the table of a user who is not root."""
    return place.user is not None and not accounts.is_root(place.user, how.users)


def _of_users(table: Crontab, how: ReadOptions) -> Crontab:
    """Return a crontab without the entries of users whose jobs are not run here, and say so.

    A system daemon runs everybody's. An entry of a user who is not there yet stays, with a warning.
    """
    others = tuple(e for e in table.entries if e.user not in (None, how.user))
    if others and not how.every_user:
        return _without(table, others, partial(_other_user, how=how), keep=how.keep_others)
    there = {user: accounts.is_there(str(user), how.users) for user in {e.user for e in others}}
    text = tuple(split(table.text)) if not all(there.values()) else ()
    unknown = (_unknown_user(e, text[e.line - 1]) for e in others if not there[e.user])
    return replace(table, problems=in_order((*table.problems, *unknown)))


def _of_days(table: Crontab) -> tuple[Problem, ...]:
    """Return the warnings about entries whose days are over or never come."""
    found = tuple(lint_days.on_entries(table.entries, RealClock().now()))
    text = tuple(split(table.text)) if found else ()
    return tuple(
        problem(entry.file, entry.line, line, _at_schedule(warning, entry, line))
        for entry, warning in found
        for line in (text[entry.line - 1],)
    )


def _at_schedule(warning: LintWarning, entry: Entry, line: str) -> LintWarning:
    return warning._replace(offset=max(line.find(entry.schedule_text), 0))


def _of_the_system(file: str) -> Problem:
    """Return the warning about one of cron's own files, read as if it had no user column."""
    message = "this is one of cron's own files, whose lines have a user column"
    hint = "read it with --system-format, or each command begins with a user's name"
    return Problem(file, 0, 0, Severity.WARNING, "user-column", message, hint)


def _without_end(file: str, data: bytes) -> tuple[Problem, ...]:
    """Return a warning if the last line is one that cron would not have run."""
    if not data or data.endswith((b"\n", b"\r")):
        return ()
    number, last = list(enumerate(split(data), 1))[-1]
    if not last.strip() or last.lstrip().startswith("#"):
        return ()
    message = (
        "the last line has no newline: it counts here, but cronie leaves it out, and Debian's cron"
        " the whole file"
    )
    warning = LintWarning("no-newline", message, len(last), "end it with the Enter key")
    return (problem(file, number, last, warning),)


def _without(
    table: Crontab,
    some: Sequence[Entry],
    why: Callable[[Entry, str], Problem],
    *,
    keep: bool = False,
) -> Crontab:
    """Add a problem for each of some entries, and drop these unless they are to be kept."""
    refused = frozenset(entry.line for entry in some)
    text = tuple(split(table.text))
    whys = (why(entry, text[entry.line - 1]) for entry in some)
    table = replace(table, problems=in_order((*table.problems, *whys)))
    kept = [entry for entry in table.entries if keep or entry.line not in refused]
    return replace(table, entries=tuple(kept), refused=table.refused | refused)


def _is_timeless(entry: Entry) -> bool:
    """Say whether it goes by the machine's zone, and that is damaged."""
    return entry.zone is zone_data.NOBODYS and isinstance(entry.schedule, Expression)


def _zoneless(entry: Entry, text: str) -> Problem:
    message = "nobody can tell when it is due: the file of the machine's zone is damaged"
    hint = "mend /etc/localtime, or write CRON_TZ=Europe/Berlin above it"
    where = (entry.file, entry.line, max(text.find(entry.schedule_text), 0) + 1)
    return Problem(*where, Severity.ERROR, "damaged-zone", message, hint, hidden(text))


def _unknown_user(entry: Entry, text: str) -> Problem:
    message = f"there is no user {entry.user}: its runs fail until there is one"
    hint = "make the user, or write another before the command"
    where = (entry.file, entry.line, _user_column(entry, text))
    return Problem(*where, Severity.WARNING, "no-user", message, hint, hidden(text))


def _user_column(entry: Entry, text: str) -> int:
    schedule = max(text.find(entry.schedule_text), 0)
    return text.find(str(entry.user), schedule + len(entry.schedule_text)) + 1


def _other_user(entry: Entry, text: str, *, how: ReadOptions) -> Problem:
    user = str(entry.user)
    if accounts.is_there(user, how.users):
        code, message = "other-user", f"jobs of other users ({user}) are a system daemon's"
        hint = f"this daemon runs as {how.user}; meridian run --system runs everybody's"
    else:
        code, message = (
            "bad-user",
            f"there is no user {user}: a user stands before the command here",
        )
        hint = f"write {how.user} before it, or read the file without a user column"
    where = (entry.file, entry.line, _user_column(entry, text))
    return Problem(*where, Severity.ERROR, code, message, hint, hidden(text))
