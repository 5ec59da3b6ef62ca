"""A notification in, on the screen of a Mac out, by osascript.

As root by the user at the screen: whatever runs outside that user's session shows nothing there.
Written from launchctl(1), osascript(1) and sudo(8); none of it was ever seen on a Mac.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.errors import NotifyError
from scheduler.system import helper_program
from scheduler.system.notification import cut, plain

if TYPE_CHECKING:
    from scheduler.system.desktop_session import Desktop
    from scheduler.system.notification import Notification
    from scheduler.system.time_limit import TimeLimit

# The script never changes: title and text reach it as its arguments, so nothing in them is ever
# read as AppleScript. `--` ends osascript's own options, else a title such as `-e` would be one.
OSASCRIPT = (
    *("-e", "on run argv"),
    *("-e", "display notification (item 2 of argv) with title (item 1 of argv)"),
    *("-e", "end run"),
    "--",
)
_SAID_LIMIT = 200


def show(notification: Notification, desktop: Desktop, limit: TimeLimit) -> None:
    """Run osascript; NotifyError with what it said, or if nobody is logged in at the screen."""
    osascript = helper_program.found("osascript", desktop.environ)
    argv = (*_as_user(desktop), osascript, *OSASCRIPT, notification.title, notification.text)
    ended = helper_program.run(argv, limit, desktop.environ)
    if ended.code:
        said = cut(plain(ended.err), _SAID_LIMIT)
        raise NotifyError(f"osascript ended with {ended.code}" + (f" ({said})" if said else ""))


def _as_user(desktop: Desktop) -> tuple[str, ...]:
    """Return what goes in front of a program that is to run in the session at the screen."""
    if desktop.uid:
        return ()
    user = console_user(desktop)
    launchctl = helper_program.found("launchctl", desktop.environ)
    sudo = helper_program.found("sudo", desktop.environ)
    return (launchctl, "asuser", str(user), sudo, "-n", "-u", f"#{user}", "--")


def console_user(desktop: Desktop) -> int:
    """Return who is logged in at the screen: that user owns the console; NotifyError if nobody."""
    console = desktop.devices / "console"
    try:
        user = console.stat().st_uid
    except OSError as error:
        raise NotifyError(
            f"can't see who is at the screen ({console}: {error.strerror})"
        ) from error
    if not user:
        raise NotifyError("nobody is logged in at the screen")
    return user
