"""A file in, which takes the place of the user's crontab: `install`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from scheduler.cli import options, output, own_crontab, state_folder
from scheduler.system import crontab_files

app = typer.Typer()


@app.command(epilog="Example:  meridian install crontabs/housekeeping.crontab")
def install(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A crontab; `-` is standard input.")],
    state: state_folder.State = None,
) -> None:
    """Put a file in the place of your crontab, if it has no errors.

    The old text is kept.
    """
    paths = state_folder.with_crontab(state)
    own_crontab.base(paths.crontab)  # refuses to replace what can't be trusted
    if file == options.STDIN:
        data = crontab_files.read_stream(file, sys.stdin.buffer)
    else:
        text = crontab_files.read(file, named=True, uid=os.geteuid(), trusts=True)
        data = text.data
        for _, sentence in text.warnings:
            output.note(f"{file}: {sentence}")
    checked = own_crontab.checked(paths, data, file)
    if checked.has_errors:
        raise own_crontab.NotEdited(f"Nothing is changed: {file} has errors")
    own_crontab.save(paths, checked, state)
