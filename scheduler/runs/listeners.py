"""Who hears of what happens: events in, told in order to every listener.

The log is one listener, `simulate` another. No listener can delay the loop: one that may wait for
somebody (a mail server, a person) is told by `Apart`, on a thread of its own.
"""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, Protocol

from scheduler.system.background import start_apart
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.runs.events import Event
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log


class Listener(Protocol):
    """Who hears of events. On the loop it must not wait for anybody; on a thread it may."""

    def hear(self, event: Event) -> None:
        """Take an event in."""


class Unheard(Exception):
    """A listener does not hear what it is told; the text says why."""


class Apart:
    """A listener that may wait for somebody, on a thread of its own, told in order.

    Owns the events that it has not heard yet, at most `most` of them, and its trouble: that it
    failed, or that something new found no room. `Events` puts events in, and drains it at the
    daemon's end. Invariant: who puts one in never waits, and no trouble passes untold. It is well
    again once it has heard all that there was, and the last of it without failing: until then each
    `hear` raises Unheard.
    """

    def __init__(self, listener: Listener, most: int = 1000) -> None:
        self.name = type(listener).__name__
        self._listener = listener
        self._most = most
        self._events: deque[Event] = deque()
        self._trouble: str | None = None
        self._missed = 0  # events that are lost to it, since its trouble began
        self._is_told = False  # of its trouble
        self._is_over = False  # its trouble, which is still to be told of
        self._changed = Condition()
        start_apart(self._work, self.name)

    @property
    def waiting(self) -> int:
        """How many events it has still to hear; what it hears now is one of them."""
        return len(self._events)

    def hear(self, event: Event) -> None:
        """See Listener."""
        with self._changed:
            if len(self._events) < self._most:
                self._events.append(event)
                self._changed.notify_all()
            else:
                self._missed += 1
                self._trouble = f"{self._most} events behind, and what is new is lost to it"
            if self._trouble is not None:
                raise self._told(self._trouble)

    def drain(self, seconds: float) -> int:
        """Wait until it has heard everything, but no longer than this; return what it has not.

        That is how many events wait, or are lost to it since its trouble began.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._events, seconds)
            return self._missed + len(self._events)

    def why(self) -> str:
        """Return why it does not hear what it is told."""
        return self._trouble or "it had no time left"

    def _told(self, trouble: str) -> Unheard:
        self._is_told = True
        if self._is_over:
            self._recover()
        return Unheard(trouble)

    def _recover(self) -> None:
        self._trouble, self._missed, self._is_told, self._is_over = None, 0, False, False

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._events)
                event = self._events[0]
            trouble = self._tell(event)
            with self._changed:
                self._events.popleft()
                if trouble is not None:
                    self._missed += 1
                    self._trouble = trouble
                elif not self._events and self._is_told:
                    self._recover()
                elif not self._events:
                    self._is_over = self._trouble is not None
                self._changed.notify_all()

    def _tell(self, event: Event) -> str | None:
        """Let it hear of this, however long that takes; return why it failed if it did."""
        try:
            self._listener.hear(event)
        except Exception as error:  # noqa: BLE001 (the loop tells of it)
            return _text(error)
        return None


class Events:
    """Tells events to all listeners: those `in_loop` at once, those `apart` on their own threads.

    Owns which of them are in trouble: the log says so once until they are well again. A transaction
    calls it when its commit is done, the loop for what is not of a run, and at its end. Invariant:
    each listener is told everything in order, whatever another one does.
    """

    def __init__(self, log: Log, in_loop: Sequence[Listener], apart: Sequence[Apart] = ()) -> None:
        self._log = log
        self._listeners = (*in_loop, *apart)
        self._apart = apart
        self._troubled: set[int] = set()  # by their identity

    def tell(self, event: Event) -> None:
        """Tell all listeners of it."""
        for listener in self._listeners:
            try:
                listener.hear(event)
            except Exception as error:  # noqa: BLE001 (one listener's is no reason to lose a run)
                self._complain(listener, error)
            else:
                self._troubled.discard(id(listener))

    def drain(self, clock: Clock, seconds: float) -> None:
        """Let those apart hear what is left, within so long at most; say what is not heard."""
        end = clock.monotonic() + seconds
        for listener in self._apart:
            if unheard := listener.drain(max(0.0, end - clock.monotonic())):
                name, why = listener.name, listener.why()
                say = f"{name} has not heard of {counted(unheard, 'event')}: {why}"
                self._log.error("listener", listener=name, unheard=unheard, error=why, say=say)

    def _complain(self, listener: Listener, error: Exception) -> None:
        if id(listener) in self._troubled:
            return
        self._troubled.add(id(listener))
        name = listener.name if isinstance(listener, Apart) else type(listener).__name__
        say = f"{name} does not hear of what happens: {_text(error)}"
        self._log.error("listener", listener=name, error=str(error), say=say)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
