"""The user's crontab in an editor, until it has no errors and is saved: `edit`."""

from __future__ import annotations

import typer

from scheduler.cli import editor, output, own_crontab, state_folder
from scheduler.cli.own_crontab import CheckedText, NotEdited
from scheduler.system import crontab_files
from scheduler.system.paths import Paths

app = typer.Typer()


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
    base = own_crontab.base(paths.crontab)
    original = _starter(paths) if base.data is None else base.data

    def judge(data: bytes) -> CheckedText | None:
        checked = own_crontab.checked(paths, data)
        return None if checked.has_errors else checked

    def save(checked: CheckedText) -> None:
        if crontab_files.stamp(base.path) != base.stamp:
            why = "was changed by somebody else meanwhile, so it is not overwritten"
            raise NotEdited(f"{base.path} {why}")
        own_crontab.save(paths, checked, state)

    if not editor.edited(original, judge, save):
        output.say(f"Nothing changed in {base.path}")


def _starter(paths: Paths) -> bytes:
    by_root = paths.folder is not None
    user, root = (", the user", "root  ") if by_root else ("", "")
    return STARTER.format(user=user, root=root).encode()
