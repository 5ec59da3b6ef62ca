"""Signals to the daemon: SIGTERM, SIGINT, SIGHUP and SIGUSR1 in, notes to its loop out.

SIGTERM and Ctrl-C stop it, SIGUSR1 drains it, SIGHUP reloads the crontabs, SIGCHLD only wakes it.
"""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from scheduler.daemon.loop import Daemon


def listen(loop: asyncio.AbstractEventLoop, daemon: Daemon) -> None:
    """Take the daemon's signals: each handler only leaves a note and wakes the loop.

    The loop hears of a signal by a byte in a pipe, which a few hundred jobs that end at once
    fill: a stop or a reload must not be the one that is dropped. As PID 1 it gets no signal but
    these: the kernel spares that process all others whose default is to end it.
    """
    loop.add_signal_handler(signal.SIGCHLD, daemon.wake)
    signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)
    notes = {
        signal.SIGTERM: daemon.stop,
        signal.SIGINT: daemon.stop,
        signal.SIGHUP: daemon.reload,
        signal.SIGUSR1: daemon.drain,
    }
    for number, note in notes.items():
        signal.signal(number, partial(_leave, loop, note))


def _leave(
    loop: asyncio.AbstractEventLoop, note: Callable[[], None], _signal: int, _frame: object
) -> None:
    if not loop.is_closed():  # otherwise it is over already
        loop.call_soon_threadsafe(note)
