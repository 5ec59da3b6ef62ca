"""Threads beside the loop: work that may wait for somebody outside in, so that the loop never does.

The daemon's state is the loop's alone, on its one thread. What goes to another thread owns bytes,
datagrams or paths, and nothing that the loop decides by.
"""

from __future__ import annotations

import signal
from threading import Thread
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.system.own_limits import of_memory

if TYPE_CHECKING:
    from collections.abc import Callable


def start_apart(work: Callable[[], None], name: str) -> None:
    """Start a thread that may wait for somebody outside; it ends with the process at the latest.

    It takes no signal: they are for the thread of the loop. With SIGTTOU blocked it may also write
    to the terminal of a daemon in the background. Raises MeridianError where there is no room.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        Thread(target=work, name=name, daemon=True).start()
    except RuntimeError as error:
        why = of_memory() or "see `ulimit -u`, and TasksMax= of its unit"
        raise MeridianError(f"the system has no room for a thread: {error}; {why}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
