"""The process in which a channel talks: deliveries on standard input, answers on standard output.

    python -m scheduler.alerts.sender CHANNEL STATE CONFIG

In: a line of JSON for each delivery, until the end of the input. Out: a line of JSON for each
result. What a channel prints goes to standard error. An error of a channel is a result.

The daemon starts it (see `courier`), and ends it when it says nothing for too long. With a daemon
that is killed it ends, too: when it has sent the delivery that it is at, or has said nothing for
too long; the next daemon sends what is left. It ends the programs that it waits for with itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from scheduler.alerts.channel import RESULT_WITHIN, NotSent, Place, short
from scheduler.codec import decode, encode
from scheduler.notice import Channel, Delivery, Result
from scheduler.printable import quoted
from scheduler.system import own_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scheduler.alerts.channel import Send

_ALONE = 15  # seconds more that it lives if nobody ends it: its daemon is gone
_TERM_SECONDS = 1.0  # of its programs, from SIGTERM to SIGKILL
_AT_END: list[Callable[[], object]] = []


def main(words: Sequence[str]) -> None:
    """Send what comes in, by the channel that the words name."""
    answers = begin()
    channel, state, config = words
    serve(answers, channel, Place(Path(state), Path(config), os.environ))


def begin() -> int:
    """Return where answers are written, when this process can be ended; call it first."""
    _give_back_signals()
    return _take_output()


def serve(answers: int, channel: str, place: Place) -> None:
    """Send the deliveries that come in, and answer each."""
    deliveries = [decode(Delivery, json.loads(line)) for line in sys.stdin.buffer]
    for result in send_all(channel, deliveries, place):
        signal.alarm(int(RESULT_WITHIN) + _ALONE)
        try:
            os.write(answers, json.dumps(encode(result)).encode() + b"\n")
        except BrokenPipeError:
            sys.exit(1)  # the daemon is gone


def at_end(act: Callable[[], object]) -> None:
    """Have this done when the process is ended by a signal; it may be done by then."""
    _AT_END.append(act)


def send_all(channel: str, deliveries: Sequence[Delivery], place: Place) -> Iterator[Result]:
    """Yield one result for each delivery; one on which the channel fails keeps no other back."""
    try:
        send = channel_named(channel)
    except NotSent as error:
        yield from (Result(each.number, str(error), permanent=True) for each in deliveries)
        return
    left = {each.number: each for each in deliveries}
    while left:
        why = "the channel gave no answer"
        try:
            for result in send(tuple(left.values()), place):
                if left.pop(result.delivery, None) is not None:
                    yield short(result)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever it is, it is told of)
            traceback.print_exc()
            why = f"{type(error).__name__}: {error}"
        if left:  # the first of them is the one on which it failed
            number = next(iter(left))
            del left[number]
            yield short(Result(number, why, is_unsure=True))


def channel_named(name: str) -> Send:
    """Return how a channel sends; NotSent if it can't be loaded, which then stays so."""
    if name not in set(Channel):
        raise NotSent(f"this Meridian knows no channel {quoted(name)}", permanent=True)
    module = f"scheduler.alerts.{name}"
    try:
        found: Send = import_module(module).send
    except ImportError as error:
        if error.name == module:
            why = f"this Meridian has no channel {name}"
        else:
            why = f"the channel {name} can't be loaded: {error}"
        raise NotSent(why, permanent=True) from error
    return found


def _give_back_signals() -> None:
    """Take signals again, which the thread that started this blocked; end by itself when alone."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.alarm(int(RESULT_WITHIN) + _ALONE)


def _end(_signal: int, _frame: object) -> None:
    """End this process, on a thread: the one that is interrupted may be just starting a program.

    Its last act is this process's end, even if all else is over before.
    """
    Thread(target=_end_all).start()


def _end_all() -> None:
    own_groups.end(_TERM_SECONDS)
    for act in _AT_END:
        act()
    os._exit(1)  # whatever other threads wait for


def _take_output() -> int:
    """Return standard output, which from now on is this process's alone; print to errors instead.

    Who is started here must not have it: at its end the daemon knows that this process is over.
    """
    own = os.dup(1)
    os.dup2(2, 1)
    return own


if __name__ == "__main__":
    main(sys.argv[1:])
