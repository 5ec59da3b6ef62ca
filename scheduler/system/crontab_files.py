"""Paths in, crontabs out: read with care for who can write them, parsed, made unique."""

from __future__ import annotations

import errno
import os
import pwd
import re
import stat
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO

from scheduler.crontab import parser
from scheduler.crontab.lexer import hidden, split
from scheduler.crontab.lint import LintWarning, in_order, problem, told_once
from scheduler.entry import Crontab, Expression, Problem, Severity
from scheduler.errors import NotRoots, SourceRefused
from scheduler.schedule import zone_data
from scheduler.system import safe_open, trusted_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry

_SYSTEM_FILES = ("/etc/crontab", "/etc/cron.d/")
MOST_BYTES = 16 * 1024 * 1024

# As Debian's cron and run-parts(8) have it, so that what an editor or a package manager left is no
# crontab; and `.crontab`, which says that it is one.
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.crontab)?")
_PLACEHOLDER = ".placeholder"  # Debian's, which keeps a folder from being removed
_IGNORED = "it is not read, for its name"
_RENAME = "letters, digits, - and _ make a crontab's name, and .crontab may follow"

Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read: by whom, with which zone and salt, in which form, how strictly.

    `named` files come from the command line, others from the user's places. Root's named ones that
    somebody else could change are read only where it `trusts` them, with a warning. Entries for
    users other than `user` are errors; with `keep_others` they stay among the entries all the same.
    """

    uid: int
    user: str
    zone: ZoneInfo
    salt: str = ""
    named: bool = False
    trusts: bool = False
    system: bool = False
    keep_others: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """What a file holds, and what is doubtful about the file (code and sentence)."""

    data: bytes
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """All crontabs together; `failed` names the files that are there but could not be read."""

    crontabs: tuple[Crontab, ...]
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    failed: frozenset[str] = frozenset()

    @property
    def refused(self) -> frozenset[tuple[str, int]]:
        """The file and line of every entry that the daemon would not run."""
        return frozenset((table.file, line) for table in self.crontabs for line in table.refused)


def within(folder: Path) -> tuple[Path, ...]:
    """Return the crontabs of a folder, sorted: those of its files whose names are a crontab's.

    Links and unreadable files are among them, so that reading names what is wrong; a folder that
    is not there, or not to be read, holds nothing. Raises OSError where nobody can tell.
    """
    return tuple(path for path in _files(folder) if _NAME.fullmatch(path.name))


def passed_over(folder: Path) -> tuple[Problem, ...]:
    """Return a warning for each file of a folder that is not read for its name."""
    return tuple(
        Problem(str(path), 0, 0, Severity.WARNING, "ignored-name", _IGNORED, _RENAME)
        for path in _files(folder)
        if not _NAME.fullmatch(path.name) and path.name != _PLACEHOLDER
    )


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if not path.is_dir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def is_there(path: Path) -> bool:
    """Say whether there is such a file, or something that keeps one from finding out."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def stamp(path: Path) -> Stamp | None:
    """Return what differs when a file (or one of a folder's crontabs) does; None if missing."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return tuple((child.name, stamp(child)) for child in within(path))
    except OSError:
        return None
    changes = (status.st_mtime_ns, status.st_ctime_ns)
    return (status.st_dev, status.st_ino, status.st_size, *changes)


def stamp_of_ways(files: Sequence[str]) -> Stamp:
    """Return what differs when others may, or may no longer, write a folder on the way."""
    begun = {file[: file.rfind("/") + 1] for file in files}  # few folders hold thousands of files
    folders = {Path(folder).absolute() for folder in begun}
    folders |= {above for folder in folders for above in folder.parents}
    return tuple(_owners(folder) for folder in sorted(folders))


def _owners(folder: Path) -> Stamp | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_mode, status.st_uid, status.st_gid)


def read(file: str, *, named: bool, uid: int, trusts: bool = False) -> Text:
    """Return the bytes of one crontab that this user can trust, or `trusts` though others have it.

    Raises SourceRefused. A FIFO or device can't hang it, a huge file can't fill the memory.
    """
    try:
        try:
            return _read(file, named=named, uid=uid)
        except NotRoots as doubt:
            if not trusts:
                raise
            text = _read(file, named=True, uid=None)
            return replace(text, warnings=(("not-roots", doubt.warning), *text.warnings))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _refusal(file, error) from error


def own_text(file: str) -> bytes:
    """Return the bytes of one's own file, whoever can write it: to keep them, not to run them.

    Raises SourceRefused for what is no file, or too large, or can't be read.
    """
    try:
        descriptor = safe_open.opened(file, named=True, uid=None)
        try:
            safe_open.check_kind(file, os.fstat(descriptor).st_mode)
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return read_stream(file, stream)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _refusal(file, error) from error


def check_place(file: str, uid: int) -> None:
    """Raise SourceRefused where others could put another in the place of one that is to come."""
    try:
        os.close(safe_open.opened(file, named=False, uid=uid))
    except OSError:  # it is not there, nor need its folder be
        return


def _read(file: str, *, named: bool, uid: int | None) -> Text:
    """Read a crontab with care for what this user may trust; None: it is trusted whatever it is."""
    descriptor = safe_open.opened(file, named=named, uid=uid)
    try:
        warnings = safe_open.judge(file, descriptor, named=named, uid=uid)
        status = os.fstat(descriptor)
        if status.st_size > MOST_BYTES:
            raise _too_large(file)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return Text(read_stream(file, stream), warnings)
    finally:
        os.close(descriptor)


def read_stream(file: str, stream: BinaryIO) -> bytes:
    """Return what a stream holds; SourceRefused if it can't be read, or is more than a crontab."""
    try:
        data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise _refusal(file, error) from error
    if len(data) > MOST_BYTES:
        raise _too_large(file)
    return data


