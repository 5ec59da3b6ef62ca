"""What happens to a machine in a simulation: incidents in, in the order of happening out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Mishap(StrEnum):
    """What can happen to a machine."""

    DOWNTIME = "downtime"  # the daemon is killed, and started again later
    SUSPEND = "suspend"  # the machine sleeps
    SET_CLOCK = "set-clock"  # somebody sets the wall clock


@dataclass(frozen=True, slots=True)
class Incident:
    """A mishap that begins when the wall clock shows `at`, and is over when it shows `to`."""

    mishap: Mishap
    at: datetime
    to: datetime


class OutOfOrder(Exception):
    """Something is to happen at a time that the clock does not show: it lies in what is before."""

    def __init__(self, before: Incident, after: Incident) -> None:
        super().__init__(before, after)
        self.before, self.after = before, after


def in_order(incidents: Iterable[Incident]) -> list[Incident]:
    """Return incidents in the order in which they happen: each the first time that it can.

    A clock may be set forward and back again, so that is not always the order of their times.
    Raises OutOfOrder for one that never can.
    """
    left, order = sorted(incidents, key=lambda each: each.at), list[Incident]()
    while left:
        coming = (each for each in left if not order or each.at > order[-1].to)
        following = next(coming, None)
        if following is None:
            raise OutOfOrder(order[-1], left[0])
        left.remove(following)
        order.append(following)
    return order
