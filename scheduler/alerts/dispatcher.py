"""Notices of the journal in, deliveries for the courier out; and what became of them back.

What is decided here is pure, and stands in `dispatch_rules`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, assert_never

from scheduler.alerts.alert_log import AlertLog
from scheduler.alerts.courier import Answer, Lane, Unanswered
from scheduler.alerts.dispatch_rules import (
    TARGET_PACE,
    Consequence,
    NeverSent,
    NotReached,
    Sent,
    SentLater,
    admitted,
    consequences,
    is_repeated,
    turn_of,
)
from scheduler.journal.outbox import LONGEST_DELAY
from scheduler.journal.rows import NoticeState
from scheduler.notice import channel_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.alerts.courier import Courier
    from scheduler.journal.journal import Journal
    from scheduler.notice import Delivery, Recipient
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

MOST_TARGETS = 100  # that one sender is for
MOST_USER_TARGETS = 5  # the same of another user, so that the next one's turn comes
MOST_NOTICES = 1000  # that one sender gets, unless a single target has more

_CROWDED_AGAIN = 3600.0  # seconds until it is told again that a user's alerts are dropped
_SET_BACK = 1.0  # seconds; below that it is only being corrected
_NOT_REPEATED = "the daemon ended while it was sent, and it is not repeated"


class Dispatcher:
    """Has the journal's notices sent, paced and tried again.

    Owns: when each recipient and each user had a turn, whom the courier has something for, and the
    answers that are not journalled yet. Called by: the loop, when nothing is being started, and at
    the daemon's end. Invariant: a notice is `sending` on disk before the courier has it, and an
    answer is forgotten when it is on disk; so after a kill at any point everything is sent, and
    what may be sent twice says so. Nothing else is remembered: what waits is the journal's.
    """

    def __init__(self, clock: Clock, journal: Journal, log: Log, courier: Courier | None) -> None:
        self._clock = clock
        self._journal = journal
        self._outbox = journal.outbox
        self._outbox.has_new = True  # what an earlier daemon has left
        self._log = AlertLog(log)
        self._courier = courier  # None: nobody hears of anything
        self._answers: list[Answer] = []
        self._under_way: dict[Lane, Sequence[Recipient]] = {}
        self._last: dict[Recipient, float] = {}  # on the monotonic clock
        self._lately: dict[Lane, float] = {}  # of other users' lanes; the same of their last turn
        self._crowded: dict[str, float] = {}  # when it was told of a user
        self._turn: datetime | None = None  # the first that is to come
        self._clock_at = self._clock_reading()

    def recover(self) -> None:
        """Have sent what an earlier daemon had under way: perhaps for the second time."""
        if self._courier is None:
            return
        self._courier.abandon()
        now, repeated = self._clock.now(), 0
        with self._journal.transaction():
            for delivery in self._outbox.sending():
                rows = self._outbox.of_delivery(delivery.number)
                gone = [row for row in rows if not is_repeated(row.notice)]
                rest = [row for row in rows if is_repeated(row.notice)]
                self._outbox.end(gone, NoticeState.FAILED, now, _NOT_REPEATED)
                self._wait(SentLater(rest, "", now, tried=False, is_unsure=True))
                repeated += len(rest)
        if repeated:
            self._log.repeats(repeated)

    def next_wake(self, *, starts: bool) -> datetime | None:
        """Return when there is something to do; None if it may wait for any other wake-up."""
        if self._courier is None:
            return None
        if self._answers or (starts and self._outbox.has_new):
            return self._clock.now()
        return self._turn if starts else None

    def step(self, *, starts: bool) -> None:
        """Journal what was answered, and have sent what is due if it `starts` anything new."""
        if self._courier is None:
            return
        self._look_at_clock()
        self._answers += self._courier.answers()
        was_answered = bool(self._answers)
        self._journal_answers()
        is_turn = self._turn is not None and self._clock.now() >= self._turn
        if starts and (was_answered or is_turn or self._outbox.has_new):
            self._send_due(self._courier)

    def last_words(self, seconds: float) -> None:
        """Let what is under way be answered, within so long; the next daemon repeats the rest."""
        if self._courier is None:
            return
        self._courier.finish(seconds)
        try:
            self.step(starts=False)
        finally:
            self._courier.abandon()

    def _look_at_clock(self) -> None:
        """Keep a clock that was set back from making anybody wait longer."""
        reading = self._clock_reading()
        back = self._clock_at - reading
        if back >= _SET_BACK:
            self._outbox.clock_went_back(back)
            self._outbox.has_new = True
        self._clock_at = reading

    def _clock_reading(self) -> float:
        """Return what the clock shows, reckoned from one that nobody sets."""
        return self._clock.now().timestamp() - self._clock.monotonic()

    # --- what is due -------------------------------------------------------------------------

    def _send_due(self, courier: Courier) -> None:
        self._outbox.has_new = False
        self._tell_of_crowds()
        try:
            ready = self._ready(courier)
            for lane in admitted(ready, self._under_way, self._lately):
                self._send(courier, lane, ready[lane])
        except BaseException:
            self._outbox.has_new = True  # it is looked at again
            raise

    def _ready(self, courier: Courier) -> dict[Lane, list[Recipient]]:
        """Return whose turn it is, by lane; remember when the next turn is."""
        now, at = self._clock.now(), self._clock.monotonic()
        self._last = {who: last for who, last in self._last.items() if at - last < TARGET_PACE}
        busy = {lane: some for lane, some in self._under_way.items() if not courier.is_free(lane)}
        self._under_way = busy
        served = {each for some in busy.values() for each in some}
        ready: dict[Lane, list[Recipient]] = defaultdict(list)
        coming: list[datetime] = []
        for each, due in self._due(now):
            last = self._last.get(each)
            turn = turn_of(each.target, due, now, None if last is None else at - last)
            lane = Lane(channel_of(each.target), self._log.is_in_trouble(each), each.user)
            if turn > now:
                coming.append(turn)
            elif lane not in busy and each not in served:
                ready[lane].append(each)
        self._turn = min(coming, default=None)
        return ready

    def _due(self, now: datetime) -> list[tuple[Recipient, datetime]]:
        """Return who is to hear something, and when; nobody waits for a clock that was wrong."""
        found = self._outbox.due()
        late = [each for each, due in found if due - now > LONGEST_DELAY]
        for each in late:
            self._outbox.hasten(each, now)
        return self._outbox.due() if late else found

    def _tell_of_crowds(self) -> None:
        """Tell whose alerts are dropped, once an hour."""
        at = self._clock.monotonic()
        for user in self._outbox.crowded:
            if at - self._crowded.get(user, -_CROWDED_AGAIN) >= _CROWDED_AGAIN:
                self._crowded[user] = at
                self._log.crowded(user)
        self._outbox.crowded.clear()

    def _send(self, courier: Courier, lane: Lane, recipients: Sequence[Recipient]) -> None:
        """Have sent what waits for these, the rest when the lane is free again."""
        taken: list[Recipient] = []
        deliveries: list[Delivery] = []
        with self._journal.transaction():
            for each in recipients[: MOST_TARGETS if lane.user is None else MOST_USER_TARGETS]:
                taken.append(each)
                deliveries += self._outbox.take(each)
                if sum(len(each.notices) for each in deliveries) >= MOST_NOTICES:
                    break
        at = self._clock.monotonic()
        self._last |= dict.fromkeys(taken, at)
        if lane.user is not None:
            self._lately[lane] = at
        self._under_way[lane] = taken
        try:
            courier.send(lane, deliveries)
        except Exception as error:  # whatever it is: nothing was sent, and it is raised on
            why = f"no sender could be started: {error}"
            self._answers += [Unanswered(each.number, why, is_unsure=False) for each in deliveries]
            raise

    # --- what became of it -------------------------------------------------------------------

    def _journal_answers(self) -> None:
        """Put on disk what was answered; what the journal refuses is done again."""
        if not self._answers:
            return
        now, found = self._clock.now(), list[Consequence]()
        with self._journal.transaction():
            for answer in self._answers:
                rows = self._outbox.of_delivery(answer.delivery)
                found += consequences(rows, answer, now)
            for each in found:
                self._journal_one(each, now)
        self._answers.clear()
        self._log.tell(found)

    def _journal_one(self, consequence: Consequence, now: datetime) -> None:
        match consequence:
            case Sent(rows, note):
                self._outbox.end(rows, NoticeState.SENT, now, note)
            case NeverSent(rows, error):
                self._outbox.end(rows, NoticeState.FAILED, now, error)
            case SentLater():
                self._wait(consequence)
            case NotReached(rows, error, is_unsure):
                self._wait(SentLater(rows, error, rows[0].due, tried=False, is_unsure=is_unsure))
            case _:
                assert_never(consequence)

    def _wait(self, later: SentLater) -> None:
        """Have notices sent later, as a delivery of their own if some of them are over."""
        for row in later.rows:
            self._outbox.wait(
                row,
                later.due,
                later.error,
                delivery=later.rows[0].number,
                tried=later.tried,
                unsure=later.is_unsure,
            )
