"""A new text of the user's crontab in, checked and saved, or refused, out: `edit` and its kin."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import in_force, intervals, options, output
from scheduler.crontab import diagnostics
from scheduler.entry import Crontab, Severity
from scheduler.errors import MeridianError, SourceRefused
from scheduler.schedule.upcoming import coming
from scheduler.system import crontab_files, crontab_versions, trusted_path
from scheduler.system.clock import RealClock
from scheduler.system.crontab_files import Stamp
from scheduler.system.paths import Paths, entered

app = typer.Typer()

COMING = 3
EDITORS = ("sensible-editor", "nano", "vi")

STARTER = """\
# Minute, hour, day of the month, month, day of the week{user}, and the command:
#
#     30 7 * * 1-5    {root}echo "weekdays at 7:30"
#     */20 9-17 * * * {root}meridian notify "Take a break"
#     @every 90m      {root}echo "every hour and a half"
#
# Settings on lines of their own are for all entries below them:
#
#     CRON_TZ=Europe/Berlin
#     CRON_RETRIES=5
#
# `meridian explain "30 7 * * 1-5"` says what a schedule means.

"""


class NotEdited(MeridianError):
    """The crontab is as it was, and why."""


@dataclass(frozen=True, slots=True)
class Base:
    """The crontab as it was when editing began; None where there was none."""

    path: Path
    data: bytes | None
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class Checked:
    """A text, and what the crontab would be once it is saved."""

    data: bytes
    table: Crontab

    @property
    def has_errors(self) -> bool:
        """Whether some line of it is refused."""
        return any(problem.severity is Severity.ERROR for problem in self.table.problems)


@app.command(epilog="Example:  EDITOR=nano meridian edit")
def edit(state: options.State = None) -> None:
    """Edit your crontab; it is checked before it is saved.

    The editor is $VISUAL or $EDITOR. The old text is kept. Nothing is lost when it is not saved:
    the edited copy stays.
    """
    paths = options.with_crontab(state)
    editor = _editor()
    base = _base(paths.crontab)
    original = _starter(paths) if base.data is None else base.data
    draft = _draft(original)
    edited = _edited(editor, paths, draft, original)
    if edited is None:
        draft.unlink(missing_ok=True)
        output.say(f"Nothing changed in {base.path}")
        return
    if crontab_files.stamp(base.path) != base.stamp:
        raise NotEdited(
            f"{base.path} was changed by somebody else meanwhile, so it is not overwritten; "
            f"your text is kept in {draft}"
        )
    with _kept(draft):
        _save(paths, edited, state)
    draft.unlink(missing_ok=True)


def _base(path: Path) -> Base:
    stamp = crontab_files.stamp(path)
    if not crontab_files.is_there(path) and not path.is_symlink():
        crontab_files.check_place(str(path), os.geteuid())
        return Base(path, None, stamp)
    return Base(path, crontab_files.read(str(path), named=False, uid=os.geteuid()).data, stamp)


def _starter(paths: Paths) -> bytes:
    by_root = paths.folder is not None
    user, root = (", the user", "root  ") if by_root else ("", "")
    return STARTER.format(user=user, root=root).encode()


def _draft(data: bytes) -> Path:
    """Return a copy to edit; NotEdited where somebody else could put a text of theirs in its place.

    su keeps a TMPDIR that is another user's.
    """
    folder = Path(tempfile.gettempdir())
    try:
        os.close(trusted_path.opened(folder / "of-meridian", os.geteuid()))
    except trusted_path.Untrusted as doubt:
        why = f"others could change what is edited in {folder}: {doubt.path}: {doubt.why}"
        raise NotEdited(f"{why}; set TMPDIR to a folder of your own") from doubt
    except OSError:
        pass  # it is not there, nor need it be: the folders on the way to it are what counts
    # Its mode is 0600.
    descriptor, name = tempfile.mkstemp(prefix="meridian-", suffix=".crontab", dir=folder)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    return Path(name)


def _edited(editor: Sequence[str], paths: Paths, draft: Path, original: bytes) -> Checked | None:
    """Edit until the text has no errors; None if it is what it was, NotEdited if given up."""
    while True:
        _open(editor, draft, original)
        try:
            data = crontab_files.own_text(str(draft))
        except SourceRefused as refused:
            why = "is gone" if refused.code == "missing" else f"can't be used: {refused.message}"
            raise NotEdited(f"The edited copy {draft} {why}, so nothing is changed") from refused
        if data == original:
            return None
        checked = _checked(paths, data)
        if not checked.has_errors:
            return checked
        if not _again():
            raise NotEdited(f"Nothing is changed; your text is kept in {draft}")


def _again() -> bool:
    try:
        return _asked("Edit again?", default=True)
    except typer.Abort:  # nobody there to ask
        typer.echo()
        return False


def _asked(question: str, *, default: bool) -> bool:
    """Ask until the answer is yes or no; Enter alone is the default. Abort where nobody answers."""
    choices = "Y/n" if default else "y/N"
    answer: bool = typer.prompt(
        f"{question} [{choices}]", default=default, show_default=False, value_proc=_yes_or_no
    )
    return answer


def _yes_or_no(text: str | bool) -> bool:
    match str(text).strip().lower():
        case "y" | "yes" | "true":
            return True
        case "n" | "no" | "false":
            return False
        case _:
            raise typer.BadParameter("write y for yes or n for no")


def _open(editor: Sequence[str], draft: Path, original: bytes) -> None:
    try:
        with _ctrl_c_is_the_editors():
            status = subprocess.call([*editor, str(draft)])
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise NotEdited(f"The editor {editor[0]} can't be started: {error.strerror}") from error
    if status == 0:
        return
    ending = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
    if _is_edited(draft, original):
        kept = f"; your text is kept in {draft}"
    else:
        draft.unlink(missing_ok=True)
        kept = ""
    raise NotEdited(f"The editor {editor[0]} {ending}, so nothing is changed{kept}")


def _is_edited(draft: Path, original: bytes) -> bool:
    try:
        return crontab_files.own_text(str(draft)) != original
    except SourceRefused as refused:
        return refused.code != "missing"


def _editor() -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        try:
            if words := shlex.split(os.environ.get(name, "")):
                return words
        except ValueError as error:
            raise NotEdited(f"{name} can't be understood: {error}") from error
    for editor in EDITORS:
        if shutil.which(editor):
            return [editor]
    raise NotEdited("There is no editor here; name one in EDITOR")


@contextlib.contextmanager
def _ctrl_c_is_the_editors() -> Iterator[None]:
    """Leave Ctrl-C and its kin to the editor, which shares the terminal.

    A handler that does nothing, not SIG_IGN: the editor would inherit that.
    """
    numbers = (signal.SIGINT, signal.SIGQUIT)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _kept(draft: Path) -> Iterator[None]:
    try:
        yield
    except MeridianError as refused:
        raise NotEdited(f"{refused}; your text is kept in {draft}") from refused


@app.command(epilog="Example:  meridian install crontabs/housekeeping.crontab")
def install(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A crontab; `-` is standard input.")],
    state: options.State = None,
) -> None:
    """Put a file in the place of your crontab, if it has no errors.

    The old text is kept.
    """
    paths = options.with_crontab(state)
    _base(paths.crontab)  # refuses to replace what can't be trusted
    if file == options.STDIN:
        data = crontab_files.read_stream(file, sys.stdin.buffer)
    else:
        text = crontab_files.read(file, named=True, uid=os.geteuid(), trusts=True)
        data = text.data
        for _, sentence in text.warnings:
            output.note(f"{file}: {sentence}")
    checked = _checked(paths, data, file)
    if checked.has_errors:
        raise NotEdited(f"Nothing is changed: {file} has errors")
    _save(paths, checked, state)


@app.command(epilog="Example:  meridian remove --yes")
def remove(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    state: options.State = None,
) -> None:
    """Remove your crontab; its text is kept."""
    paths = options.with_crontab(state)
    path = paths.crontab
    if not crontab_files.is_there(path):
        raise NotEdited(f"There is no crontab {path}")
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody is there to ask: say --yes", param_hint="--yes")
        if not _asked(f"Remove {path}?", default=False):
            raise NotEdited("Nothing is changed")
    kept = _keep(paths, RealClock().now())
    crontab_versions.remove(path)
    output.say(f"Removed {path}; its text is kept in {kept}")
    output.say(in_force.reader(path, state, "lets go of its jobs"))


def _keep(paths: Paths, now: datetime) -> Path | None:
    with entered(paths.state, os.geteuid()):
        return crontab_versions.keep(paths.crontab, paths.versions, now)


def _checked(paths: Paths, data: bytes, file: str | None = None) -> Checked:
    """Judge the text as it would be once saved, and show what is wrong with it.

    Its problems are those of the `file` it comes from, if it is from one.
    """
    path = str(paths.crontab)
    files = dict.fromkeys((*options.own_files(paths), path))
    by_root = paths.folder is not None
    how = options.how(options.own_zone(), named=False, system=by_root)
    loaded = crontab_files.load(tuple(files), how, drafts={path: data})
    table = next(table for table in loaded.crontabs if table.file == path)
    output.problems(replace(problem, file=file or path) for problem in table.problems)
    return Checked(data, table)


def _save(paths: Paths, checked: Checked, state: Path | None) -> None:
    table = checked.table
    now = RealClock().now()
    kept = _keep(paths, now)
    crontab_versions.save(paths.crontab, checked.data)
    output.say(f"Saved {paths.crontab}: {diagnostics.summary(len(table.entries), table.problems)}")
    if kept is not None:
        output.say(f"The old text is kept in {kept}")
    known = intervals.known(paths.state, table.entries)
    for run in islice(coming(table.entries, now, known), COMING):
        at = output.wall(run.at.astimezone(run.entry.zone))
        output.say(f"  {at} {run.entry.zone.key}  {run.entry.job}")
    output.say(in_force.reader(paths.crontab, state))
