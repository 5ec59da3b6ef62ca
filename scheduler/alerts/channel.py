"""What every channel is: deliveries and a place in, a result for each delivery out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from scheduler.errors import MeridianError
from scheduler.notice import Result
from scheduler.printable import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scheduler.notice import Delivery

LONGEST_ERROR = 500  # characters
RESULT_WITHIN = 60.0  # seconds from one result to the next; then its sender is killed


class NotSent(MeridianError):
    """A delivery was not sent, and why, with no secret in it; a `permanent` refusal stays one.

    `is_unsure`: it was handed over, and no answer came, so that it may have been sent after all.
    """

    def __init__(self, why: str, *, permanent: bool = False, is_unsure: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent
        self.is_unsure = is_unsure

    def result(self, delivery: int, *, sent: tuple[int, ...] = ()) -> Result:
        """Return what this means for a delivery, of which these notices were sent."""
        return Result(delivery, str(self), self.permanent, sent, is_unsure=self.is_unsure)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sender finds what it needs.

    Outputs of attempts are in `state`, addresses and accounts in `config`. What a channel has to
    remember is in `memory`; None: in `state`.
    """

    state: Path
    config: Path
    environ: Mapping[str, str]
    memory: Path | None = None


class Send(Protocol):
    """One channel's way to send. It may wait, since it runs in a sender's process."""

    def __call__(self, deliveries: Sequence[Delivery], place: Place, /) -> Iterator[Result]:
        """Send these, and yield each result as soon as it is known; an error is a result."""


def short(result: Result) -> Result:
    """Return a result whose words are lines that fit into a log."""
    return replace(result, error=_line(result.error), note=_line(result.note))


def _line(text: str) -> str:
    line = clean(" ".join(text.split()))
    return line if len(line) <= LONGEST_ERROR else line[: LONGEST_ERROR - 3] + "..."
