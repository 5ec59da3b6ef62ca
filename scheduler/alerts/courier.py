"""Deliveries in, handed to processes of their own; what became of each of them out.

A channel may wait for a server for as long as that likes, and needs libraries that a daemon has no
other use for. So each channel talks in a process, the sender, which is there while it sends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scheduler.alerts.channel import RESULT_WITHIN, short
from scheduler.alerts.sender_process import LAST_MOMENT, SenderProcess
from scheduler.codec import decode, encode
from scheduler.errors import MeridianError, NoAnswer
from scheduler.notice import Channel, Result
from scheduler.system.background import start_apart
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scheduler.alerts.sender_start import Senders
    from scheduler.notice import Delivery

_SENDERS_SECONDS = 300.0  # that one sender of another user than the daemon's has for all
_SPARE_ANSWERS = 100  # that nobody asked for; a sender that goes on talking is ended


class Lane(NamedTuple):
    """What is sent one after the other: of a channel what goes well, and what has failed before.

    So a target in trouble keeps no other waiting. Each `user` has lanes of their own; None is the
    daemon's own user.
    """

    channel: Channel
    is_in_trouble: bool
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A delivery of which nobody tells what became, and why.

    It may have been sent, unless there was no sender at all: then it is not `is_unsure`. It is not
    `is_tried` if its sender ended over another target's delivery, and never came to this one.
    """

    delivery: int
    why: str
    is_unsure: bool = True
    is_tried: bool = True


Answer = Result | Unanswered


class Courier(Protocol):
    """Who has deliveries sent, and never keeps the loop waiting.

    Each delivery that it takes is answered once, unless all are abandoned.
    """

    def is_free(self, lane: Lane) -> bool:
        """Say whether a lane has answered all that it was given."""

    def send(self, lane: Lane, deliveries: Sequence[Delivery]) -> None:
        """Have these sent, in a lane that is free."""

    def answers(self) -> Sequence[Answer]:
        """Return what has been answered since the last call."""

    def finish(self, seconds: float) -> None:
        """Wait until all lanes are free, but no longer than this."""

    def abandon(self) -> None:
        """End all senders, and forget what they have not answered, and all answers."""


