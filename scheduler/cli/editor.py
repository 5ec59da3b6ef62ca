"""A text in an editor, until nothing is wrong with it: the new text, or why there is none, out."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from scheduler.cli import output
from scheduler.cli.own_crontab import NotEdited
from scheduler.errors import MeridianError, SourceRefused
from scheduler.system import crontab_files, trusted_path

T = TypeVar("T")

EDITORS = ("sensible-editor", "nano", "vi")


def edited(original: bytes, judge: Callable[[bytes], T | None], save: Callable[[T], None]) -> bool:
    """Edit a text until `judge` makes something of it, and `save` that; False if it is as it was.

    `judge` says itself what is wrong where it returns None. NotEdited if that is given up, or it
    can't be saved: what was edited is kept, and said where.
    """
    editor = _editor()
    draft = _draft(original)
    found = _judged(editor, draft, original, judge)
    if found is not None:
        with _kept(draft):
            save(found)
    draft.unlink(missing_ok=True)
    return found is not None


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


def _judged(
    editor: Sequence[str], draft: Path, original: bytes, judge: Callable[[bytes], T | None]
) -> T | None:
    """Return what `judge` makes of it; None if it is what it was, NotEdited if given up."""
    while True:
        _open(editor, draft, original)
        try:
            data = crontab_files.own_text(str(draft))
        except SourceRefused as refused:
            why = "is gone" if refused.code == "missing" else f"can't be used: {refused.message}"
            raise NotEdited(f"The edited copy {draft} {why}, so nothing is changed") from refused
        if data == original:
            return None
        if (found := judge(data)) is not None:
            return found
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
