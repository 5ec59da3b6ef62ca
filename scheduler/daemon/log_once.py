"""Trouble with the journal, told once: what it refuses at each turn in, events out.

A full disk refuses something at every turn of the loop. Whoever reads the log hears of it when it
begins, once in a while as long as it lasts, and when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.runs.events import JournalRecovered, JournalTrouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.runs.events import Event
    from scheduler.system.clock import Clock

_TROUBLE_REMINDER = 600.0  # seconds after which trouble that lasts is told again


class LogOnce:
    """Tells of the journal's trouble.

    It owns what the journal refuses now, and what was told of that and when. The loop calls
    `refused` after each turn; a status asks for `refusal`. Each trouble has one beginning and one
    end: it is over when the journal takes something, not when nothing is asked of it.
    """

    def __init__(self, clock: Clock, tell: Callable[[Event], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._refusal = ""
        self._told: dict[str, float] = {}  # what it was refused for in this trouble, and when

    def refused(self, refusals: Sequence[str], *, takes: bool) -> None:
        """Hear why the journal has refused what in this turn, and whether it `takes` anything."""
        now = self._clock.monotonic()
        refusal = refusals[0] if refusals else ""
        is_old = refusal in self._told and now - self._told[refusal] < _TROUBLE_REMINDER
        if refusal and not is_old:
            self._tell(JournalTrouble(self._clock.now(), refusal))
            self._told[refusal] = now
        if refusal:
            self._refusal = refusal
        elif self._refusal and takes:
            self._tell(JournalRecovered(self._clock.now()))
            self._told.clear()
            self._refusal = ""

    @property
    def refusal(self) -> str:
        """Why the journal takes nothing; "" while it takes everything."""
        return self._refusal