class SenderCourier:
    """The courier of a real daemon: a thread for each batch, which talks with a sender's process.

    Owns: the senders that are there, the answers that nobody has asked for, and which deliveries a
    lane has still to answer. Called by: the dispatcher, on the loop; its threads only add answers.
    Invariant: each delivery is answered once, whatever becomes of its sender, and nothing is
    answered of what was abandoned.
    """

    def __init__(
        self,
        senders: Senders,
        complain: Callable[[str, str], None],
        *,
        patience: float = RESULT_WITHIN,
        user_seconds: float = _SENDERS_SECONDS,
    ) -> None:
        self._senders_of = senders
        self._user_seconds = user_seconds
        self._complain = complain  # what a sender wrote on standard error; on its thread
        self._patience = patience
        self._wake: Callable[[], object] = lambda: None  # until somebody waits for answers
        self._open: dict[Lane, set[int]] = {}  # the loop's alone
        self._changed = Condition()
        self._senders: set[SenderProcess] = set()
        self._answers: list[Answer] = []
        self._life = 0  # raised when all is abandoned

    def wake_by(self, wake: Callable[[], object]) -> None:
        """Have answers told of by this, which is called on another thread."""
        self._wake = wake

    def is_free(self, lane: Lane) -> bool:
        """See Courier."""
        return lane not in self._open

    def send(self, lane: Lane, deliveries: Sequence[Delivery]) -> None:
        """See Courier."""
        self._open[lane] = {each.number for each in deliveries}
        life = self._life
        try:
            start_apart(lambda: self._work(lane, deliveries, life), f"alerts {lane.channel}")
        except MeridianError as error:
            self._add(
                life, [Unanswered(each.number, str(error), is_unsure=False) for each in deliveries]
            )
        except BaseException:
            del self._open[lane]  # nobody works there
            raise

    def answers(self) -> Sequence[Answer]:
        """See Courier."""
        with self._changed:
            found, self._answers = self._answers, []
        told = {each.delivery for each in found}
        self._open = {lane: left for lane, some in self._open.items() if (left := some - told)}
        return found

    def finish(self, seconds: float) -> None:
        """See Courier."""
        wanted = sum(map(len, self._open.values()))
        with self._changed:
            self._changed.wait_for(lambda: len(self._answers) >= wanted, seconds)

    def abandon(self) -> None:
        """See Courier."""
        with self._changed:
            monotonic = RealClock().monotonic
            self._life += 1
            self._answers, self._open = [], {}
            for sender in self._senders:
                sender.terminate()
            end = monotonic() + LAST_MOMENT  # for all of them together
            for sender in self._senders:
                sender.kill(within=max(0.0, end - monotonic()))

    # --- on the thread of a batch ------------------------------------------------------------

    def _work(self, lane: Lane, deliveries: Sequence[Delivery], life: int) -> None:
        left = {each.number: each for each in deliveries}
        why, is_unsure, is_heard = "its sender ended without a word", True, True
        try:
            for result in self._talk(lane, deliveries, life):
                if left.pop(result.delivery, None) is not None:
                    self._add(life, [result])
        except TimeoutError:
            why = f"its sender said nothing for {self._patience:g} s, and was killed"
            is_heard = False  # it may have said more before its end
        except _TooLong:
            why = f"its sender, with what came before, took over {self._user_seconds:g} s"
        except OSError as error:  # there is no such user, or no room for a process
            why, is_unsure = f"no sender could be started: {error.strerror}", False
        except Exception as error:  # noqa: BLE001 (what it says makes no sense)
            why, is_heard = f"its sender said nonsense, and was killed: {error}", False
        if is_unsure and lane.channel is not Channel.PING:  # which asks several at once
            self._add(life, _blamed(tuple(left.values()), why, is_heard=is_heard))
        else:
            self._add(life, [Unanswered(number, why, is_unsure) for number in left])

    def _talk(self, lane: Lane, deliveries: Sequence[Delivery], life: int) -> Iterator[Result]:
        lines = b"".join(json.dumps(encode(each)).encode() + b"\n" for each in deliveries)
        with self._senders_of.start(lane.channel, lane.user, deliveries) as start:
            sender = SenderProcess(
                start.words, start.environ, start.files, is_other_users=lane.user is not None
            )
        try:
            with self._changed:
                self._senders.add(sender)
                if life != self._life:
                    return
            monotonic = RealClock().monotonic
            begun, most = monotonic(), len(deliveries) + _SPARE_ANSWERS
            answers = sender.answers(start.first + lines, self._patience, monotonic)
            for number, line in enumerate(answers, 1):
                if number > most:
                    raise ValueError("it answers more than it was asked")
                yield _result(line)
                if lane.user is not None and monotonic() - begun > self._user_seconds:
                    raise _TooLong
        finally:
            with self._changed:
                self._senders.discard(sender)
            sender.kill()
            sender.close()
            if sender.complaint:
                whose = (
                    lane.channel.value if lane.user is None else f"{lane.channel} of {lane.user}"
                )
                self._complain(whose, sender.complaint)

    def _add(self, life: int, answers: Sequence[Answer]) -> None:
        with self._changed:
            if life != self._life or not answers:
                return
            was_empty = not self._answers
            self._answers += answers
            self._changed.notify_all()
        if was_empty:
            self._wake()


class _TooLong(Exception):
    """A sender has taken too long for all of it."""


def _result(line: bytes) -> Result:
    """Return what a sender answered, which may be a user's; ValueError where it is nonsense."""
    try:
        return short(decode(Result, json.loads(line)))
    except NoAnswer as error:
        raise ValueError("it is no result") from error


def _blamed(left: Sequence[Delivery], why: str, *, is_heard: bool) -> list[Answer]:
    """Return what is to be said of deliveries without an answer, of which the first was under way.

    So that one which ends each sender takes no other along. `is_heard`: no answer can be missing.
    """
    if not left:
        return []
    first, *rest = left
    found: list[Answer] = [Unanswered(first.number, why)]
    for each in rest:
        is_tried = each.target == first.target  # it goes when the first one does, and never before
        words = why if is_tried else f"{why}, at another alert"
        found.append(Unanswered(each.number, words, not is_heard, is_tried))
    return found
