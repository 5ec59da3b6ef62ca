"""A change of several steps in, all of it done or none of it out, whatever ends it in its midst."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NoReturn

from scheduler.errors import MeridianError

_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

Tell = Callable[[str], None]


class ChangeEnded(MeridianError):
    """A signal came in the midst of a change."""


@contextmanager
def all_or_none(tell: Tell) -> Iterator[ExitStack]:
    """Give a stack of what undoes the steps taken so far: it is done where the block fails.

    A terminal that goes away ends nothing. A signal that ends makes the block fail; while steps are
    undone there is no other.
    """
    undo = ExitStack()
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, *_ENDING)}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _answer_with(_end)
    try:
        yield undo
    except BaseException:
        _answer_with(signal.SIG_IGN)
        _undo(undo, tell)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heard(tell: Tell) -> Tell:
    """Return what tells, and goes on where nobody can read it any more."""

    def told(text: str) -> None:
        with suppress(OSError):
            tell(text)

    return told


def _answer_with(handler: Callable[[int, object], NoReturn] | signal.Handlers) -> None:
    for number in _ENDING:
        signal.signal(number, handler)


def _end(number: int, _frame: object) -> NoReturn:
    raise ChangeEnded(f"{signal.Signals(number).name} came before it was done")


def _undo(undo: ExitStack, tell: Tell) -> None:
    """Undo the steps, the last one first; one that can't be undone keeps none of the others."""
    try:
        undo.close()
    except (MeridianError, OSError) as error:
        tell(f"Not all could be undone: {error}")
    else:
        tell("Undone: all is as it was")
