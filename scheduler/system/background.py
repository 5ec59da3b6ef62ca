"""Threads beside the loop: work that may wait for somebody outside in, so that the loop never does.

The daemon's state is the loop's alone, on its one thread. What goes to another thread owns bytes,
datagrams or paths, and nothing that the loop decides by.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from scheduler.errors import MeridianError
from scheduler.system.own_limits import of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NoThread(MeridianError):
    """There is no room for another thread: the work has not begun."""


class NotInTime(MeridianError, TimeoutError):
    """What was asked for has not answered in time."""


def within(seconds: float, work: Callable[[], T], name: str) -> T:
    """Return what work returns that may wait for ever; raise what it raises, or NotInTime.

    A limit of a socket counts anew with each byte, and none counts for a name that is looked up or
    a file system that hangs. So it has a thread of its own, which is left behind when its time is
    over.
    """
    done: list[T] = []
    raised: list[BaseException] = []
    is_over = Event()

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 (it is raised where the work was asked for)
            raised.append(error)
        is_over.set()

    start_apart(run, name)
    if not is_over.wait(seconds):
        raise NotInTime(f"{name}: no answer within {seconds:g} s")
    if raised:
        raise raised[0]
    return done[0]


async def awaited(work: Callable[[], T], name: str) -> T:
    """Return what work returns in a thread of its own, or raise what it raises; the loop goes on.

    Whoever no longer waits for it leaves the thread behind, which goes on to the end of its work.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            tell = partial(done.set_result, work())
        except BaseException as error:  # noqa: BLE001 (it is raised where the work was asked for)
            tell = partial(done.set_exception, error)
        with suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(_unless_over, done, tell)

    start_apart(run, name)
    return await done


def _unless_over(done: asyncio.Future[T], tell: Callable[[], None]) -> None:
    if not done.done():
        tell()


def start_apart(work: Callable[[], None], name: str) -> None:
    """Start a thread that may wait for somebody outside; it ends with the process at the latest.

    It takes no signal: they are for the thread of the loop. With SIGTTOU blocked it may also write
    to the terminal of a daemon in the background. Raises NoThread where there is no room.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        Thread(target=work, name=name, daemon=True).start()
    except RuntimeError as error:
        why = of_memory() or "see `ulimit -u`, and TasksMax= of its unit"
        raise NoThread(f"the system has no room for a thread: {error}; {why}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
