"""The daemon's own pings, `--ping`: minutes that are handled in, a ping for each of them out.

A service that hears one each minute knows when they end: the daemon is dead or held up, the machine
is off, or the network is gone. Nothing but their absence could tell of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.alerts.courier import Lane, Unanswered
from scheduler.alerts.ping_rules import TARGET, Ping
from scheduler.notice import Channel, Delivery, Facts, Kind, Notice
from scheduler.runs import events
from scheduler.schedule.tick import minute_of

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.alerts.courier import Courier
    from scheduler.runs.events import Event
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

_LANE = Lane(Channel.PING, is_in_trouble=False)
_DELIVERY = 0  # the journal has none of this number


class OwnPing:
    """Pings for the daemon, by a courier of its own.

    Owns: the minute that was pinged for last, what the journal's trouble is, and whether the last
    ping failed. The loop calls `step`, and tells it events as a listener. Invariant: at most one
    ping is under way, nothing waits for it, and nothing of it is in the journal. It is not tried
    again: the next minute's is.
    """

    def __init__(self, url: str, clock: Clock, log: Log, courier: Courier) -> None:
        self._target = TARGET + url
        self._clock = clock
        self._log = log
        self._courier = courier
        self._pinged: tuple[datetime, str] | None = None
        self._trouble = ""
        self._fails = False

    def hear(self, event: Event) -> None:
        """See Listener."""
        match event:
            case events.JournalTrouble(why=why):
                self._trouble = f"the journal is in trouble: {why}"
            case events.JournalRecovered():
                self._trouble = ""
            case _:
                pass

    def step(self, handled: datetime | None, *, is_calm: bool) -> None:
        """Ping for the minute handled last, unless that was done, or a start is near.

        While the journal is in trouble nothing starts, and no minute is handled: then the ping is a
        failure, each minute. While a clock that was set back is waited out no minute is handled
        either, and all is well: then the clock's minute counts.
        """
        for answer in self._courier.answers():
            self._tell(answer.why if isinstance(answer, Unanswered) else answer.error)
        now = self._clock.now()
        is_waited_out = handled is not None and now < handled
        minute = minute_of(now) if self._trouble or is_waited_out else handled
        if minute is None or self._pinged == (minute, self._trouble):
            return
        if (is_calm or self._trouble) and self._courier.is_free(_LANE):
            self._pinged = minute, self._trouble
            detail = Ping.FAIL if self._trouble else Ping.SUCCESS
            facts = Facts("", "", "", 0, "UTC", detail=detail.value)
            notice = Notice(self._target, Kind.PING, now, facts, text=self._trouble)
            self._courier.send(_LANE, [Delivery(_DELIVERY, self._target, (notice,))])

    def end(self) -> None:
        """End what is under way: a daemon that stops says nothing, so that it is missed."""
        self._courier.abandon()

    def _tell(self, error: str) -> None:
        """Tell in the log when pings begin to fail, and when they are taken again."""
        if bool(error) == self._fails:
            return
        self._fails = bool(error)
        if error:
            say = f"the daemon's own ping is not taken: {error}; it goes on each minute"
            self._log.warning("ping", error=error, say=say)
        else:
            self._log.info("ping", say="the daemon's own ping is taken again")
