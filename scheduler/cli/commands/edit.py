"""The user's crontab in an editor, until it has no errors and is saved: `edit`."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from scheduler.cli import output, own_crontab, state_folder
from scheduler.cli.own_crontab import CheckedText, NotEdited
from scheduler.errors import MeridianError, SourceRefused
from scheduler.system import crontab_files, trusted_path
from scheduler.system.paths import Paths

app = typer.Typer()


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


@app.command(epilog="Example:  EDITOR=nano meridian edit")
def edit(state: state_folder.State = None) -> None:
    """Edit your crontab; it is checked before it is saved.

    The editor is $VISUAL or $EDITOR, else sensible-editor, nano or vi. The old text is kept.
    Nothing is lost when it is not saved: the edited copy stays.
    """
    paths = state_folder.with_crontab(state)
    editor = _editor()
    base = own_crontab.base(paths.crontab)
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
        own_crontab.save(paths, edited, state)
    draft.unlink(missing_ok=True)


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


def _edited(
    editor: Sequence[str], paths: Paths, draft: Path, original: bytes
) -> CheckedText | None:
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
        checked = own_crontab.checked(paths, data)
        if not checked.has_errors:
            return checked
        if not _again():
            raise NotEdited(f"Nothing is changed; your text is kept in {draft}")


def _again() -> bool:
    try:
        return output.confirmed("Edit again?", default=True)
    except typer.Abort:  # nobody there to ask
        typer.echo()
        return False


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
