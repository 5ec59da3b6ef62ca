"""Names of users in, what the system tells of them out, while the loop goes on.

A directory of users on the network may be slow, or not answer for hours. So names are looked up by
threads: those of the crontabs before they are needed, all others when they are.
"""

from __future__ import annotations

import errno
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from scheduler.errors import MeridianError
from scheduler.printable import quoted
from scheduler.system import accounts
from scheduler.system.accounts import Account
from scheduler.system.background import start_apart
from scheduler.system.clock import RealClock
from scheduler.system.time_limit import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scheduler.system.clock import Clock

T = TypeVar("T")

NEW_FOR = 5.0  # seconds for which an answer is not asked for again: a minute's burst asks once
GOOD_FOR = 75.0  # seconds for which it counts where there is no newer one: until the next minute
WITHIN = 1.0  # seconds after which nobody waits for an answer any more
_FIRST_PATIENCE = WITHIN / 2  # each late answer halves that: the loop waits for a second in all
_NEWER_WITHIN = 0.05  # seconds that are waited for a newer answer than the one that counts
_AT_LEAST = 0.005  # what files of this machine answer in
_MOST_THREADS = 8  # that ask ahead: one that nobody answers holds up one of them


class NotTold(OSError):
    """The system has not said in time who a user is."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EAGAIN, f"the system does not tell now who {quoted(name)} is")


@dataclass(slots=True, eq=False)
class _LookUp(Generic[T]):
    """One name that is looked up once, by whichever thread begins it; `asked` says since when.

    `before` is the last answer, and when that was asked for.
    """

    name: str
    asked: float
    before: tuple[float, T] | None
    found: list[T] = field(default_factory=list)
    error: BaseException | None = None
    is_over: Event = field(default_factory=Event)
    _begun: Lock = field(default_factory=Lock)

    @property
    def is_begun(self) -> bool:
        """Whether a thread has begun with it."""
        return self._begun.locked()

    @property
    def last(self) -> tuple[float, T] | None:
        """The last answer that there is, and when it was asked for."""
        if self.is_over.is_set() and self.found:
            return self.asked, self.found[0]
        return self.before

    def make(self, look: Callable[[str], T]) -> None:
        """Look the name up, unless another thread has begun with it."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self.found.append(look(self.name))
        except BaseException as error:  # noqa: BLE001 (it is raised where the name is asked for)
            self.error = error
        self.is_over.set()


class KnownUsers(Generic[T]):
    """Owns what is known of users by their names, and which names are being looked up.

    The spawner and the crontabs ask, on the loop's thread; its own threads only answer. Invariant:
    one name is looked up by one thread at a time; no answer counts for longer than GOOD_FOR; and
    all that wait take about a second of the loop's minute, whoever does not answer.
    """

    def __init__(self, look: Callable[[str], T], clock: Clock | RealClock | None = None) -> None:
        self._look = look
        self._clock = clock or RealClock()
        self._look_ups: dict[str, _LookUp[T]] = {}
        self._patience = Patience(_FIRST_PATIENCE)

    def ask(self, names: Iterable[str]) -> None:
        """Have these looked up by the time that somebody needs them; nobody waits for it."""
        look_ups = (self._newest(name) for name in sorted(set(names)))
        left = deque(each for each in look_ups if not each.is_over.is_set())
        for _ in range(min(len(left), _MOST_THREADS)):
            if not self._starts(partial(self._answer, left)):
                return

    def find(self, name: str) -> T:
        """Return what is known of a user; NotTold, or what the look-up raised, where nothing is."""
        look_up = self._newest(name)
        if not look_up.is_over.is_set() and (
            look_up.is_begun or self._starts(partial(look_up.make, self._look))
        ):
            self._wait(look_up)
        last = look_up.last
        if last is not None and self._age(last[0]) < GOOD_FOR:
            return last[1]
        if look_up.error is not None:
            raise look_up.error
        raise NotTold(name)

    def _newest(self, name: str) -> _LookUp[T]:
        """Return the look-up of a name that counts now, begun or not."""
        found = self._look_ups.get(name)
        if found is None or (found.is_over.is_set() and self._age(found.asked) >= NEW_FOR):
            before = None if found is None else found.last
            found = self._look_ups[name] = _LookUp(name, self._clock.monotonic(), before)
        return found

    def _age(self, asked: float) -> float:
        return self._clock.monotonic() - asked

    def _wait(self, look_up: _LookUp[T]) -> None:
        has_answer = look_up.before is not None and self._age(look_up.before[0]) < GOOD_FOR
        most = max(_AT_LEAST, self._patience.seconds)
        seconds = min(
            most, WITHIN - self._age(look_up.asked), _NEWER_WITHIN if has_answer else most
        )
        begun = self._clock.monotonic()
        if seconds > 0 and not (look_up.is_over.wait(seconds) and self._age(begun) < _NEWER_WITHIN):
            self._patience.lose()

    def _answer(self, left: deque[_LookUp[T]]) -> None:
        """Look up what is left, on a thread beside others that do so."""
        while left:
            try:
                look_up = left.popleft()
            except IndexError:  # another one has taken the last
                return
            look_up.make(self._look)

    @staticmethod
    def _starts(work: Callable[[], None]) -> bool:
        try:
            start_apart(work, "user names")
        except MeridianError:  # no room for a thread: nothing is known then, and asked for again
            return False
        return True


class KnownAccounts(KnownUsers[Account | None]):
    """The same of accounts: what `accounts` tells, for whoever must not wait for it."""

    def __init__(self) -> None:
        super().__init__(_account)

    def uid_of(self, name: str) -> int | None:
        """Return the number of the user of this name; None if there is none; OSError as `find`."""
        account = self.find(name)
        return None if account is None else account.uid


def _account(name: str) -> Account | None:
    return accounts.find(name)  # whichever that is by then: a test has other users
