"""Users' crontabs where cron has them: a user in, their table out; a new text in, saved whole.

A table is its user's, of mode 0600 and of the group `crontab` where there is one, as Debian's
crontab(1) leaves it: Debian's cron runs it again on a machine that goes back to it. Nothing of a
user is followed or run here: a table is a file in one folder, opened by its name, through no link.
"""

from __future__ import annotations

import errno
import grp
import hashlib
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler import __version__
from scheduler.crontab import spool_header
from scheduler.errors import SourceRefused
from scheduler.system import crontab_files, crontab_versions, state_files, trusted_path
from scheduler.system.crontab_place import ROOT, SPOOL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from scheduler.system.accounts import Account

MOST_VERSIONS_OF_A_USER = 10  # it is root's disk

_CRONTAB_GROUP = "crontab"
_FOLDER_MODE = 0o1730  # as Debian has it: its group makes files, and nobody lists them
_OPEN_TABLE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW_TABLE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def fingerprint(data: bytes | None) -> str:
    """Return what differs when a table does; that of a missing one is that of an empty one."""
    return hashlib.sha256(data or b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Spool:
    """Cron's folder of users' tables, and the one where their old texts are kept.

    `uid` is who has to have the folder, root or the user themselves; `group` whose files are, where
    there is such a group. A table is replaced, never written in: who reads it reads one text.
    """

    folder: Path
    versions: Path
    uid: int = 0
    group: int | None = None

    def read(self, account: Account) -> bytes | None:
        """Return what the user's file holds, its header too; None where there is none.

        Raises SourceRefused for what is not theirs, or no file: it is not shown to them.
        """
        file = self._file(account)
        try:
            with self._opened() as folder:
                descriptor = os.open(account.name, _OPEN_TABLE, dir_fd=folder)
                try:
                    self._judge(file, os.fstat(descriptor), account)
                    with os.fdopen(descriptor, "rb", closefd=False) as stream:
                        return crontab_files.read_stream(file, stream)
                finally:
                    os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise SourceRefused(file, "not-regular", "it is a link") from error
            raise SourceRefused(
                file, "unreadable", f"it can't be read: {error.strerror}"
            ) from error

    def save(self, account: Account, text: bytes, now: datetime, base: str | None = None) -> None:
        """Give the user this table; the old one is kept.

        Raises SourceRefused, the table as it was: also where it is not the `base` any more that the
        text was made from.
        """
        file = self._file(account)
        old = self._old(account)
        if base not in (None, fingerprint(old)):
            why = "it was changed by somebody else meanwhile, and is not overwritten"
            raise SourceRefused(file, "changed", why)
        self._keep(account, old, now)
        data = spool_header.with_header(text, now, __version__)
        try:
            with self._opened(make=True) as folder:
                self._replace(folder, account, data)
        except OSError as error:
            why = f"it can't be saved: {error.strerror}"
            raise SourceRefused(file, "not-saved", why, "it is as it was") from error

    def remove(self, account: Account, now: datetime) -> bool:
        """Take the user's table away, its text kept; False where there is none. SourceRefused."""
        file = self._file(account)
        self._keep(account, self._old(account), now)
        try:
            with self._opened() as folder:
                os.unlink(account.name, dir_fd=folder)
                os.fsync(folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            why = f"it can't be removed: {error.strerror}"
            raise SourceRefused(file, "not-removed", why) from error
        return True

    def _old(self, account: Account) -> bytes | None:
        """Return the text that is about to go; None where there is none, or none of theirs."""
        try:
            return self.read(account)
        except SourceRefused as refused:
            if refused.code in ("not-trusted", "not-regular"):
                return None
            raise

    def _keep(self, account: Account, old: bytes | None, now: datetime) -> None:
        if old is None:
            return
        folder = self.versions / "users" / account.name
        try:
            for each in (self.versions, folder.parent, folder):
                state_files.make_folder(each)
            text = spool_header.without_header(old)
            crontab_versions.keep_text(
                text, folder, _CRONTAB_GROUP, now, most=MOST_VERSIONS_OF_A_USER
            )
        except OSError as error:
            why = f"its old version can't be kept in {folder}: {error.strerror}"
            raise SourceRefused(self._file(account), "not-saved", why, "it is as it was") from error

    def _file(self, account: Account) -> str:
        """Return the table's file; SourceRefused for a name that is no file's, or not cron's."""
        file = str(self.folder / account.name)
        if not account.name or "/" in account.name or account.name.startswith((".", "tmp.")):
            raise SourceRefused(file, "bad-name", "cron has no table for a user of this name")
        return file

    def _judge(self, file: str, status: os.stat_result, account: Account) -> None:
        """Raise SourceRefused for an open file that others than its user and root could have put.

        Or that has another name elsewhere: it may be a file that its user must not read.
        """
        if not stat.S_ISREG(status.st_mode):
            raise SourceRefused(file, "not-regular", f"it is {state_files.kind(status.st_mode)}")
        if status.st_uid not in (0, account.uid):
            whose = f"it belongs to user {status.st_uid}, not to {account.name} or root"
            raise SourceRefused(file, "not-trusted", whose, f"chown {account.name} {file}")
        if status.st_nlink > 1:
            raise SourceRefused(file, "not-trusted", "it has another name: a hard link leads to it")

    @contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[int]:
        """Open the spool; SourceRefused where others could put tables into it, OSError."""
        is_new = make and not self.folder.exists()
        try:
            folder = trusted_path.opened(self.folder, self.uid, make=make)
        except trusted_path.Untrusted as doubt:
            why = f"others could put another in its place: {doubt.path}: {doubt.why}"
            raise SourceRefused(str(self.folder), "not-trusted", why, doubt.advice) from doubt
        try:
            if is_new and self.group is not None:
                os.fchown(folder, -1, self.group)
                os.fchmod(folder, _FOLDER_MODE)
            self._judge_folder(os.fstat(folder))
            yield folder
        finally:
            os.close(folder)

    def _judge_folder(self, status: os.stat_result) -> None:
        name = str(self.folder)
        if status.st_uid not in (0, self.uid):
            why = f"it belongs to user {status.st_uid}, not to root"
            raise SourceRefused(name, "not-trusted", why, f"chown root {name}")
        if status.st_mode & stat.S_IWOTH:
            raise SourceRefused(name, "not-trusted", "everybody can write it", f"chmod o-w {name}")

    def _replace(self, folder: int, account: Account, data: bytes) -> None:
        """Put a file in the place of the user's: after a crash there is the old one or the new."""
        name = f"tmp.{secrets.token_hex(8)}"  # which no cron reads
        descriptor = os.open(name, _NEW_TABLE, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                group = account.gid if self.group is None else self.group
                os.fchown(descriptor, account.uid, group)
                os.fsync(descriptor)
            os.rename(name, account.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
            raise
        os.fsync(folder)


def of_machine(versions: Path, root: Path = ROOT) -> Spool:
    """Return the spool of the machine below `root`, for root to work on."""
    try:
        group = grp.getgrnam(_CRONTAB_GROUP).gr_gid
    except KeyError:
        group = None
    return Spool(root / SPOOL, versions, group=group)