def _too_large(file: str) -> SourceRefused:
    size = f"it is larger than {MOST_BYTES // 1024**2} MiB"
    return SourceRefused(file, "too-large", size, "is it a crontab at all?")


def _refusal(file: str, error: OSError | ValueError) -> SourceRefused:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        return SourceRefused(file, "missing", "there is no such file")
    if number == errno.ELOOP:
        return SourceRefused(file, "not-regular", "it is a link that leads in a circle")
    why = error.strerror if isinstance(error, OSError) else str(error)
    return SourceRefused(file, "unreadable", f"it can't be read: {why}")


def load(
    files: Sequence[str], how: Reading, *, drafts: Mapping[str, bytes] = MappingProxyType({})
) -> Loaded:
    """Read, parse and join crontabs: the one way from paths to entries.

    `drafts` are texts that stand for files of these names, as they would be once saved.

    What can't be read is a crontab of no lines and one problem, never an exception. A missing file
    fails only if it was named: in the places, no crontab means no jobs.
    """
    with trusted_path.remembered():
        read_ones = [_load_one(file, how, drafts) for file in files]
    unique = parser.unique([table for table, _ in read_ones])
    return Loaded(
        crontabs=unique,
        entries=tuple(entry for table in unique for entry in table.entries),
        problems=told_once([problem for table in unique for problem in table.problems]),
        failed=frozenset(table.file for table, failed in read_ones if failed),
    )


def _load_one(file: str, how: Reading, drafts: Mapping[str, bytes]) -> tuple[Crontab, bool]:
    try:
        if file in drafts:
            return _parsed(file, Text(drafts[file]), how), False
        return _parsed(
            file, read(file, named=how.named, uid=how.uid, trusts=how.trusts), how
        ), False
    except SourceRefused as refused:
        failed = how.named or refused.code != "missing"
        severity = Severity.ERROR if failed else Severity.WARNING
        hint = refused.hint if failed else "meridian edit begins one"
        why = Problem(file, 0, 0, severity, refused.code, refused.message, hint)
        return Crontab(file, b"", (), (why,)), failed


def _parsed(file: str, text: Text, how: Reading) -> Crontab:
    by_root = how.uid == 0
    table = parser.parse(
        text.data, file=file, zone=how.zone, system=how.system, by_root=by_root, salt=how.salt
    )
    doubts = tuple(
        Problem(file, 0, 0, Severity.WARNING, code, sentence) for code, sentence in text.warnings
    )
    if not how.system and file.startswith(_SYSTEM_FILES):
        doubts += (_of_the_system(file),)
    table = replace(table, problems=(*doubts, *table.problems, *_without_end(file, text.data)))
    others = tuple(e for e in table.entries if e.user not in (None, how.user))
    if others:
        table = _without(table, others, partial(_other_user, how=how), keep=how.keep_others)
    timeless = tuple(e for e in table.entries if _is_timeless(e))
    return _without(table, timeless, _zoneless) if timeless else table


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
    remark = LintWarning("no-newline", message, len(last), "end it with the Enter key")
    return (problem(file, number, last, remark),)


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
    remarks = (why(entry, text[entry.line - 1]) for entry in some)
    table = replace(table, problems=in_order((*table.problems, *remarks)))
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


def _other_user(entry: Entry, text: str, *, how: Reading) -> Problem:
    user = str(entry.user)
    schedule = max(text.find(entry.schedule_text), 0)
    column = text.find(user, schedule + len(entry.schedule_text)) + 1
    if _is_account(user):
        code, message = (
            "not-supported-yet",
            f"running as another user ({user}) is not supported yet",
        )
        hint = f"this daemon runs as {how.user}"
    else:
        code, message = (
            "bad-user",
            f"there is no user {user}: a user stands before the command here",
        )
        hint = f"write {how.user} before it, or read the file without a user column"
    where = (entry.file, entry.line, column)
    return Problem(*where, Severity.ERROR, code, message, hint, hidden(text))


def _is_account(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except (KeyError, ValueError):
        return False
    return True
