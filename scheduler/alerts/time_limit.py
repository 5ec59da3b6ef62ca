"""Work that may wait for somebody for ever in, what it returns in time out, or TimeoutError.

A limit of a socket counts anew with each byte, and none counts for a name that is looked up. So the
work is done in a thread of its own, which is left behind when its time is over; it ends with the
sender's process at the latest.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what the work returns; raise what it raises, or TimeoutError after so many seconds."""
    done: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 (it is raised where the work was asked for)
            raised.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not done:
        raise TimeoutError
    return done[0]
