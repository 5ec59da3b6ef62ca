"""What this process makes of itself before it has children, and what they get from it.

Their signals, whom it adopts, their variables and umask.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from typing import TYPE_CHECKING

from scheduler.protocol import InheritedEnvironment, Variable

if TYPE_CHECKING:
    from scheduler.process.job_environment import Inheritance

_SET_CHILD_SUBREAPER = 36  # prctl(2)


def become_subreaper() -> None:
    """Become the parent of what jobs leave behind (prctl(2): PR_SET_CHILD_SUBREAPER).

    So it can be told which of them got away from an attempt that is ended. Only Linux has that.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def default_signals() -> None:
    """Give back to every signal its default disposition, since jobs inherit what is ignored.

    A daemon started by nohup(1) or in the background ignores SIGHUP, SIGINT or SIGQUIT; Python
    itself ignores SIGPIPE and SIGXFSZ, which subprocess restores in each child.
    """
    keep = {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}
    for number in signal.valid_signals() - keep:
        with contextlib.suppress(OSError, ValueError):
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def inherited(inheritance: Inheritance) -> InheritedEnvironment:
    """Return what the jobs of this process inherit; it has one thread as yet."""
    os.umask(mask := os.umask(0o077))
    variables = sorted(inheritance.inherited.items())
    return InheritedEnvironment(tuple(Variable(*each) for each in variables), f"{mask:04o}")
