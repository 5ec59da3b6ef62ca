"""Whether the loop is held up: its steps in, a line of the log out while one of them does not end.

Some of its work must wait for the disk: a claim is on it before its process exists. Where that
hangs, a loop that hangs with it can't say so; this thread can. An idle daemon wakes it never.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scheduler.system.background import start_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.system.log import Log
    from scheduler.system.waiting import Alarm

LIMIT = 10.0  # seconds that one turn of the loop may take before it is told of


class Watchdog:
    """Tells of a turn of the loop that takes too long.

    It owns an alarm, and which step the loop is in. The loop calls `turn` around its work and says
    which `step` begins; a thread of its own waits for the alarm and does nothing but log. The alarm
    is armed while the loop works, and at no other time, so it rings for a turn that takes longer,
    and only then.
    """

    def __init__(self, log: Log, alarm: Alarm, limit: float = LIMIT) -> None:
        self._log = log
        self._alarm = alarm
        self._limit = limit
        self._turn = 0
        self._told = 0  # the turn that the last line was about
        self._told_step = ""
        self.step = "begin"
        start_apart(self._serve, "watchdog")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Tell of what is done inside if it takes too long."""
        self._turn += 1
        self._alarm.arm(self._limit)
        try:
            yield
        finally:
            self._alarm.disarm()
            if self._told == self._turn:
                self._log.info("recovered", step=self._told_step, say="the loop goes on")

    def _serve(self) -> None:
        while True:
            self._alarm.wait()
            self._told, self._told_step = self._turn, self.step
            held = (
                f"the loop has been held up for {self._limit:g} s while it was to {self._told_step}"
            )
            say = f"{held}: nothing starts until the system answers; does the state's disk hang?"
            self._log.error("held up", step=self._told_step, seconds=self._limit, say=say)
