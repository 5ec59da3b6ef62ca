"""A courier that sends nothing, remembers all, and answers on the virtual clock as a script says.

world = World(..., recorder=...)
world.runs_until("12:00:30")
assert world.courier.told() == ["12:00:11 |tell: failure of backup"]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.notice import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from fakes import FakeClock

    from scheduler.alerts.courier import Answer, Courier, Lane
    from scheduler.notice import Delivery


def well(delivery: Delivery) -> Answer:
    """What a channel answers that has sent everything."""
    return Result(delivery.number)


@dataclass
class RecordedCourier:
    """Each delivery is answered `takes` seconds after it was handed over, by `answers_to`."""

    clock: FakeClock
    answers_to: Callable[[Delivery], Answer] = well
    takes: float = 0.5
    sent: list[tuple[datetime, Delivery]] = field(default_factory=list)
    lanes: list[tuple[Lane, list[int]]] = field(default_factory=list)
    refuses: Exception | None = None
    _open: dict[Lane, int] = field(default_factory=dict)
    _ready: list[Answer] = field(default_factory=list)
    _life: int = 0

    # --- what a test asks ------------------------------------------------------------------

    def targets(self) -> list[str]:
        """Who has been told something, in order."""
        return [delivery.target for _, delivery in self.sent]

    # --- what the daemon asks --------------------------------------------------------------

    def is_free(self, lane: Lane) -> bool:
        return lane not in self._open

    def send(self, lane: Lane, deliveries: Sequence[Delivery]) -> None:
        if self.refuses is not None:
            raise self.refuses
        assert self.is_free(lane)
        assert deliveries
        self._open[lane] = len(deliveries)
        self.lanes.append((lane, [each.number for each in deliveries]))
        self.sent += [(self.clock.now(), each) for each in deliveries]
        life = self._life
        self.clock.after(self.takes, lambda: self._answer(life, lane, deliveries))

    def answers(self) -> Sequence[Answer]:
        found, self._ready = self._ready, []
        return found

    def finish(self, seconds: float) -> None:
        if self._open:
            self.clock.pass_to(self.clock.now() + timedelta(seconds=seconds))

    def abandon(self) -> None:
        self._life += 1
        self._open.clear()
        self._ready.clear()

    def _answer(self, life: int, lane: Lane, deliveries: Sequence[Delivery]) -> None:
        if life == self._life:
            del self._open[lane]
            self._ready += [self.answers_to(each) for each in deliveries]


if TYPE_CHECKING:

    def _it_satisfies_the_protocol(clock: FakeClock) -> Courier:
        return RecordedCourier(clock)
