"""A user's crontab listed, edited, replaced or removed, as by crontab(1): `crontab`.

Also by the name `crontab`, for fingers and scripts. What it says to scripts are Debian's words.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import Annotated

import typer

from scheduler.cli import crontabs, editor, options, output, problems_view, state_folder, user_table
from scheduler.cli.commands.edit import STARTER
from scheduler.cli.own_zone import own_zone
from scheduler.cli.user_table import TableRefused, UserTable
from scheduler.crontab.spool_header import without_header
from scheduler.entry import Problem, Severity
from scheduler.system import crontab_files, crontab_loader, user_names
from scheduler.system.crontab_place import CrontabPlace, Form
from scheduler.system.crontab_spool import fingerprint

app = typer.Typer()

_HEADER_VARIABLE = "CRONTAB_NOHEADER"  # Debian's: N shows the header that is saved before a table


class _Deed(Enum):
    """What is to be done with the table."""

    LIST = "-l"
    EDIT = "-e"
    REMOVE = "-r"
    TEST = "-T"
    REPLACE = "FILE"


_File = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE", help="The new crontab; `-`, or no word at all, is standard input."
    ),
]
_List = Annotated[bool, typer.Option("-l", help="Print the crontab.")]
_Edit = Annotated[bool, typer.Option("-e", help="Edit it with $VISUAL or $EDITOR.")]
_Remove = Annotated[bool, typer.Option("-r", help="Remove it.")]
_Ask = Annotated[bool, typer.Option("-i", help="Ask before it is removed; of no matter otherwise.")]
_User = Annotated[
    str | None, typer.Option("-u", metavar="USER", help="This user's crontab: root only.")
]
_Test = Annotated[
    str | None, typer.Option("-T", metavar="FILE", help="Only say what is wrong with a file.")
]
_DryRun = Annotated[bool, typer.Option("-n", help="Only say what is wrong with FILE.")]


@app.command(epilog="Example:  EDITOR=nano meridian crontab -e")
def crontab(
    file: _File = None,
    lists: _List = False,
    edits: _Edit = False,
    removes: _Remove = False,
    asks: _Ask = False,
    user: _User = None,
    test: _Test = None,
    dry_run: _DryRun = False,
    state: state_folder.State = None,
) -> None:
    """List, edit, replace or remove your crontab in cron's spool. As cron's own command does it.

    Its jobs are run by the machine's daemon: meridian run --system. Others than root ask it. The
    old text is kept in root's state folder.
    """
    tests = test is not None  # "" too: it is a file that is not there
    chosen = {_Deed.LIST: lists, _Deed.EDIT: edits, _Deed.REMOVE: removes, _Deed.TEST: tests}
    wanted = [each for each, is_wanted in chosen.items() if is_wanted]
    may_read = dry_run or not (asks or user is not None or sys.stdin.isatty())
    deed = _deed(wanted, file, dry_run=dry_run, may_read=may_read)
    if deed is _Deed.TEST:
        _test(test if tests else file, user)
        return
    table = user_table.of(user, state)
    match deed:
        case _Deed.LIST:
            _list(table)
        case _Deed.EDIT:
            _edit(table)
        case _Deed.REMOVE:
            _remove(table, asks=asks)
        case _Deed.REPLACE:
            table.save(_checked(_text(file), file or options.STDIN, table.user))


def _deed(chosen: list[_Deed], file: str | None, *, dry_run: bool, may_read: bool) -> _Deed:
    """Return the one thing that is wanted; wrong usage for several.

    `may_read`: without a file, standard input is the new table. As on Debian it is not for who says
    -i or -u and forgets the rest, since an empty one would empty the table.
    """
    if len(chosen) > 1:
        raise typer.BadParameter("only one operation permitted: one of -l, -e, -r, -T and FILE")
    if chosen and file is not None:
        raise typer.BadParameter(f"no arguments permitted after {chosen[0].value}")
    if chosen and dry_run:
        raise typer.BadParameter(f"-n is for a new crontab, not for {chosen[0].value}")
    if not chosen and file is None and not may_read:
        raise typer.BadParameter("say what to do: -l, -e, -r, or a file; - is standard input")
    return chosen[0] if chosen else _Deed.TEST if dry_run else _Deed.REPLACE


def _text(file: str | None) -> bytes:
    if file in (None, options.STDIN):
        return crontab_files.read_stream(options.STDIN, sys.stdin.buffer)
    return crontab_files.own_text(str(file))


def _list(table: UserTable) -> None:
    data = _there(table)
    if os.environ.get(_HEADER_VARIABLE, "")[:1] not in ("n", "N"):
        data = without_header(data)
    if output.is_terminal():  # it may be another user's, and is to steer nobody's screen
        for line in data.decode(errors="surrogateescape").splitlines():
            output.say(line)
        return
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _there(table: UserTable) -> bytes:
    data = table.read()
    if data is None:
        raise TableRefused(f"no crontab for {table.user}")
    return data


def _remove(table: UserTable, *, asks: bool) -> None:
    if asks:
        _there(table)
        question = f"crontab: really delete {table.user}'s crontab?"
        if not output.confirmed(question, default=False):
            return
    if not table.remove():
        raise TableRefused(f"no crontab for {table.user}")


def _edit(table: UserTable) -> None:
    data = table.read()
    if data is None:
        output.note(f"no crontab for {table.user} - using an empty one")
    starter = STARTER.format(user="", root="").encode()
    original = starter if data is None else without_header(data)
    base = fingerprint(data)

    def judge(text: bytes) -> bytes | None:
        found = _problems(text, "crontab", table.user)
        problems_view.show(found, err=True)
        return None if any(map(_blocks, found)) else text

    if editor.edited(original, judge, partial(table.save, base=base)):
        output.note("crontab: installing new crontab")
    else:
        output.note("No modification made")


def _test(file: str | None, user: str | None) -> None:
    uid = os.geteuid()
    whose = user or user_names.of_uid(uid) or str(uid)
    _checked(_text(file), file or options.STDIN, whose, warns=True)
    output.note("The syntax of the crontab file was successfully checked.")


def _checked(text: bytes, file: str, user: str, *, warns: bool = False) -> bytes:
    """Return the text; TableRefused if a line of it is wrong, which is shown.

    A script is to hear nothing of warnings.
    """
    found = _problems(text, file, user)
    blocking = tuple(filter(_blocks, found))
    problems_view.show(found if warns or sys.stderr.isatty() else blocking, err=True)
    if blocking:
        raise TableRefused("errors in crontab file, can't install.")
    return text


def _problems(text: bytes, file: str, user: str) -> tuple[Problem, ...]:
    """Return what is wrong with a table, by what holds for tables of this user in the spool.

    A last line that is not ended is no problem: it is ended when it is saved.
    """
    place = CrontabPlace(file, Form.SPOOL, user, is_crons=True)
    how = crontabs.read_options(own_zone(), named=False, system=False)
    how = replace(how, at={file: place}, every_user=True)
    ended = text if not text or text.endswith(b"\n") else text + b"\n"
    return crontab_loader.load((file,), how, drafts={file: ended}).problems


def _blocks(problem: Problem) -> bool:
    """Say whether a table with this problem is not saved; how many entries, only root says."""
    return problem.severity is Severity.ERROR and problem.code != "too-many-entries"
